/** When a registered app is valid: all that a schema cannot say. What only one protocol has to say stands in `protocols/`. */
import { nearest } from '#core/nearest'
import { type AddressUse, addressProblem } from './addresses.ts'
import { type Definition, isMachine } from './app.ts'
import { PROTOCOLS } from './protocols/list.ts'
import type { AppProtocol, Path } from './protocols/protocol.ts'

/** What is wrong, and where: a path into the manifest. */
export interface Issue {
  readonly path: readonly (string | number)[]
  /** Kebab-case, stable. */
  readonly code: string
  readonly message: string
}

/** Those in force. Undefined: not known, so not checked. */
export type PolicyNames = () => readonly string[] | undefined | Promise<readonly string[] | undefined>

export interface CheckOptions {
  /** The policies there are. Undefined: not known, so not checked. */
  readonly policyNames?: readonly string[] | undefined
}

/** All that a schema cannot say about an app. */
export function* checkDefinition(definition: Definition, options: CheckOptions): Generator<Issue> {
  yield* checkPolicyAndAudience(definition, options)
  if (definition.launch_url !== undefined) yield* checkAddress(['launch_url'], definition.launch_url, 'page')
  const { oidc, saml, forward_auth } = definition
  if (!(oidc ?? saml ?? forward_auth))
    yield { path: [], code: 'protocol-missing', message: 'expected one of `oidc`, `saml` and `forward_auth`' }
  if (oidc) yield* checkProtocol(PROTOCOLS.oidc, oidc)
  if (saml) yield* checkProtocol(PROTOCOLS.saml, saml)
  // neither has words for what somebody agrees to: better no app than one that nobody is asked about
  const silent = saml ? 'SAML' : forward_auth ? 'a proxy' : undefined
  if (silent && !definition.first_party)
    yield {
      path: ['first_party'],
      code: 'consent-unsupported',
      message: `\`first_party\` is false, but nobody can be asked for consent by ${silent}`,
    }
  if (!forward_auth) return
  yield* checkProtocol(PROTOCOLS.forward_auth, forward_auth)
  for (const [i, { policy }] of forward_auth.rules.entries())
    if (policy !== undefined) yield* checkPolicy(['forward_auth', 'rules', i, 'policy'], policy, options)
}

function* checkProtocol<Stored extends object>(
  { key, addresses, rules }: Pick<AppProtocol<never, Stored, unknown>, 'key' | 'addresses' | 'rules'>,
  stored: Stored,
): Generator<Issue> {
  for (const { path, text, use } of addresses(stored)) yield* checkAddress([key, ...path], text, use)
  for (const [holds, path, code, message] of rules(stored))
    if (!holds) yield { path: [key, ...path], code, message: `\`${key}.${path.join('.')}\` ${message}` }
}

function* checkAddress(path: Path, text: string, use: AddressUse): Generator<Issue> {
  const wrong = addressProblem(text, use)
  if (wrong) yield { path, code: 'address-unsafe', message: `\`${path.join('.')}\` ${wrong}` }
}

function* checkPolicy(path: Path, policy: string, { policyNames }: CheckOptions): Generator<Issue> {
  if (!policyNames || policyNames.includes(policy)) return
  const near = nearest(policy, policyNames)
  const hint = near ? `; did you mean \`${near}\`?` : ''
  const message = `\`${path.join('.')}\` names no policy: \`${policy}\`${hint}`
  yield { path, code: 'policy-unknown', message }
}

function* checkPolicyAndAudience(definition: Definition, options: CheckOptions): Generator<Issue> {
  const { policy, audience } = definition
  if (policy === '')
    yield { path: ['policy'], code: 'policy-missing', message: '`policy` is missing, expected the name of a policy' }
  else yield* checkPolicy(['policy'], policy, options)
  if (isMachine(definition)) {
    if (audience.length > 0)
      yield {
        path: ['audience'],
        code: 'audience-unused',
        message: '`audience` stands on a machine, to which nobody signs in',
      }
  } else if (audience.length === 0) {
    yield {
      path: ['audience'],
      code: 'audience-missing',
      message: "`audience` is missing, expected groups (or `'*'` for everybody who has signed in)",
    }
  } else if (audience.includes('*') && audience.length > 1) {
    yield { path: ['audience'], code: 'audience-ambiguous', message: "`audience` holds `'*'` next to groups" }
  }
}
