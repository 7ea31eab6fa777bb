/**
 * The Access Evaluation API of AuthZEN (OpenID AuthZEN Authorization API 1.0 §6, §7, §9), for gateways that ask in its words: may this program do
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
import { type Needs, needsOf, type SignIn } from './rules.ts'
import type { Verdicts } from './verdicts.ts'

const MOST = 100
const properties = z.record(z.string(), z.unknown()).optional()
// §5: what else stands there is for others
const subject = z.object({ type: z.string(), id: z.string(), properties })
const action = z.object({ name: z.string(), properties })
const resource = z.object({ type: z.string(), id: z.string(), properties })
const one = z.object({ subject, action, resource, context: properties })
const many = one.partial().extend({
  // each by itself: what is wrong with one is not the fault of the others
  evaluations: z.array(z.unknown()).max(MOST).optional(),
  options: z
    .object({
      evaluations_semantic: z.enum(['execute_all', 'deny_on_first_deny', 'permit_on_first_permit']).optional(),
    })
    .optional(),
})

type Asking = z.output<typeof many>
type Asked = z.output<typeof one>
type AccessNeeds = Extract<Needs, { access: 'token' }>
interface Decision {
  readonly decision: boolean
  readonly context?: Readonly<Record<string, unknown>>
}

export interface EvaluationRooms extends ApiAccessOptions {
  readonly verdicts: Verdicts
}

/** §5.5.2, in the words of RFC 9470 §3. */
const toldAs = ({ acr, maxAge }: SignIn) => ({
  ...(acr ? { acr_values: acr.join(' ') } : {}),
  ...(maxAge === undefined ? {} : { max_age: maxAge }),
})

const no = (reason: string, more: object = {}): Decision => ({ decision: false, context: { reason, ...more } })

export function createEvaluation(rooms: EvaluationRooms): Route[] {
  const { apis, catalog, clock, issuer, verdicts } = rooms

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
    // a program signs nobody in: for that call it needs the token of a person
    const [signIn] = needed.signIns
    if (signIn) return no('sign-in', { ...found, ...toldAs(signIn) })
    const left = [...scopes, ...types].filter((word) => judged.scopes?.includes(word) ?? true)
    if (!needed.scopes.every((one) => left.includes(one)))
      return no('scope', { scope: needed.scopes.join(' '), ...found })
    if (!needed.types.every((one) => left.includes(one))) return no('authorization details', found)
    return { decision: true, ...(judged.reference === undefined ? {} : { context: found }) }
  }

  /** §7.1: what stands at the top holds for each that does not say otherwise; without any it is a single question. */
  async function evaluations({ evaluations: list = [], options, ...top }: Asking): Promise<object> {
    if (list.length === 0) return decide(read(one, top))
    const semantic = options?.evaluations_semantic ?? 'execute_all'
    const decisions: Decision[] = []
    for (const each of list) {
      const decision = await decideOne(top, each)
      decisions.push(decision)
      if (semantic === 'deny_on_first_deny' && !decision.decision) break
      if (semantic === 'permit_on_first_permit' && decision.decision) break
    }
    return { evaluations: decisions }
  }

  /** §7.2.1: what is wrong with one of many is its own no, and holds up no other. */
  async function decideOne(top: object, each: unknown): Promise<Decision> {
    const whole = typeof each === 'object' && each !== null && !Array.isArray(each) ? { ...top, ...each } : each
    const asked = one.safeParse(whole)
    if (asked.success) return decide(asked.data)
    return { decision: false, context: { error: { status: 400, message: complaint(asked.error) } } }
  }

  const answering = (work: (body: unknown) => Promise<object>) => async (request: PageRequest) => {
    try {
      await authenticate(request)
      return answered(request, json(await work(await request.json())))
    } catch (error) {
      if (!(error instanceof Refusal) || error.status >= 500) throw error
      rooms.refused?.(error.code)
      return answered(request, refusedAs(error))
    }
  }

  /** §9: only what there is. A path that is not told is one that does not exist, such as those of the searches. */
  const metadata = (): Answer => {
    const answer = json({
      policy_decision_point: issuer,
      access_evaluation_endpoint: `${issuer}/access/v1/evaluation`,
      access_evaluations_endpoint: `${issuer}/access/v1/evaluations`,
    })
    return { ...answer, headers: { 'content-type': 'application/json', 'cache-control': 'public, max-age=300' } }
  }

  return [
    { method: 'POST', path: '/access/v1/evaluation', handle: answering(async (body) => decide(read(one, body))) },
    { method: 'POST', path: '/access/v1/evaluations', handle: answering((body) => evaluations(read(many, body))) },
    { method: 'GET', path: '/.well-known/authzen-configuration', handle: metadata },
  ]
}

/** Undefined: nothing that this API knows, or that a rule opens. */
function neededBy(api: Api, name: string, path: unknown): Omit<AccessNeeds, 'access'> | undefined {
  if (api.scopes.has(name)) return { scopes: [name], types: [], signIns: [] }
  const read = typeof path === 'string' && path.startsWith('/') ? readPath(path) : undefined
  if (read === undefined || !api.gateway || !/^[A-Z]{1,20}$/.test(name)) return undefined
  const needs = needsOf(api.gateway.rules, { method: name, path: read, uri: read, query: '' }, {})
  if (needs.access === 'deny') return undefined
  return needs.access === 'public' ? { scopes: [], types: [], signIns: [] } : needs
}

/** §10.1.1: a question that lacks something is none. Throws Refusal `input-invalid`. */
function read<T>(schema: z.ZodType<T>, value: unknown): T {
  const found = schema.safeParse(value)
  if (!found.success) throw new Refusal('input-invalid', complaint(found.error))
  return found.data
}

const complaint = ({ issues }: z.ZodError): string =>
  `${issues[0]?.path.join('.') || 'the body'}: ${issues[0]?.message ?? ''}`

/** §10.1.2, §11.3. A body of another kind is a bad request there, and has no status of its own. */
function refusedAs({ code, status: own, say, detail }: Refusal): Answer {
  const status = code === 'type-not-supported' ? 400 : own
  const problem = { type: 'about:blank', title: say, status, code, ...(own === 401 ? {} : { detail }) }
  const challenge = own === 401 ? { 'www-authenticate': 'Basic realm="access"' } : {}
  const headers = { 'content-type': 'application/problem+json', 'cache-control': 'no-store', ...challenge }
  return { status, headers, body: JSON.stringify(problem) }
}

/** §10.1.3: the id of the question comes back with the answer, whatever it is. */
function answered({ headers }: PageRequest, answer: Answer): Answer {
  const id = headers['x-request-id']
  const echoed = typeof id === 'string' && /^[\x20-\x7e\x80-\xff]+$/.test(id) ? { 'x-request-id': id } : {}
  return { ...answer, headers: { ...answer.headers, ...echoed } }
}
