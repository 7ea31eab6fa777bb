/** A sample app behind a proxy that verifies the gateway's token, but for the one fault that it is given; and the proxy. */
import { compactVerify, createLocalJWKSet, exportSPKI, importJWK, type JSONWebKeySet, type JWTPayload } from 'jose'
import { type Heard, home, type LabApp, type Said, startLabServer } from './server.ts'

/** Each by itself makes one sample app. */
export type ForwardAuthFault =
  | 'believes-remote-user'
  | 'token-if-any'
  | 'open-to-nobody'
  | 'token-unsigned'
  | 'token-of-any-key'
  | 'token-by-hmac'
  | 'token-expired'
  | 'token-of-any-issuer'
  | 'token-for-anybody'
  | 'token-of-any-type'
  | 'name-from-header'

export interface ForwardAuthAppOptions {
  readonly issuer: string
  /** Of the address that people use; its own where there is no proxy. */
  readonly audience?: string
  readonly fault?: ForwardAuthFault
}

const part = (text: string | undefined) => JSON.parse(Buffer.from(text ?? '', 'base64url').toString() || '{}')

export function startForwardAuthApp({ issuer, audience, fault }: ForwardAuthAppOptions): Promise<LabApp> {
  const has = (...faults: ForwardAuthFault[]) => fault !== undefined && faults.includes(fault)

  async function verified(token: string): Promise<JWTPayload> {
    const [head, payload] = token.split('.')
    const header = part(head) as { alg: string; typ: string }
    const claims = part(payload) as JWTPayload
    const keys = (await (await fetch(`${issuer}/oauth2/jwks`)).json()) as JSONWebKeySet
    if (header.typ !== 'portico-forward-auth+jwt' && !has('token-of-any-type')) throw new Error('typ')
    if (header.alg === 'none' && has('token-unsigned')) return claims
    if (header.alg === 'RS256' && has('token-of-any-key')) return claims
    if (header.alg === 'HS256' && has('token-by-hmac')) {
      const pem = await exportSPKI((await importJWK(keys.keys[0]!, 'RS256')) as CryptoKey)
      const tries = [pem.trim(), `${pem.trim()}\n`].map((text) => compactVerify(token, Buffer.from(text)))
      await Promise.any(tries)
      return claims
    }
    await compactVerify(token, createLocalJWKSet(keys), { algorithms: ['RS256'] })
    return claims
  }

  async function whoIs({ headers }: Heard, origin: string): Promise<string | undefined> {
    const said = headers['remote-name'] === undefined ? undefined : String(headers['remote-name'])
    const token = headers['x-portico-jwt']
    if (has('believes-remote-user') || (token === undefined && has('token-if-any'))) return said
    if (typeof token !== 'string') return undefined
    const claims = await verified(token)
    const good =
      (claims.iss === issuer || has('token-of-any-issuer')) &&
      (claims.aud === (audience ?? origin) || has('token-for-anybody')) &&
      ((claims.exp ?? 0) > Date.now() / 1000 || has('token-expired'))
    if (!good) return undefined
    return has('name-from-header') ? said : String(claims['name'])
  }

  return startLabServer(async (heard, origin): Promise<Said> => {
    if (heard.url.pathname !== '/') return { status: 404 }
    const name = await whoIs(heard, origin)
    return name === undefined && has('open-to-nobody') ? { body: '<h1>Sample</h1><p>Hello</p>' } : home(name)
  })
}

export type ProxyFault = 'asks-nobody' | 'passes-headers' | 'passes-twins'

/** In front of it, for somebody who has not signed in: asks nobody, or sends them to sign in. */
export const startLabProxy = (app: () => LabApp, fault?: ProxyFault): Promise<LabApp> =>
  startLabServer(async ({ headers }) => {
    const twin = headers['remote_name']
    const said = fault === 'passes-headers' ? headers['remote-name'] : fault === 'passes-twins' ? twin : undefined
    if (fault !== 'asks-nobody' && said === undefined) return { location: 'https://id.example.com/signin' }
    const answer = await fetch(app().origin, { headers: said === undefined ? {} : { 'remote-name': String(said) } })
    return { status: answer.status === 401 ? 200 : answer.status, body: await answer.text() }
  })
