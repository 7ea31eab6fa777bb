/**
 * The verdict on each call: what the policies of the API and of the program say about this client, from this address. Judged
 * again whenever anything it rests on has changed, and a second later at the latest, for what only time changes.
 *
 * All of it is asked for as of the beginning of the request, whichever process changed it: app, API and policies are new objects
 * when they change, person and session the same ones for as long as nobody has written them.
 */
import type { Question, Verdict } from '#access'
import type { AccessToken, Api } from '#apis'
import type { App } from '#catalog'
import { type Instant, minutes, seconds } from '#core/clock'
import { parseDuration } from '#core/duration'
import { createRecent } from '#core/recent'
import type { Person } from '#directory'
import { UNKNOWN_ADDRESS } from '#http'
import { AUDIENCE, DIRECTORY_DOWN } from '#policy'
import type { Session } from '#sessions'
import { settled } from '#storage'
import type { ApiAccessOptions } from './options.ts'

/** So long a verdict may be taken for the next call's. */
const JUDGED_AGAIN = seconds(1)
/** The same refusal, again and again, leaves a receipt once in so long. */
const REFUSED_AGAIN = minutes(1)
/** So long a conversation on the way to a token may take. */
const CONVERSATION = minutes(10)
/** At least so many verdicts are kept, and at most twice as many. */
const KEPT = 10_000

/** A call by somebody whose token is good. */
export interface Call {
  readonly api: Api
  readonly app: App
  readonly token: AccessToken
  /** Whom the token is about, where that is not the client itself. */
  readonly person?: Person | undefined
  readonly session?: Session | undefined
  readonly address: string
}

export interface Judged {
  readonly outcome: Verdict['outcome']
  /** Of what the token has, scopes and types of authorization details, a call may use at most these. Absent: all. */
  readonly scopes?: readonly string[]
  /** What has to be proved first; seconds. */
  readonly strength?: string | undefined
  readonly maxAge?: number | undefined
  readonly reference: string | undefined
}

type Basis = Omit<Call, 'token'> & { readonly policies: unknown }

interface Kept {
  readonly basis: Basis
  readonly verdicts: readonly Verdict[]
  readonly judged: Judged
  readonly judgedAt: Instant
  readonly recordedAt: Instant
}

const typesOf = ({ details }: AccessToken): string[] => [...new Set(details.map(({ type }) => type))]

export function createVerdicts({ access, clock, devices }: Pick<ApiAccessOptions, 'access' | 'clock' | 'devices'>) {
  const kept = createRecent<string, Kept>(KEPT)
  const judging = new Map<string, { readonly basis: Basis; readonly done: Promise<Kept> }>()

  /** That of the API, and that of the program where it is another: both let it in, or it gets nothing. */
  async function questionsOf(call: Call): Promise<Question[]> {
    const { api, app, token, address } = call
    if (call.person) return questionsOfPerson(call, call.person)
    const client = { id: app.id, authentication: String(app.oidc?.tokenEndpointAuthMethod), scopes: token.scopes }
    const details = typesOf(token)
    const question = { kind: 'api', app, client, details, address, startedAt: clock.now() } as const
    return [...new Set([api.policy, app.policy])].map((policy) => ({ ...question, policy }))
  }

  /** As it was put when the token was given: about the person, who is where the session is, and not where the app calls from. */
  async function questionsOfPerson({ api, app, token, session }: Call, person: Person): Promise<Question[]> {
    const device = session?.deviceId === undefined ? undefined : await devices.byId(session.deviceId, person.id)
    const enrolled = await access.enrolled.ofSession(session)
    const address = session?.address ?? UNKNOWN_ADDRESS
    // what was given on the way to the token is given for it
    const startedAt = token.issuedAt - CONVERSATION
    const details = typesOf(token)
    const about = { person, session, device, enrolled, address, startedAt, details } as const
    // an API that goes on for somebody is no app of theirs: it was let in by the file of this one (`exchange`)
    if (token.origin) return [{ kind: 'api', policy: api.policy, ...about }]
    const question = { app, ...about } as const
    const own: Question = { kind: 'app', ...question }
    return api.policy === app.policy ? [own] : [{ kind: 'api', policy: api.policy, ...question }, own]
  }

  async function judge(call: Call, basis: Basis, before: Kept | undefined): Promise<Kept> {
    const now = clock.now()
    const verdicts: Verdict[] = []
    let recordedAt = now
    for (const [i, question] of (await questionsOf(call)).entries()) {
      const earlier = before?.verdicts[i]
      const seen = earlier && before.basis.api === basis.api && before.basis.app === basis.app
      const preview = seen ? withoutSession(call, await access.preview(question)) : undefined
      const known =
        preview &&
        isSame(preview, earlier!) &&
        (preview.outcome === 'allow' || now - before!.recordedAt < REFUSED_AGAIN)
      if (known) recordedAt = Math.min(recordedAt, before!.recordedAt)
      const verdict = known ? { ...preview, reference: earlier!.reference } : await access.ask(question)
      verdicts.push(withoutSession(call, verdict))
      if (verdicts.at(-1)!.outcome !== 'allow') break
    }
    const { address, app, person } = call
    const letIn = verdicts.at(-1)!.outcome === 'allow'
    if (!person) await access.memory.asked(app, { address, letIn, counts: false })
    // INVARIANT: what others are told as well rests on a receipt that is on the disk
    await settled()
    return { basis, verdicts, judged: judgedBy(verdicts), judgedAt: now, recordedAt }
  }

  return {
    async of(call: Call): Promise<Judged> {
      const { api, app, token, person, session, address } = call
      const basis: Basis = { api, app, person, session, address, policies: await access.policies.latest() }
      const of = person ? `${person.id} ${token.session ?? ''} ${token.issuedAt}` : address
      const id = `${api.id} ${app.id} ${of} ${[...token.scopes, ...typesOf(token)].join(' ')}`
      const before = kept.get(id)
      if (before && isCurrent(before, basis, clock.now())) return before.judged
      const other = judging.get(id)
      if (other && isAlike(other.basis, basis)) return (await other.done).judged
      const done = judge(call, basis, before)
      judging.set(id, { basis, done })
      try {
        const judged = await done
        kept.set(id, judged)
        return judged.judged
      } finally {
        if (judging.get(id)?.done === done) judging.delete(id)
      }
    },
  }
}

/**
 * An app that stays (`offline_access`) has no session to judge by: what it may was said when it got the token. Whether the person
 * may use the app at all, and whether their directory stands behind them, is asked all the same.
 */
function withoutSession({ person, session }: Call, verdict: Verdict): Verdict {
  if (!person || session) return verdict
  const { rule } = verdict.decision
  const closed = !verdict.person || rule === AUDIENCE || rule === DIRECTORY_DOWN
  return { ...verdict, outcome: closed ? 'deny' : 'allow' }
}

function judgedBy(verdicts: readonly Verdict[]): Judged {
  const { outcome, decision, reference } = verdicts.at(-1)!
  const limits = verdicts.flatMap(({ decision: { scopes } }) => (scopes ? [scopes] : []))
  const scopes = limits.length === 0 ? undefined : limits.reduce((a, b) => a.filter((scope) => b.includes(scope)))
  const { strength, within } = decision.required ?? {}
  const maxAge = within === undefined ? undefined : Math.floor(parseDuration(within)! / 1000)
  return { outcome, reference, strength, maxAge, ...(scopes && { scopes }) }
}

const isCurrent = ({ basis, judgedAt }: Kept, now: Basis, at: Instant): boolean =>
  at >= judgedAt && at - judgedAt < JUDGED_AGAIN && isAlike(basis, now)

const isAlike = (a: Basis, b: Basis): boolean =>
  a.api === b.api && a.app === b.app && a.policies === b.policies && a.person === b.person && a.session === b.session

/** Nothing new to write down: the same rule of the same policies says the same. */
const isSame = (a: Verdict, b: Verdict): boolean =>
  a.outcome === b.outcome &&
  a.decision.policy === b.decision.policy &&
  a.decision.rule === b.decision.rule &&
  a.decision.versions.policies === b.decision.versions.policies

export type Verdicts = ReturnType<typeof createVerdicts>
