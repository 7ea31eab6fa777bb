/** What the matrix of `docs/clients.md` is made of: clients that are not ours, what they ask for, and how they show who they are. */

export const GRANTS = {
  code: 'authorization code with PKCE',
  pushed: 'the same, pushed (PAR)',
  signed: 'the same, signed (JAR)',
  answered: 'the same, with a signed answer (JARM)',
  refresh: 'refresh token, a new one each time',
  credentials: 'client credentials',
  device: 'device flow',
  exchange: 'token exchange',
} as const
export const METHODS = {
  client_secret_basic: '`client_secret_basic`',
  client_secret_post: '`client_secret_post`',
  private_key_jwt: '`private_key_jwt`',
  tls_client_auth: '`tls_client_auth`',
  self_signed_tls_client_auth: '`self_signed_tls_client_auth`',
  none: '`none`, with PKCE',
} as const
export const BINDINGS = {
  bearer: 'bearer tokens',
  dpop: 'tokens bound by DPoP',
  mtls: 'tokens bound to a certificate',
} as const

export type Grant = keyof typeof GRANTS
export type Method = keyof typeof METHODS
export type Binding = keyof typeof BINDINGS
export type ClientName = 'openid-client' | 'Authlib' | 'curl'

const all = <K extends string>(of: Readonly<Record<K, string>>) => Object.keys(of) as K[]

interface Abilities {
  readonly grants: readonly Grant[]
  readonly methods: readonly Method[]
  readonly bindings: readonly Binding[]
}

const WITHOUT_JOSE: readonly Grant[] = ['code', 'pushed', 'refresh', 'credentials', 'device', 'exchange']

/** As far as each of them goes: Authlib 1.2 has no DPoP and signs no requests, curl and openssl read no signed answer. */
export const ABILITIES: Readonly<Record<ClientName, Abilities>> = {
  'openid-client': { grants: all(GRANTS), methods: all(METHODS), bindings: all(BINDINGS) },
  Authlib: { grants: WITHOUT_JOSE, methods: all(METHODS), bindings: ['bearer', 'mtls'] },
  curl: { grants: WITHOUT_JOSE, methods: all(METHODS), bindings: ['bearer', 'mtls'] },
}

/** Whoever proves nothing asks for nobody but a person. */
const OF_NOBODY: readonly Grant[] = ['credentials', 'exchange']

export const canDo = (grant: Grant, method: Method): boolean => method !== 'none' || !OF_NOBODY.includes(grant)

/** The id of the app that stands for it; where requests are signed, of one that may not ask otherwise. */
export const appOf = (method: Method, binding: Binding, signs = false): string =>
  `${method.replaceAll('_', '-')}-${binding}${signs ? '-signing' : ''}`

/** Whether it asks where certificates are asked for. */
export const isCertified = (method: Method, binding: Binding): boolean => method.includes('tls_') || binding === 'mtls'

/** A program in the client's words, registered as one app. */
export interface Program {
  begin(how: { pushed?: boolean; signed?: boolean; answered?: boolean }): Promise<Begun>
  refresh(token: string): Promise<Tokens>
  credentials(): Promise<Tokens>
  device(): Promise<{ readonly url: string; finish(): Promise<Tokens> }>
  exchange(token: string): Promise<Tokens>
}

/** `finish` is given where the browser came back. */
export interface Begun {
  readonly url: string
  finish(callback: URL): Promise<Tokens>
}

export interface Tokens {
  readonly access_token: string
  readonly token_type: string
  readonly refresh_token?: string | undefined
  readonly id_token?: string | undefined
}

/** What a program knows of where it is. */
export interface Place {
  readonly issuer: string
  /** With `NAME.pem` and `NAME.key` of the certificates, `ca.pem`, and `signing.pem`, the key of `private_key_jwt`. */
  readonly folder: string
  readonly app: string
  readonly method: Method
  readonly binding: Binding
  readonly secret: string | undefined
}

/** The certificate with which it comes. */
export const certificateOf = ({ method }: Pick<Place, 'method'>): string =>
  method === 'self_signed_tls_client_auth' ? 'self' : 'shop'

export const CALLBACK = 'http://localhost:9/callback'
export const at = (api: string): string => `https://api.kestrel.example/${api}`
export const ORDERS = at('orders')
export const STOCK = at('stock')
export const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
export const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code'
export const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'
export const SCOPE = 'openid email orders:read'
