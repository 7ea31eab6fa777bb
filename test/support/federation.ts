/** Two gateways: one that people of a partner sign in at, and one that takes its word. */
import type { Clock } from '#core/clock'
import type { NewPerson } from '#directory'
import { createBrowser, formOf, type Page } from '../../demo/browser.ts'
import { type Gateway, type GatewayOptions, PASSWORD, startGateway } from './gateway.ts'
import { POLICIES } from './policies.ts'
import { freePort } from './ports.ts'
import { type Browser, CALLBACK } from './relying-party.ts'
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts'

export interface Federation {
  /** The partner's. */
  readonly provider: Gateway
  readonly gateway: Gateway
  /** The way to the partner, for us and for browsers. */
  readonly way: TcpProxy
  close(): Promise<void>
}

export interface FederationOptions {
  readonly clock: Clock
  /** Of the partner. */
  readonly theirs: readonly NewPerson[]
  readonly ours?: GatewayOptions
  /** More of the directory's settings. */
  readonly directory?: Readonly<Record<string, unknown>>
  /** Other directories of ours. */
  readonly moreDirectories?: readonly object[]
  /** More policies of the partner. */
  readonly theirPolicies?: Readonly<Record<string, string>>
  /** More of how the partner knows us. */
  readonly registration?: Readonly<Record<string, unknown>>
}

export const PARTNER = 'partner'

/** An app of ours, for everybody whom the policy lets in. */
export const anApp = (id: string, policy = 'plain') => ({
  id,
  name: `App ${id}`,
  policy,
  audience: ['*'],
  oidc: { redirect_uris: [CALLBACK], scopes: ['openid', 'profile', 'email'] },
})

export async function startFederation(options: FederationOptions): Promise<Federation> {
  const { clock } = options
  const port = await freePort()
  const issuer = `http://localhost:${port}`
  const theirPort = await freePort()
  const way = await startTcpProxy({ to: theirPort })
  const partner = await startGateway({
    clock,
    port: theirPort,
    settings: { issuer: `http://${way.host}:${way.port}` },
    people: options.theirs,
    policies: {
      ...POLICIES,
      'partner.yaml': 'policy: partner\nrules:\n  - { name: everybody, allow: {} }\n',
      ...options.theirPolicies,
    },
    apps: [
      {
        id: 'portico',
        name: 'The gateway next door',
        policy: 'partner',
        audience: ['*'],
        oidc: {
          redirect_uris: [`${issuer}/signin/back/${PARTNER}`],
          post_logout_redirect_uris: [`${issuer}/signout`],
          backchannel_logout_uri: `${issuer}/signin/back/${PARTNER}/logout`,
          scopes: ['openid', 'profile', 'email', 'groups'],
          pkce: 'required',
          ...options.registration,
        },
      },
    ] as never,
  })
  const provider = { ...partner, issuer: `http://${way.host}:${way.port}` }
  const { ours = {} } = options
  const gateway = await startGateway({
    clock,
    port,
    policies: POLICIES,
    ...ours,
    settings: {
      ...ours.settings,
      directories: [
        { id: 'local', kind: 'local' },
        ...(options.moreDirectories ?? []),
        {
          id: PARTNER,
          kind: 'oidc',
          title: 'Partner',
          issuer: provider.issuer,
          client_id: 'portico',
          client_secret: provider.secrets.get('portico'),
          scopes: ['openid', 'profile', 'email', 'groups'],
          domains: ['partner.example'],
          groups: { map: { visitors: ['staff'] } },
          ...options.directory,
        },
      ],
    },
  })
  return {
    provider,
    gateway,
    way,
    async close() {
      await gateway.close()
      await way.close()
      await provider.close()
    },
  }
}

export const browserOf = (): Browser => createBrowser({ stopAt: CALLBACK })

/** From our sign-in page to the partner's. */
export async function goThere(browser: Browser, page: Page): Promise<Page> {
  const away = /href="([^"]*away=partner[^"]*)"/.exec(page.text)?.[1]
  if (!away) throw new Error(`no way to the partner at ${page.url.pathname}`)
  return browser.open(new URL(away.replaceAll('&amp;', '&'), page.url).href)
}

/** Signs in at the partner, whose page is shown, and comes back. */
export async function signInThere(browser: Browser, page: Page, username: string): Promise<Page> {
  const asked = await browser.submit(formOf(page, 'identifier'), { username })
  return browser.submit(formOf(asked, 'password'), { password: PASSWORD })
}
