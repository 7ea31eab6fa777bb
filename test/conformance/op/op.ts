/** What the Foundation's suite is told of a provider: its discovery document, clients, and somebody who can sign in. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { vi } from 'vitest'
import type { Manifest } from '#catalog'
import { makeAuthority, makeClientCertificate } from '../../support/certificates.ts'
import { type Gateway, startGateway } from '../../support/gateway.ts'
import { POLICIES } from '../../support/policies.ts'
import { freePort } from '../../support/ports.ts'
import { type Receiver, startReceiver } from './receiver.ts'
import { HOST, startTlsFront } from './tls-front.ts'

export type ResponseMode = 'default' | 'form_post'

export interface Client {
  readonly id: string
  readonly secret: string
  readonly method: 'client_secret_basic' | 'client_secret_post'
  readonly redirectUri: string
}

/** OIDC Discovery §3: what came, unread. */
export type Metadata = Readonly<Record<string, unknown>> & {
  readonly issuer: string
  readonly authorization_endpoint: string
  readonly token_endpoint: string
  readonly userinfo_endpoint: string
  readonly end_session_endpoint: string
  readonly jwks_uri: string
}

export interface Op {
  readonly gateway: Gateway
  /** As it was set up, whatever its document says. */
  readonly issuer: string
  readonly metadata: Metadata
  readonly receiver: Receiver
  readonly mode: ResponseMode
  /** Believes the provider's certificate. */
  readonly fetch: typeof fetch
  /** The same with one of the certificates of `makeCertificates`. */
  fetchAs(certificate: string): typeof fetch
  client(id: string): Client
  /** The gateway's time, the engine's and ours go on together. */
  pass(ms: number): void
  close(): Promise<void>
}

export const USERNAME = 'sam'
export const POST_LOGOUT = '/post_logout_redirect'
export const BACK_CHANNEL = '/backchannel_logout'
export const FRONT_CHANNEL = '/frontchannel_logout'

const SCOPES = ['openid', 'profile', 'email', 'offline_access']

/** As the clients of a certification are registered: without PKCE, which its plans do not send but for one module. */
const clientOf = (origin: string, id: string, more: object = {}): Manifest => ({
  id,
  name: `Client ${id}`,
  policy: 'plain',
  audience: ['*'],
  oidc: {
    redirect_uris: [`${origin}/${id}/callback`],
    post_logout_redirect_uris: [`${origin}${POST_LOGOUT}`],
    scopes: SCOPES,
    pkce: 'optional',
    grant_types: ['authorization_code', 'refresh_token'],
    ...more,
  },
})

/** Made by the authority of the settings, `NAME.pem` and `NAME.key`, and one that nobody has signed. */
async function makeCertificates(folder: string): Promise<void> {
  await makeAuthority(folder, 'partners')
  await makeClientCertificate(folder, 'signed', { authority: 'partners', names: 'DNS:signed.example.com' })
  await makeClientCertificate(folder, 'self')
}

/** @param more further clients, by the origin that their addresses lead to, and where certificates are */
export async function startOp(
  mode: ResponseMode = 'default',
  more: (origin: string, certificates: string) => readonly Manifest[] = () => [],
): Promise<Op> {
  const folder = mkdtempSync(join(tmpdir(), 'portico-conformance-'))
  await makeCertificates(folder)
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() })
  const receiver = await startReceiver()
  const { origin } = receiver
  const [port, ownPort] = [await freePort(), await freePort()]
  const front = await startTlsFront(port, ownPort, folder)
  const issuer = `https://${HOST}:${port}`
  const gateway = await startGateway({
    host: '127.0.0.1',
    port: ownPort,
    settings: {
      issuer,
      proxies: ['127.0.0.1'],
      client_certificates: { header: 'client-cert', ca_file: join(folder, 'partners.pem') },
    },
    policies: POLICIES,
    people: [
      {
        username: USERNAME,
        name: 'Sam de Vries',
        givenName: 'Sam',
        familyName: 'de Vries',
        language: 'nl',
        mail: 'sam@kestrel.example',
        mailVerified: true,
        groups: ['staff'],
      },
    ],
    apps: [
      clientOf(origin, 'client'),
      clientOf(origin, 'client2'),
      clientOf(origin, 'post', { token_endpoint_auth_method: 'client_secret_post' }),
      clientOf(origin, 'back', {
        backchannel_logout_uri: `${origin}${BACK_CHANNEL}`,
        backchannel_logout_session_required: true,
      }),
      clientOf(origin, 'front', {
        frontchannel_logout_uri: `${origin}${FRONT_CHANNEL}`,
        frontchannel_logout_session_required: true,
      }),
      ...more(origin, folder),
    ],
  })
  const document = await front.fetch(`${issuer}/.well-known/openid-configuration`)
  return {
    gateway,
    issuer,
    metadata: (await document.json()) as Metadata,
    receiver,
    mode,
    fetch: front.fetch,
    fetchAs: front.fetchAs,
    client: (id) => ({
      id,
      secret: gateway.secrets.get(id)!,
      method: id === 'post' ? 'client_secret_post' : 'client_secret_basic',
      redirectUri: `${origin}/${id}/callback`,
    }),
    pass: (ms) => {
      vi.setSystemTime(Date.now() + ms)
    },
    async close() {
      await front.close()
      await gateway.close()
      await receiver.close()
      rmSync(folder, { recursive: true, force: true })
      vi.useRealTimers()
    },
  }
}
