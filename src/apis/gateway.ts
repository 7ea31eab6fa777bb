/** How an API stands behind a gateway: its hosts, and which call needs which scopes. What no rule names is closed. */
import { z } from 'zod'
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
  })
  .refine(
    ({ scopes, authorization_details: types, access }) => ((scopes ?? types) === undefined) !== (access === undefined),
    'expected `access`, or `scopes` or `authorization_details`',
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
  readonly code: 'scope-unknown' | 'type-unknown' | 'rule-unreachable'
  readonly message: string
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
