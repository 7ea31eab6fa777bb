/** How an API stands behind a gateway: its hosts, and which call needs which scopes. What no rule names is closed. */
import { z } from 'zod'
import { parseDuration } from '#core/duration'
import { nearest } from '#core/nearest'
import { coversPattern, isHost, isPathPattern } from '#http'

const HOST = /^(.+?)(?::([1-9]\d{0,4}))?$/
const UPSTREAM = /^https?:\/\/(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::([1-9]\d{0,4}))?$/

const host = z.string().refine((text) => {
  const [, name = ''] = HOST.exec(text) ?? []
  return isHost(name) && !/:(?:80|443)$/.test(text)
}, 'expected a host name in lower case, like `api.example.com` or `api.example.com:8443`')

const upstream = z.string().refine((text) => {
  const [, name, port] = UPSTREAM.exec(text) ?? []
  return name !== undefined && isHost(name) && (port === undefined || Number(port) <= 65_535)
}, 'expected an address like `http://10.0.0.5:8080`')

const rule = z
  .strictObject({
    paths: z
      .array(z.string().refine(isPathPattern, 'expected a path like `/orders`, or `/orders/*` for all that is below'))
      .min(1)
      .max(100),
    methods: z
      .array(z.string().regex(/^[A-Z]{1,20}$/, 'expected methods in capitals, like `GET`'))
      .min(1)
      .max(20)
      .optional()
      .describe('All methods unless given; `GET` is `HEAD` as well'),
    scopes: z.array(z.string()).min(1).max(20).optional().describe('A token needs all of them'),
    authorization_details: z
      .array(z.string())
      .min(1)
      .max(20)
      .optional()
      .describe('Types (RFC 9396): a token needs details of all of them'),
    access: z.enum(['public', 'deny']).optional().describe('Instead of these: for everybody, or for nobody'),
    acr: z
      .array(z.string().min(1).max(100))
      .min(1)
      .max(10)
      .optional()
      .describe('Strengths: the person signed in by one of them for the token (RFC 9470)'),
    max_age: z
      .string()
      .refine((text) => (parseDuration(text) ?? 0) >= 1000, 'expected a duration of at least `1s`')
      .optional()
      .describe('So long ago, at most, the person signed in for the token (RFC 9470)'),
  })
  .refine(
    ({ scopes, authorization_details: types, access }) => ((scopes ?? types) === undefined) !== (access === undefined),
    'expected `access`, or `scopes` or `authorization_details`',
  )
  .refine(
    ({ access, acr, max_age }) => access === undefined || (acr ?? max_age) === undefined,
    'expected `acr` and `max_age` without `access` only',
  )

export const gatewaySchema = z.strictObject({
  hosts: z.array(host).min(1).max(20).describe('With the port where it is not the usual one'),
  upstream: upstream.optional().describe('Where the proxy reaches the API, for `apis snippet`'),
  networks: z
    .array(z.string().min(1).max(100))
    .min(1)
    .max(50)
    .optional()
    .describe('Named networks of the policies: calls come from one of them'),
  rules: z.array(rule).min(1).max(200).describe('The first one that names the path and the method holds'),
})

export type GatewayFile = z.output<typeof gatewaySchema>
export type GatewayRule = z.output<typeof rule>

export interface ApiGateway {
  readonly hosts: readonly string[]
  readonly upstream: string
  /** Absent: from anywhere that the policy lets in. */
  readonly networks?: readonly string[]
  readonly rules: readonly GatewayRule[]
}

const UPSTREAM_UNSAID = 'http://127.0.0.1:8080'

export const toGateway = ({ hosts, upstream = UPSTREAM_UNSAID, networks, rules }: GatewayFile): ApiGateway =>
  Object.freeze({ hosts, upstream, rules, ...(networks && { networks }) })

export interface GatewayProblem {
  readonly path: readonly (string | number)[]
  readonly code:
    | 'scope-unknown'
    | 'type-unknown'
    | 'rule-unreachable'
    | 'network-unknown'
    | 'network-unusable'
    | 'strength-unknown'
  readonly message: string
}

/** What the policies have names for. */
export interface InForce {
  readonly names: readonly string[]
  readonly strengths: readonly string[]
  readonly zones: ReadonlyMap<string, { readonly countries?: ReadonlySet<string> }>
}

const meant = (name: string, known: Iterable<string>): string => {
  const near = nearest(name, known)
  return near === undefined ? '' : `; did you mean \`${near}\`?`
}

/** ATTACK: what names nothing lets nobody in, or asks for what nobody can give; whoever mends that in a hurry takes it out. */
export function unknownNames({ networks = [], rules }: GatewayFile, { zones, strengths }: InForce): GatewayProblem[] {
  const ofNetworks = networks.flatMap((name, i): GatewayProblem[] => {
    const path = ['gateway', 'networks', i]
    const zone = zones.get(name)
    if (!zone) {
      const message = `\`gateway.networks\` names no network of the policies: \`${name}\`${meant(name, zones.keys())}`
      return [{ path, code: 'network-unknown', message }]
    }
    if (zone.countries === undefined) return []
    const message = `\`${name}\` is a network of countries, and a gateway compares addresses; a policy can ask for it`
    return [{ path, code: 'network-unusable', message }]
  })
  const ofRules = rules.flatMap(({ acr = [] }, i) =>
    acr.flatMap((name, k): GatewayProblem[] => {
      if (strengths.includes(name)) return []
      const message = `\`acr\` names no strength: \`${name}\`${meant(name, strengths)}`
      return [{ path: ['gateway', 'rules', i, 'acr', k], code: 'strength-unknown', message }]
    }),
  )
  return [...ofNetworks, ...ofRules]
}

/** What is wrong with rules that are sound one by one. */
export function gatewayProblems(
  { rules }: GatewayFile,
  known: { readonly scopes: object; readonly types: object },
): GatewayProblem[] {
  return rules.flatMap((rule, i): GatewayProblem[] => {
    const path = ['gateway', 'rules', i] as const
    const unknown = rule.scopes?.find((scope) => !Object.hasOwn(known.scopes, scope))
    if (unknown !== undefined) {
      const message = `\`scopes\` names \`${unknown}\`, which is none of this API`
      return [{ path: [...path, 'scopes'], code: 'scope-unknown', message }]
    }
    const type = rule.authorization_details?.find((one) => !Object.hasOwn(known.types, one))
    if (type !== undefined) {
      const message = `\`authorization_details\` names \`${type}\`, which is no type of this API`
      return [{ path: [...path, 'authorization_details'], code: 'type-unknown', message }]
    }
    if (!rules.slice(0, i).some((earlier) => hides(earlier, rule))) return []
    const message = 'never holds: an earlier rule names all its paths and methods; put it before that one'
    return [{ path, code: 'rule-unreachable', message }]
  })
}

/** INVARIANT: with the spelling by which the earlier one is looked for. */
function hides(earlier: GatewayRule, later: GatewayRule): boolean {
  const all = later.methods ?? []
  const methods =
    earlier.methods === undefined || (all.length > 0 && all.every((one) => earlier.methods!.includes(one)))
  const exactly = earlier.access === 'public'
  return methods && later.paths.every((inner) => earlier.paths.some((outer) => coversPattern(outer, inner, exactly)))
}
