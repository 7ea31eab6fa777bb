/** When a registered app is valid: all that a schema cannot say. To add a rule about OIDC: one row in `oidcRules`. */
import { nearest } from '#core/nearest'
import { type AddressUse, addressProblem } from './addresses.ts'
import { type Definition, isMachine, type OidcDefinition } from './app.ts'

/** What is wrong, and where: a path into the manifest. */
export interface Issue {
  readonly path: readonly (string | number)[]
  /** Kebab-case, stable. */
  readonly code: string
  readonly message: string
}

export interface CheckOptions {
  /** The policies there are. Undefined: not known, so not checked. */
  readonly policyNames?: readonly string[] | undefined
}

/** All that a schema cannot say about an app. */
export function* checkDefinition(definition: Definition, options: CheckOptions): Generator<Issue> {
  yield* checkPolicyAndAudience(definition, options)
  const { oidc } = definition
  const addresses: [path: (string | number)[], text: string | undefined, use: AddressUse][] = [
    [['launch_url'], definition.launch_url, 'page'],
    ...oidc.redirect_uris.map(
      (uri, i) => [['oidc', 'redirect_uris', i], uri, 'redirect'] as [string[], string, AddressUse],
    ),
    ...oidc.post_logout_redirect_uris.map(
      (uri, i) => [['oidc', 'post_logout_redirect_uris', i], uri, 'redirect'] as [string[], string, AddressUse],
    ),
    [['oidc', 'backchannel_logout_uri'], oidc.backchannel_logout_uri, 'endpoint'],
    [['oidc', 'jwks_uri'], oidc.jwks_uri, 'endpoint'],
  ]
  for (const [path, text, use] of addresses) {
    const wrong = text === undefined ? undefined : addressProblem(text, use)
    if (wrong) yield { path, code: 'address-unsafe', message: `\`${path.join('.')}\` ${wrong}` }
  }
  for (const [holds, path, code, message] of oidcRules(oidc)) {
    if (!holds) yield { path: ['oidc', ...path], code, message: `\`oidc.${path.join('.')}\` ${message}` }
  }
}

function* checkPolicyAndAudience(definition: Definition, { policyNames }: CheckOptions): Generator<Issue> {
  const { policy, audience } = definition
  if (policy === '')
    yield { path: ['policy'], code: 'policy-missing', message: '`policy` is missing, expected the name of a policy' }
  else if (policyNames && !policyNames.includes(policy)) {
    const near = nearest(policy, policyNames)
    const hint = near ? `; did you mean \`${near}\`?` : ''
    yield { path: ['policy'], code: 'policy-unknown', message: `\`policy\` names no policy: \`${policy}\`${hint}` }
  }
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

type Rule = readonly [holds: boolean, path: readonly (string | number)[], code: string, message: string]

const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'] // RFC 7518 §6.2.2, §6.3.2, §6.4

function oidcRules(oidc: OidcDefinition): readonly Rule[] {
  const method = oidc.token_endpoint_auth_method
  const grants = new Set(oidc.grant_types)
  const code = grants.has('authorization_code')
  const person = code || grants.has('urn:ietf:params:oauth:grant-type:device_code')
  const keys = oidc.jwks?.keys ?? []
  const at = ['token_endpoint_auth_method']
  return [
    [
      code === oidc.redirect_uris.length > 0,
      ['redirect_uris'],
      'redirect-mismatch',
      code ? 'is missing, expected at least one address' : 'stands without the grant `authorization_code`',
    ],
    [
      method !== 'none' || oidc.pkce === 'required',
      ['pkce'],
      'pkce-required',
      'is `optional`, but a public client must use PKCE (RFC 9700 §2.1.1)',
    ],
    [
      method !== 'none' || !grants.has('client_credentials'),
      at,
      'machine-public',
      'is `none`, but `client_credentials` is for confidential clients (RFC 6749 §4.4)',
    ],
    [
      person || !grants.has('refresh_token'),
      ['grant_types'],
      'refresh-alone',
      'has `refresh_token` without a grant by which a person signs in',
    ],
    [person || grants.has('client_credentials'), ['grant_types'], 'grant-missing', 'has no grant that starts anything'],
    [
      person === oidc.scopes.includes('openid'),
      ['scopes'],
      'scope-openid',
      person ? 'lacks `openid`' : 'holds `openid`, but nobody signs in to a machine',
    ],
    [
      !oidc.scopes.includes('offline_access') || grants.has('refresh_token'),
      ['scopes'],
      'scope-offline',
      'holds `offline_access` without the grant `refresh_token`',
    ],
    [
      method !== 'private_key_jwt' || (oidc.jwks === undefined) !== (oidc.jwks_uri === undefined),
      at,
      'keys-missing',
      'is `private_key_jwt`, expected exactly one of `jwks` and `jwks_uri`',
    ],
    [
      method === 'private_key_jwt' || (oidc.jwks ?? oidc.jwks_uri) === undefined,
      at,
      'keys-unused',
      `is \`${method}\`, but there are keys for \`private_key_jwt\``,
    ],
    [
      !keys.some((key) => PRIVATE_MEMBERS.some((member) => member in key)),
      ['jwks'],
      'keys-private',
      'holds a private key; only the public half belongs here',
    ],
  ]
}
