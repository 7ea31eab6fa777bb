/** An app that knows no protocol: a proxy in front of it asks us about each request. */
import { z } from 'zod'
import { coversPattern, isHost, isLoopback, isPathPattern } from '#http'
import { line, list } from '../words.ts'
import { type AppProtocol, present, type Rule } from './protocol.ts'

/** What an app may want to read in a header of its own. */
export const IDENTITY_FIELDS = ['user', 'name', 'email', 'groups'] as const
export type IdentityField = (typeof IDENTITY_FIELDS)[number]

const rule = z.strictObject({
  paths: list(
    z.string().refine(isPathPattern, 'expected a path like `/login`, or `/static/*` for all that is below'),
    100,
  ).refine((paths) => paths.length > 0, 'expected at least one path'),
  methods: list(z.string().regex(/^[A-Z]{1,20}$/, 'expected methods in capitals, like `GET`'), 20)
    .refine((methods) => methods.length > 0, 'expected at least one method')
    .optional()
    .describe('All methods unless given; `GET` is `HEAD` as well'),
  access: z.enum(['public', 'sign-in', 'deny']),
  strength: line.optional().describe('On top of what the policy asks'),
  policy: line.optional().describe("Decides instead of the app's own"),
})

/** In a template its hosts hold placeholders. */
const forwardAuthFields = {
  hosts: list(z.string().max(300), 20).describe('Host names of the app, with the port where it is not the usual one'),
  headers: list(line, 20).describe('Headers in which the app reads the user name; `X-Mail=email` for another field'),
  rules: z
    .array(rule)
    .max(200)
    .describe('The first one that names the path and the method holds; without one, sign-in'),
  upstream: z.string().max(300).describe('Where the proxy reaches the app, for `apps snippet`'),
}

/** Of one kind of request. */
export type AppRule = z.output<typeof rule>

/** The stored form, in the words of a manifest. */
export interface ForwardAuthDefinition {
  readonly hosts: readonly string[]
  readonly headers: readonly string[]
  readonly rules: readonly AppRule[]
  readonly upstream?: string
}

export interface AppForwardAuth {
  readonly hosts: readonly string[]
  /** What the app reads besides the headers that every app gets. */
  readonly headers: readonly { readonly name: string; readonly field: IdentityField }[]
  readonly rules: readonly AppRule[]
  readonly upstream?: string
}

const HOST = /^(.+?)(?::([1-9]\d{0,4}))?$/
// no underscore: servers of apps read `remote_user` and `remote-user` as the same
const HEADER = /^([A-Za-z][A-Za-z0-9-]{0,60})(?:=(\w+))?$/
/** Which mean something to the proxy, or to us. */
const TAKEN =
  /^(?:accept|authorization|connection|content-|cookie$|expect$|forwarded$|host$|keep-alive$|location$|origin$|proxy-|referer$|sec-|set-cookie$|te$|trailer$|transfer-|upgrade|via$|x-forwarded-|x-original-|x-portico-|x-http-method|x-method)/i

/** Where people begin, unless the app says something else. */
export const startOf = ({ hosts: [host] }: ForwardAuthDefinition): string | undefined =>
  host === undefined ? undefined : `${isLoopback(HOST.exec(host)?.[1] ?? '') ? 'http' : 'https'}://${host}/`

/** What a template and a manifest may say. */
export const forwardAuthPart = z.strictObject(forwardAuthFields).partial()

export const forwardAuth: AppProtocol<z.output<typeof forwardAuthPart>, ForwardAuthDefinition, AppForwardAuth> = {
  key: 'forward_auth',
  base: (part, { one, all }) => ({
    hosts: all(part?.hosts),
    headers: part?.headers ?? [],
    rules: part?.rules ?? [],
    ...present({ upstream: one(part?.upstream) }),
  }),
  addresses: () => [],
  rules: ({ hosts, headers, rules, upstream }): Rule[] => [
    [hosts.length > 0, ['hosts'], 'host-missing', 'is missing, expected at least one host name'],
    ...hosts.map(
      (host, i): Rule => [
        isHost(HOST.exec(host)?.[1] ?? '') && !/:(?:80|443)$/.test(host),
        ['hosts', i],
        'host-unsafe',
        'is no host name in lower case, like `wiki.example.com` or `wiki.example.com:8443`',
      ],
    ),
    ...headers.map((header, i): Rule => {
      const [, name, field = 'user'] = HEADER.exec(header) ?? []
      const good = name !== undefined && !TAKEN.test(name) && (IDENTITY_FIELDS as readonly string[]).includes(field)
      return [
        good,
        ['headers', i],
        'header-unsafe',
        `is no header for an app, like \`Auth-User\`, or \`Auth-Mail=email\` for one of ${IDENTITY_FIELDS.join(', ')}`,
      ]
    }),
    [
      upstream === undefined || isUpstream(upstream),
      ['upstream'],
      'upstream-invalid',
      'is no address like `http://10.0.0.5:8080`',
    ],
    ...ruleRules(rules),
  ],
  names: ({ hosts }) => hosts.map((name) => ({ kind: 'host', name })),
  seen: ({ hosts, headers, rules, upstream }) => ({
    hosts,
    headers: headers.map((header) => {
      const [, name, field] = HEADER.exec(header)!
      return { name: name!, field: (field ?? 'user') as IdentityField }
    }),
    rules,
    ...present({ upstream }),
  }),
}

function isUpstream(text: string): boolean {
  const [, host, port] = /^https?:\/\/(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::([1-9]\d{0,4}))?$/.exec(text) ?? []
  return host !== undefined && isHost(host) && (port === undefined || Number(port) <= 65_535)
}

function ruleRules(rules: readonly AppRule[]): Rule[] {
  return rules.flatMap((rule, i): Rule[] => [
    [
      rule.access === 'sign-in' || (rule.strength === undefined && rule.policy === undefined),
      ['rules', i],
      'rule-contradicts',
      `has a strength or a policy, but is \`${rule.access}\`, where nobody is asked`,
    ],
    [
      !rules.slice(0, i).some((earlier) => hides(earlier, rule)),
      ['rules', i],
      'rule-unreachable',
      'never holds: an earlier rule names all its paths and methods; put it before that one',
    ],
  ])
}

/** INVARIANT: with the spelling by which the earlier one is looked for. */
function hides(earlier: AppRule, later: AppRule): boolean {
  const all = later.methods ?? []
  const methods =
    earlier.methods === undefined || (all.length > 0 && all.every((one) => earlier.methods?.includes(one)))
  const exactly = earlier.access === 'public'
  return methods && later.paths.every((inner) => earlier.paths.some((outer) => coversPattern(outer, inner, exactly)))
}
