/** Every address of the engine, as we spell it. */
import { Refusal } from '#core/refusal'

interface Address {
  readonly methods: readonly string[]
  /** A browser comes along; everything else is between apps and us. */
  readonly browser?: true
  /** OIDC Core §3.1.2.1 and RP-Initiated Logout §2 want these as forms too. */
  readonly form?: true
  /** Asked so often that usual requests have a short way (`short-ways/`). */
  readonly short?: 'token' | 'introspection'
  /** The same, for somebody signed in who opens an app (`short-ways/sign-on.ts`). */
  readonly opens?: true
  /** Published for everybody, the same for everybody. */
  readonly document?: true
}

const LOOK = ['GET', 'HEAD']
const PROGRAM: Address = { methods: ['POST', 'OPTIONS'] }
const DOCUMENT: Address = { methods: [...LOOK, 'OPTIONS'], document: true }

const ADDRESSES: ReadonlyMap<string, Address> = new Map([
  ['/oauth2/auth', { methods: LOOK, browser: true, form: true, opens: true }],
  ['/oauth2/token', { ...PROGRAM, short: 'token' }],
  ['/oauth2/userinfo', { methods: [...LOOK, 'POST', 'OPTIONS'] }],
  ['/oauth2/introspection', { ...PROGRAM, short: 'introspection' }],
  ['/oauth2/revocation', PROGRAM],
  ['/oauth2/request', PROGRAM],
  ['/oauth2/device/auth', PROGRAM],
  ['/oauth2/ciba', PROGRAM],
  ['/oauth2/device', { methods: [...LOOK, 'POST'], browser: true }],
  ['/oauth2/session/end', { methods: LOOK, browser: true, form: true }],
  ['/oauth2/session/end/success', { methods: LOOK, browser: true }],
  ['/oauth2/session/end/confirm', { methods: ['POST'], browser: true }],
  ['/oauth2/jwks', DOCUMENT],
  ['/.well-known/openid-configuration', DOCUMENT],
  ['/.well-known/oauth-authorization-server', DOCUMENT],
])
export const DOCUMENTS: ReadonlySet<string> = new Set(
  [...ADDRESSES].flatMap(([path, { document }]) => (document ? [path] : [])),
)

/** Back from a conversation. */
const RESUMED: Address = { methods: LOOK, browser: true }
const RESUME = /^\/oauth2\/(?:auth|device)\/([A-Za-z0-9_-]{10,64})$/

export interface Reached extends Pick<Address, 'browser' | 'document' | 'short' | 'opens'> {
  /** Of the errand that the browser comes back from. */
  readonly resumes?: string
  /** A form that asks the same as the address with its fields as query. */
  readonly form: boolean
  /** Where the method is none of these. */
  readonly allow?: readonly string[]
}

/**
 * ATTACK: the engine's own router forgives case, a final slash and percent signs. Another spelling of a browser's address
 * would reach it without the session that our bridge shows, so what is not spelled like this does not reach it at all.
 * @throws Refusal `not-found`
 */
export function addressOf(method: string, path: string): Reached {
  const exact = ADDRESSES.get(path)
  const resumes = exact ? undefined : RESUME.exec(path)?.[1]
  if (!exact && resumes === undefined) throw new Refusal('not-found')
  const { browser, document, short, opens, form, methods } = exact ?? RESUMED
  const asForm = method === 'POST' && form === true
  const wrong = !asForm && !methods.includes(method)
  return {
    ...(browser ? { browser } : {}),
    ...(document ? { document } : {}),
    ...(short ? { short } : {}),
    ...(opens ? { opens } : {}),
    ...(resumes === undefined ? {} : { resumes }),
    form: asForm,
    ...(wrong ? { allow: methods } : {}),
  }
}
