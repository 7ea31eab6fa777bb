/** A registered app: what the other rooms see, and what is stored. */
import type { Instant } from '#core/clock'
import { type AppPartner, type PartnerDefinition, toPartner } from './partners/partner.ts'
import { type AppForwardAuth, type ForwardAuthDefinition, startOf } from './protocols/forward-auth.ts'
import { PROTOCOLS } from './protocols/list.ts'
import type { AppOidc, OidcDefinition } from './protocols/oidc-definition.ts'
import { type AppName, present } from './protocols/protocol.ts'
import type { AppSaml, SamlDefinition } from './protocols/saml.ts'
import type { ClientSecrets } from './secrets.ts'

export interface App {
  readonly id: string
  readonly name: string
  /** The slug of the template it was made from. */
  readonly template?: string
  /** The name of the policy that decides who gets in. */
  readonly policy: string
  /** Groups; `['*']` is everybody who has signed in; `[]` nobody, which only a machine has. */
  readonly audience: readonly string[]
  readonly tags: readonly string[]
  readonly tier: string
  /** Who answers for it in the organisation, as the administrator wrote it. */
  readonly owner?: string
  /** The organisation that it belongs to, where rules ask for that of programs. */
  readonly organisation?: string
  readonly launchUrl?: string
  /** First-party apps skip consent. */
  readonly firstParty: boolean
  /** The protocols that it speaks: at least one. */
  readonly oidc?: AppOidc
  readonly saml?: AppSaml
  readonly forwardAuth?: AppForwardAuth
  /** It is a partner's, and came from a contract. */
  readonly partner?: AppPartner
  /** Nobody registered it: its id is the address of a document in which it says what it is. */
  readonly document?: true
  readonly inputs: Readonly<Record<string, string>>
  /** Since when it counts as tried: a green probe for each of its protocols. Undefined: it does not. */
  readonly greenSince?: Instant
  readonly createdAt: Instant
  readonly changedAt: Instant
  /** When anybody was let in to it for the first time, as far as this object knows. */
  readonly firstOpenedAt?: Instant
  /** Until then the secret before the present one is taken too; may be over. */
  readonly previousSecretUntil?: Instant
  /** Tokens that were issued before are over. */
  readonly tokensFrom?: Instant
}

/** The stored form, in the words of a manifest. Complete: nothing of it depends on a template any more. */
export interface Definition {
  readonly id: string
  readonly template?: string
  readonly inputs: Readonly<Record<string, string>>
  readonly name: string
  readonly policy: string
  readonly audience: readonly string[]
  readonly tags: readonly string[]
  readonly tier: string
  readonly owner?: string
  readonly organisation?: string
  readonly launch_url?: string
  readonly first_party: boolean
  readonly oidc?: OidcDefinition
  readonly saml?: SamlDefinition
  readonly forward_auth?: ForwardAuthDefinition
  readonly partner?: PartnerDefinition
  readonly document?: true
}

/** The times of a registered app, as they are stored beside it. */
type Times = Pick<
  App,
  'createdAt' | 'changedAt' | 'firstOpenedAt' | 'previousSecretUntil' | 'tokensFrom' | 'greenSince'
> & {
  readonly endedAt?: Instant
}

/** Whether the app holds a secret that both sides know. */
export const hasSecret = ({ oidc }: Definition): boolean =>
  oidc?.token_endpoint_auth_method.startsWith('client_secret_') ?? false

const FOR_PROGRAMS: ReadonlySet<string> = new Set([
  'client_credentials',
  'urn:ietf:params:oauth:grant-type:token-exchange',
])

/** A machine gets tokens for itself, or shows one that it was called with: no person ever signs in to it. */
export const isMachine = ({ oidc, saml, forward_auth }: Definition): boolean =>
  oidc !== undefined &&
  (saml ?? forward_auth) === undefined &&
  oidc.grant_types.every((grant) => FOR_PROGRAMS.has(grant))

/** By what it is named outside. */
export const namesOf = ({ saml, forward_auth }: Definition): AppName[] => [
  ...(saml ? PROTOCOLS.saml.names(saml) : []),
  ...(forward_auth ? PROTOCOLS.forward_auth.names(forward_auth) : []),
]

const frozen = <T extends object>(value: T): T => {
  for (const inner of Object.values(value)) if (typeof inner === 'object' && inner !== null) frozen(inner)
  return Object.freeze(value)
}

/** The stored form as other rooms see it, frozen all the way down. */
export function toApp(definition: Definition, { endedAt, ...times }: Times, secrets?: ClientSecrets): App {
  const { id, oidc, saml, forward_auth, partner, document } = definition
  return frozen({
    id,
    name: definition.name,
    ...(definition.template !== undefined && { template: definition.template }),
    policy: definition.policy,
    audience: definition.audience,
    tags: definition.tags,
    tier: definition.tier,
    ...present({ owner: definition.owner, organisation: definition.organisation }),
    ...present({ launchUrl: definition.launch_url ?? (forward_auth && startOf(forward_auth)) }),
    firstParty: definition.first_party,
    ...(oidc && { oidc: PROTOCOLS.oidc.seen(oidc, id, secrets) }),
    ...(saml && { saml: PROTOCOLS.saml.seen(saml, id) }),
    ...(forward_auth && { forwardAuth: PROTOCOLS.forward_auth.seen(forward_auth, id) }),
    ...(partner && { partner: toPartner(partner, endedAt) }),
    ...(document && { document }),
    inputs: definition.inputs,
    ...times,
  })
}
