/**
 * The Access Evaluation API of AuthZEN (Authorization API 1.0 §6, §7), for gateways that ask in its words: may this program do
 * that with this API? Asked by a client with the tag `resource-server`.
 *
 *     subject { type: client, id }   action { name: a scope, or a method }   resource { type: api, id, properties: { path } }
 */
import { z } from 'zod'
import type { Api } from '#apis'
import { isSecretOf } from '#catalog'
import { Refusal } from '#core/refusal'
import { type Answer, json, normaliseAddress, type PageRequest, type Route, readPath, UNKNOWN_ADDRESS } from '#http'
import type { ApiAccessOptions } from './options.ts'
import { type Needs, needsOf } from './rules.ts'
import type { Verdicts } from './verdicts.ts'

const MOST = 100
const properties = z.record(z.string(), z.unknown()).optional()
// §5: what else stands there is for others
const subject = z.object({ type: z.string(), id: z.string(), properties })
const action = z.object({ name: z.string(), properties })
const resource = z.object({ type: z.string(), id: z.string(), properties })
const one = z.object({ subject, action, resource, context: properties })
const many = one.partial().extend({
  evaluations: z.array(one.partial()).max(MOST).optional(),
  options: z
    .object({
      evaluations_semantic: z.enum(['execute_all', 'deny_on_first_deny', 'permit_on_first_permit']).optional(),
    })
    .optional(),
})

type Asked = z.output<typeof one>
type AccessNeeds = Extract<Needs, { access: 'token' }>
interface Decision {
  readonly decision: boolean
  readonly context?: Readonly<Record<string, unknown>>
}

export interface EvaluationRooms extends ApiAccessOptions {
  readonly verdicts: Verdicts
}

const no = (reason: string, more: object = {}): Decision => ({ decision: false, context: { reason, ...more } })

export function createEvaluation(rooms: EvaluationRooms): Route[] {
  const { apis, catalog, clock, verdicts } = rooms

  /** Throws Refusal `token-required`. */
  async function authenticate({ headers }: PageRequest): Promise<void> {
    const sent = /^Basic ([A-Za-z0-9+/]+=*)$/.exec(headers.authorization ?? '')?.[1]
    const [id = '', secret = ''] = Buffer.from(sent ?? '', 'base64')
      .toString('utf8')
      .split(':', 2)
    const app = id === '' ? undefined : await catalog.apps.find(id)
    const may = app?.oidc && app.tags.includes('resource-server') && isSecretOf(app.oidc, secret, clock)
    if (!may) throw new Refusal('token-required', 'no client with the tag resource-server')
  }

  async function decide({ subject, action, resource, context }: Asked): Promise<Decision> {
    const set = await apis.all()
    const api = resource.type === 'api' ? (set.find(resource.id) ?? set.forAudience(resource.id)) : undefined
    if (!api) return no('resource is no API')
    const app = subject.type === 'client' ? await catalog.apps.find(subject.id) : undefined
    const granted = app?.oidc?.apis[api.id]
    if (!app || !granted) return no('subject gets no tokens for this API')
    const needed = neededBy(api, action.name, resource.properties?.['path'])
    if (!needed) return no('action is not one of this API')
    const scopes = granted.filter((word) => api.scopes.has(word))
    const types = needed.types.filter((type) => granted.includes(type))
    const address = normaliseAddress(String(context?.['ip'] ?? '')) ?? UNKNOWN_ADDRESS
    const token = {
      ...{
        id: '',
        client: app.id,
        subject: app.id,
        scopes,
        details: types.map((type) => ({ type })),
        audience: api.audience,
      },
      ...{ issuedAt: clock.now(), expiresAt: clock.now() },
    }
    const judged = await verdicts.of({ api, app, token, address })
    const found = judged.reference === undefined ? {} : { ref: judged.reference }
    if (judged.outcome !== 'allow') return no('policy', found)
    const left = [...scopes, ...types].filter((word) => judged.scopes?.includes(word) ?? true)
    if (!needed.scopes.every((one) => left.includes(one)))
      return no('scope', { scope: needed.scopes.join(' '), ...found })
    if (!needed.types.every((one) => left.includes(one))) return no('authorization details', found)
    return { decision: true, ...(judged.reference === undefined ? {} : { context: found }) }
  }

  async function evaluation(request: PageRequest): Promise<Answer> {
    await authenticate(request)
    return answered(request, await decide(read(one, await request.json())))
  }

  /** §7.1: what stands at the top holds for each that does not say otherwise; without any it is a single question. */
  async function evaluations(request: PageRequest): Promise<Answer> {
    await authenticate(request)
    const { evaluations: list = [], options, ...top } = read(many, await request.json())
    if (list.length === 0) return answered(request, await decide(read(one, top)))
    const semantic = options?.evaluations_semantic ?? 'execute_all'
    const decisions: Decision[] = []
    for (const each of list) {
      const decision = await decide(read(one, { ...top, ...each }))
      decisions.push(decision)
      if (semantic === 'deny_on_first_deny' && !decision.decision) break
      if (semantic === 'permit_on_first_permit' && decision.decision) break
    }
    return answered(request, { evaluations: decisions })
  }

  return [
    { method: 'POST', path: '/access/v1/evaluation', handle: evaluation },
    { method: 'POST', path: '/access/v1/evaluations', handle: evaluations },
  ]
}

/** Undefined: nothing that this API knows, or that a rule opens. */
function neededBy(api: Api, name: string, path: unknown): Pick<AccessNeeds, 'scopes' | 'types'> | undefined {
  if (api.scopes.has(name)) return { scopes: [name], types: [] }
  const read = typeof path === 'string' && path.startsWith('/') ? readPath(path) : undefined
  if (read === undefined || !api.gateway || !/^[A-Z]{1,20}$/.test(name)) return undefined
  const needs = needsOf(api.gateway.rules, { method: name, path: read, uri: read, query: '' }, {})
  if (needs.access === 'deny') return undefined
  return needs.access === 'public' ? { scopes: [], types: [] } : needs
}

/** Throws Refusal `input-invalid`. */
function read<T>(schema: z.ZodType<T>, value: unknown): T {
  const found = schema.safeParse(value)
  if (!found.success) throw new Refusal('input-invalid', found.error.issues[0]?.path.join('.') ?? '')
  return found.data
}

/** §10.1: the id of the question comes back with the answer. */
function answered({ headers }: PageRequest, body: object): Answer {
  const id = headers['x-request-id']
  const answer = json(body)
  const echoed = typeof id === 'string' && /^[\x21-\x7e]{1,200}$/.test(id) ? { 'x-request-id': id } : {}
  return { ...answer, headers: { ...answer.headers, ...echoed, 'cache-control': 'no-store' } }
}
