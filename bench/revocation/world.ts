/** APIs, programs, partners and people whose tokens can be revoked, and tokens of each kind, got as anybody gets them. */
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import type { House } from '#cli'
import { createBrowser, formOf, type Page } from '../../demo/browser.ts'

export const POLICIES: Readonly<Record<string, string>> = {
  'networks.yaml': 'networks:\n  here: { ranges: [127.0.0.0/8, "::1/128"] }\n',
  'account.yaml': 'policy: account\nrules:\n  - { name: whoever has signed in, allow: {} }\n',
  'open.yaml': 'policy: open\nrules:\n  - { name: anybody, allow: {} }\n',
}
export const JWT_API = 'https://api.bench.example/orders'
export const OPAQUE_API = 'https://api.bench.example/stock'
export const HOSTS: Readonly<Record<string, string>> = {
  [JWT_API]: 'orders.bench.example',
  [OPAQUE_API]: 'stock.bench.example',
}
/** Nobody listens there. */
const CALLBACK = 'http://localhost:9/callback'
const ASSERTION = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
export const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const APIS = { orders: ['orders:read'], stock: ['stock:read'] }
const BY = 'bench'

/** Somebody who gets tokens. */
export interface Client {
  readonly id: string
  /** How it shows who it is, in a request to the token endpoint or any like it. */
  proof(): { readonly headers: Record<string, string>; readonly fields: Record<string, string> }
}
export interface Partner extends Client {
  /** The same with the other key of its contract. */
  readonly byOther: Client
  /** Applies its contract again without the key that it uses. */
  withdrawKey(): Promise<void>
}
export interface SignedIn {
  readonly app: Client
  readonly username: string
  readonly personId: string
  readonly browser: ReturnType<typeof createBrowser>
  readonly access: string
  readonly refresh: string
  /** The code that gave them, which is spent. */
  readonly redeem: () => Promise<Answered>
}
export interface Answered {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
}

export type World = Awaited<ReturnType<typeof createWorld>>

/** `house`: as the command line opens it, beside a server or inside it. */
export async function createWorld(issuer: string, house: House) {
  const { apis, catalog, people } = house
  let count = 0
  const next = (what: string) => `${what}-${++count}`

  const api = (id: string, audience: string, format: string, more: object = {}) => ({
    file: `${id}.yaml`,
    text: JSON.stringify({
      ...{ api: id, name: id, audience, policy: 'open', scopes: { [`${id}:read`]: 'Read' } },
      ...{ token: { format, lifetime: '10m' } },
      gateway: { hosts: [HOSTS[audience]], rules: [{ paths: ['/*'], scopes: [`${id}:read`] }] },
      ...more,
    }),
  })
  const exchange = [{ from: 'stock', by: ['service'], scopes: { 'stock:read': ['orders:read'] } }]
  const { problems } = await apis.apply(
    [api('orders', JWT_API, 'jwt', { exchange }), api('stock', OPAQUE_API, 'opaque')],
    { by: BY },
  )
  if (problems.length > 0) throw new Error(JSON.stringify(problems))

  const bySecret = (id: string, secret: string): Client => ({
    id,
    proof: () => ({ headers: { authorization: `Basic ${btoa(`${id}:${secret}`)}` }, fields: {} }),
  })
  async function register(id: string, more: object): Promise<Client> {
    const { clientSecret } = await catalog.apps.register({ id, name: id, policy: 'open', ...more } as never, BY)
    return bySecret(id, clientSecret!)
  }
  const machine = (id: string, more: object = {}) =>
    register(id, { template: 'machine', oidc: { apis: APIS }, ...more })
  const resourceServer = await machine('resource-server', { tags: ['resource-server'] })
  const service = await machine('service', { oidc: { apis: APIS, grant_types: ['client_credentials', EXCHANGE] } })

  async function post(path: string, client: Client, fields: Record<string, string>): Promise<Answered> {
    const proof = client.proof()
    const response = await fetch(`${issuer}/oauth2/${path}`, {
      method: 'POST',
      headers: proof.headers,
      body: new URLSearchParams({ ...fields, ...proof.fields }),
    })
    const text = await response.text()
    return { status: response.status, body: text.startsWith('{') ? JSON.parse(text) : {} }
  }
  async function accessToken(client: Client, fields: Record<string, string>): Promise<string> {
    const { body } = await post('token', client, fields)
    if (typeof body['access_token'] !== 'string') throw new Error(`no token for ${client.id}: ${JSON.stringify(body)}`)
    return body['access_token']
  }

  return {
    issuer,
    house,
    post,
    program: () => machine(next('program')),
    tokenFor: (client: Client, resource: string) => accessToken(client, { grant_type: 'client_credentials', resource }),

    async partner(): Promise<Partner> {
      const id = next('partner')
      const keys = [0, 1].map(() => generateKeyPairSync('ec', { namedCurve: 'P-256' }))
      const apply = async (of: { publicKey: KeyObject }[]) => {
        const text = JSON.stringify({
          ...{ partner: id, name: id, organisation: 'partners/bench', policy: 'open', apis: APIS },
          contacts: [{ name: 'Ann Cole', email: 'ann@partner.example' }],
          authentication: {
            method: 'private_key_jwt',
            jwks: { keys: of.map(({ publicKey }) => publicKey.export({ format: 'jwk' })) },
          },
        })
        const applied = await catalog.partners.apply([{ file: `${id}.yaml`, text }], { by: BY })
        if (applied.problems.length > 0) throw new Error(JSON.stringify(applied.problems))
      }
      await apply(keys)
      const by = ({ privateKey }: { privateKey: KeyObject }): Client => ({
        id,
        proof: () => ({
          headers: {},
          fields: {
            ...{ client_id: id, client_assertion_type: ASSERTION },
            client_assertion: assertionOf(id, issuer, privateKey),
          },
        }),
      })
      const [one, other] = keys.map(by) as [Client, Client]
      return { ...one, byOther: other, withdrawKey: () => apply(keys.slice(1)) }
    },

    /** Somebody new signs in to a new app, agrees, and the app gets tokens for the API, or without one for what it may know of them. */
    async signedIn(resource: string | undefined): Promise<SignedIn> {
      const username = next('person')
      const password = 'a lamp post in the rain'
      const { id: personId } = await people.add({ username, name: username, groups: ['staff'], password }, BY)
      const app = await register(next('shop'), {
        ...{ audience: ['staff'], first_party: false },
        oidc: {
          ...{ redirect_uris: [CALLBACK], scopes: ['openid', 'offline_access'], apis: APIS },
          grant_types: ['authorization_code', 'refresh_token'],
        },
      })
      const verifier = randomBytes(32).toString('base64url')
      const scope = resource === undefined ? 'openid' : `openid ${resource === JWT_API ? 'orders:read' : 'stock:read'}`
      const target: Record<string, string> = resource === undefined ? {} : { resource }
      const asked = new URLSearchParams({
        ...{ client_id: app.id, redirect_uri: CALLBACK, response_type: 'code', scope, ...target, state: 'state' },
        ...{ code_challenge: createHash('sha256').update(verifier).digest('base64url'), code_challenge_method: 'S256' },
      })
      const browser = createBrowser({ stopAt: CALLBACK })
      let page: Page = await browser.open(`${issuer}/oauth2/auth?${asked}`)
      page = await browser.submit(formOf(page, 'identifier'), { username })
      page = await browser.submit(formOf(page, 'password'), { password })
      page = await browser.submit(formOf(page, 'consent'), { answer: 'allow' })
      const code = page.url.searchParams.get('code') ?? ''
      const fields = {
        ...{ grant_type: 'authorization_code', code, redirect_uri: CALLBACK, code_verifier: verifier },
        ...target,
      }
      const redeem = () => post('token', app, fields)
      const { body } = await redeem()
      const { access_token: access, refresh_token: refresh } = body as Record<string, string>
      if (!access || !refresh) throw new Error(`no tokens for ${username}: ${JSON.stringify(body)}`)
      return { app, username, personId, browser, access, refresh, redeem }
    },

    /** What an API that was called with the token gets for the next one. */
    exchanged: (subject: string) =>
      accessToken(service, {
        ...{ grant_type: EXCHANGE, subject_token: subject, resource: JWT_API },
        subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      }),

    /** Whether it opens a call, asked as a gateway asks. */
    async opens(token: string, resource: string): Promise<boolean> {
      const response = await fetch(`${issuer}/authz/api`, {
        headers: {
          'x-forwarded-method': 'GET',
          'x-forwarded-proto': 'https',
          'x-forwarded-host': HOSTS[resource]!,
          'x-forwarded-uri': '/1',
          authorization: `Bearer ${token}`,
        },
      })
      await response.arrayBuffer()
      return response.status === 200
    },
    async tellsOfPerson(token: string): Promise<boolean> {
      const response = await fetch(`${issuer}/oauth2/userinfo`, { headers: { authorization: `Bearer ${token}` } })
      await response.arrayBuffer()
      return response.status === 200
    },
    isActive: async (token: string) => (await post('introspection', resourceServer, { token })).body['active'] === true,
    async refreshes(app: Client, token: string): Promise<Answered> {
      return post('token', app, { grant_type: 'refresh_token', refresh_token: token })
    },
  }
}

function assertionOf(id: string, audience: string, key: KeyObject): string {
  const now = Math.floor(Date.now() / 1000)
  const claims = { iss: id, sub: id, aud: audience, iat: now, exp: now + 60, jti: randomBytes(12).toString('hex') }
  const text = [{ alg: 'ES256', typ: 'JWT' }, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.')
  return `${text}.${sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
}
