/**
 * A partner's contract: one file, one client. It becomes an app, so that nothing else has to know of partners; what only a
 * contract says is the app's `partner` part.
 */
import { createPublicKey } from 'node:crypto'
import { isIP } from 'node:net'
import { z } from 'zod'
import type { Definition } from '../app.ts'
import type { Manifest } from '../manifest.ts'
import { federatedFields } from '../protocols/client-federated.ts'
import { profileFields } from '../protocols/client-profile.ts'
import { proofFields } from '../protocols/client-proof.ts'
import { jwksShape, type OidcDefinition, TOKEN_ENDPOINT_AUTH_METHODS } from '../protocols/oidc-definition.ts'
import { present } from '../protocols/protocol.ts'
import { line, list, scope, slug } from '../words.ts'
import { type PartnerDefinition, parseRate } from './partner.ts'

const MOST_NETWORKS = 200
const MOST_APIS = 50

/** A range whose address has bits behind its length is a slip: nobody knows whether one address or all were meant. */
const network = z.string().refine((text) => {
  const [ip = '', bits, ...rest] = text.split('/')
  const version = isIP(ip)
  if (version === 0 || rest.length > 0 || ip.includes('%')) return false
  const most = version === 4 ? 32 : 128
  if (bits === undefined) return true
  return /^(?:0|[1-9]\d{0,2})$/.test(bits) && Number(bits) <= most && isFirst(ip, Number(bits), version)
}, 'expected an address, or a network by its first address and length, like `203.0.113.0/24`')

function isFirst(ip: string, bits: number, version: number): boolean {
  if (version === 4) return numberOf(ip.split('.').map(Number), 8n) % (1n << BigInt(32 - bits)) === 0n
  const plain = URL.parse(`http://[${ip}]`)!.hostname.slice(1, -1)
  const [front = '', back] = plain.split('::')
  const groups = (text: string | undefined) => (text ? text.split(':').map((one) => Number.parseInt(one, 16)) : [])
  const zeros = 8 - groups(front).length - groups(back).length
  const all = back === undefined ? groups(front) : [...groups(front), ...Array(zeros).fill(0), ...groups(back)]
  return numberOf(all, 16n) % (1n << BigInt(128 - bits)) === 0n
}

const numberOf = (parts: readonly number[], size: bigint): bigint =>
  parts.reduce((sum, part) => (sum << size) + BigInt(part), 0n)

const rate = z
  .string()
  .refine((text) => parseRate(text) !== undefined, 'expected so many within a time up to `1d`, like `600/1m`')

const day = z.string().refine((text) => {
  const at = /^\d{4}-\d\d-\d\d$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : Number.NaN
  return !Number.isNaN(at) && new Date(at).toISOString().startsWith(text)
}, 'expected a day like `2027-06-30`')

/** RFC 5322 has more; what people write to each other has not. */
const mail = z.string().regex(/^[^\s@<>"]{1,64}@[^\s@<>"]{1,190}$/, 'expected a mail address')

const METHODS = TOKEN_ENDPOINT_AUTH_METHODS.filter((method) => method !== 'none') as [
  Exclude<OidcDefinition['token_endpoint_auth_method'], 'none'>,
]

/** What a client proves besides, in the words of an app. */
const PROOFS = z.strictObject({
  ...proofFields,
  dpop_bound_access_tokens: z.boolean(),
  ...federatedFields,
  profile: profileFields.profile,
})
export const PROOF_KEYS = Object.keys(PROOFS.shape) as (keyof typeof PROOFS.shape)[]

/** Of an app or a contract, what it proves. */
const proofsOf = (
  from: Partial<Record<(typeof PROOF_KEYS)[number], unknown>>,
): z.output<ReturnType<typeof PROOFS.partial>> =>
  Object.fromEntries(PROOF_KEYS.filter((key) => from[key] !== undefined).map((key) => [key, from[key]]))

export const contractSchema = z.strictObject({
  partner: slug.describe('Its name in commands, policies and tokens: the client id'),
  name: line,
  organisation: z
    .string()
    .regex(/^(?:[\p{L}\p{N}._-]+\/)*[\p{L}\p{N}._-]+$/u, 'expected a path like `partners/acme`')
    .max(200)
    .describe('Where it stands in the tree, for `client.organisation`'),
  contacts: z
    .array(z.strictObject({ name: line, email: mail }))
    .min(1)
    .max(20)
    .describe('Whom to call, the first one first'),
  policy: line.optional().describe('By default that of its APIs, where they all have the same'),
  authentication: z.strictObject({
    method: z.enum(METHODS),
    jwks: jwksShape.optional(),
    jwks_uri: z.string().optional(),
    allow_secret: line.optional().describe('Why this partner may use a secret, which can be copied'),
    ...PROOFS.partial().shape,
  }),
  networks: list(network, MOST_NETWORKS)
    .min(1)
    .optional()
    .describe('Where its requests come from; without it, anywhere'),
  apis: z
    .record(slug, list(scope, 200))
    .refine((apis) => Object.keys(apis).length > 0, 'expected at least one')
    .refine((apis) => Object.keys(apis).length <= MOST_APIS, `expected at most ${MOST_APIS}`)
    .describe('Each with the scopes that it may have'),
  quota: z.strictObject({ tokens: rate.optional(), calls: rate.optional() }).optional(),
  expires: day.optional().describe('The last day on which it gets tokens, by UTC'),
})

/** A contract as it is read from a file. */
export type Contract = z.output<typeof contractSchema>

/** The contract as an app. `policy`: where the contract names none. */
export function toManifest(contract: Contract, policy: string | undefined): Manifest {
  const { partner: id, name, organisation, authentication, apis } = contract
  const { method, jwks, jwks_uri } = authentication
  const named = contract.policy ?? policy
  return {
    id,
    name,
    organisation,
    ...(named !== undefined && { policy: named }),
    tags: ['partner'],
    tier: 'standard',
    oidc: {
      scopes: [],
      grant_types: ['client_credentials'],
      token_endpoint_auth_method: method,
      ...present({ jwks, jwks_uri }),
      ...proofsOf(authentication),
      apis,
    },
  }
}

/** What an app has no words for. */
export const partnerPart = ({ contacts, authentication, networks, quota, expires }: Contract): PartnerDefinition => ({
  contacts,
  ...present({ allow_secret: authentication.allow_secret, networks, quota, expires }),
})

/** A public key that this machine can use, and that is long enough (NIST SP 800-131A: 2048 bits of RSA). */
export function keyProblem(key: Readonly<Record<string, unknown>>): string | undefined {
  try {
    const { asymmetricKeyDetails, asymmetricKeyType } = createPublicKey({ key, format: 'jwk' })
    const short = asymmetricKeyType === 'rsa' && (asymmetricKeyDetails?.modulusLength ?? 0) < 2048
    return short ? 'is shorter than 2048 bits' : undefined
  } catch {
    return 'is not a public key in the form of a JWK (RFC 7517)'
  }
}

/** The way back: the contract of which applying changes nothing. `policy`: what it would have without naming one. */
export function toContract(definition: Definition, policy: string | undefined): z.input<typeof contractSchema> {
  const { id, name, organisation = '', partner, oidc } = definition
  const { contacts, allow_secret, networks, quota, expires } = partner!
  const { token_endpoint_auth_method: method, jwks, jwks_uri, apis = {} } = oidc!
  return {
    partner: id,
    name,
    organisation,
    contacts: [...contacts],
    ...(definition.policy !== policy && { policy: definition.policy }),
    authentication: {
      method,
      ...present({ jwks, jwks_uri, allow_secret }),
      ...proofsOf(oidc!),
    } as Contract['authentication'],
    ...(networks && { networks: [...networks] }),
    apis: Object.fromEntries(Object.entries(apis).map(([api, scopes]) => [api, [...scopes]])),
    ...present({ quota, expires }),
  }
}
