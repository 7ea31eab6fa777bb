/** Every address of the engine, as we spell it. */
import { Refusal } from '#core/refusal'

interface Address {
  readonly path: RegExp
  readonly methods: readonly string[]
  /** A browser comes along; everything else is between apps and us. */
  readonly browser?: true
}

const PROGRAM = ['POST', 'OPTIONS']
const DOCUMENT = ['GET', 'HEAD', 'OPTIONS']

const ADDRESSES: readonly Address[] = [
  { path: /^\/oauth2\/auth(?:\/[A-Za-z0-9_-]{10,64})?$/, methods: ['GET', 'HEAD'], browser: true },
  { path: /^\/oauth2\/device\/auth$/, methods: PROGRAM },
  { path: /^\/oauth2\/device$/, methods: ['GET', 'HEAD', 'POST'], browser: true },
  { path: /^\/oauth2\/device\/[A-Za-z0-9_-]{10,64}$/, methods: ['GET', 'HEAD'], browser: true },
  { path: /^\/oauth2\/session\/end(?:\/success)?$/, methods: ['GET', 'HEAD'], browser: true },
  { path: /^\/oauth2\/session\/end\/confirm$/, methods: ['POST'], browser: true },
  { path: /^\/oauth2\/(?:token|introspection|revocation|request)$/, methods: PROGRAM },
  { path: /^\/oauth2\/userinfo$/, methods: ['GET', 'HEAD', 'POST', 'OPTIONS'] },
  { path: /^\/oauth2\/jwks$/, methods: DOCUMENT },
  { path: /^\/\.well-known\/(?:openid-configuration|oauth-authorization-server)$/, methods: DOCUMENT },
]

/** OIDC Core §3.1.2.1 and RP-Initiated Logout §2 want these as forms too. */
const FORMS = /^\/oauth2\/(?:auth|session\/end)$/

/**
 * ATTACK: the engine's own router forgives case, a final slash and percent signs. Another spelling of a browser's address
 * would reach it without the session that our bridge shows, so what is not spelled like this does not reach it at all.
 * @throws Refusal `not-found`
 */
export function addressOf(
  method: string,
  path: string,
): { browser: boolean; form: boolean; allow?: readonly string[] } {
  const address = ADDRESSES.find((one) => one.path.test(path))
  if (!address) throw new Refusal('not-found')
  const form = method === 'POST' && FORMS.test(path)
  const wrong = !form && !address.methods.includes(method)
  return { browser: address.browser ?? false, form, ...(wrong ? { allow: address.methods } : {}) }
}
