/**
 * A decision's facts, taken apart: what tells who asks and from where, what tells what was asked and what came of it, and
 * the few instants that differ each time. The first two are the same for all silent sign-ons of a session to an app.
 *
 * INVARIANT: `joinFacts` gives back what `splitFacts` took apart, whatever the facts hold, as JSON tells it.
 */
import type { Instant } from '#core/clock'
import { sha256 } from '#core/digest'
import { type Decision, FACTS_VERSION, type Facts, type Gathered } from '#policy'

export interface Part {
  readonly text: string
  readonly hash: string
}

/** What a part about "what" says. */
export interface What {
  /** Version of the form of the facts. */
  readonly facts: number
  readonly request?: { readonly kind?: string }
  readonly app?: Facts['app']
  readonly outcome: Decision['outcome']
  readonly policy: string | null
  readonly rule: string | null
  /** Version of the policies that decided. */
  readonly policies: string
  /** What was looked for because these policies needed it; absent in what was stored before this was kept. */
  readonly gathered?: Gathered
}

type Decided = Pick<Decision, 'outcome' | 'policy' | 'rule' | 'versions'>

/** What does not fit the columns; `at: null` where the facts tell no time. */
interface Own {
  at?: unknown
  started?: unknown
  request?: Record<string, unknown>
  history?: unknown
}

export interface Times {
  readonly at: Instant
  /** Milliseconds before `at`. */
  readonly started: number | null
  readonly own: string | null
}

/** The texts of both parts and the rest. `now` stands for a time that the facts do not tell as a number. */
export function takeApart(
  facts: Facts,
  decision: Decided,
  now: Instant,
  gathered?: Gathered,
): Times & { who: string; what: string } {
  const { at, request, app, history, ...who } = facts
  const own: Own = {}
  let moment = now
  if (Number.isSafeInteger(at)) moment = at as number
  else own.at = at ?? null
  let began: number | null = null
  let kind: { kind?: string } | undefined
  if (request) {
    const { kind: named, started, ...others } = request
    kind = named === undefined ? {} : { kind: named }
    if (Number.isSafeInteger(started)) began = moment - (started as number)
    else if (started !== undefined) own.started = started
    for (const name in others) if (others[name as keyof typeof others] !== undefined) own.request = others
  }
  if (history !== undefined) own.history = history
  const { policies, facts: version } = decision.versions
  const { outcome, policy = null, rule = null } = decision
  const what: What = {
    facts: version,
    ...(kind && { request: kind }),
    ...(app && { app }),
    outcome,
    policy,
    rule,
    policies,
    ...(gathered && { gathered }),
  }
  let rest = false
  for (const _ in own) rest = true
  return {
    at: moment,
    started: began,
    own: rest ? JSON.stringify(own) : null,
    who: JSON.stringify(who),
    what: JSON.stringify(what),
  }
}

/** The same with the names under which the parts are found again. */
export function splitFacts(facts: Facts, decision: Decided, now: Instant): Times & { who: Part; what: Part } {
  const apart = takeApart(facts, decision, now)
  return {
    ...apart,
    who: { text: apart.who, hash: hashOf(apart.who) },
    what: { text: apart.what, hash: hashOf(apart.what) },
  }
}

/** 132 bits of it: nobody finds a second text for one of these. */
export const hashOf = (text: string): string => sha256(text).slice(0, 22)

/** The text as it was stored; undefined where a byte of it has changed since. */
export const intact = ({ text, hash }: Part): boolean => hashOf(text) === hash

export const parseWhat = (part: Part): What | undefined => {
  const what = intact(part) ? (JSON.parse(part.text) as What) : undefined
  return what?.outcome === undefined ? undefined : what
}

export const parseWho = (part: Part): object | undefined => (intact(part) ? JSON.parse(part.text) : undefined)

/** Undefined where what is stored cannot be read, or is of a form that this version does not decide. */
export function joinFacts({ at, started, own }: Times, who: object | undefined, what: What): Facts | undefined {
  if (!who || what.facts !== FACTS_VERSION) return undefined
  let extra: Own = {}
  try {
    if (own !== null) extra = JSON.parse(own)
  } catch {
    return undefined
  }
  if (typeof extra !== 'object' || extra === null) return undefined
  const time = 'at' in extra ? extra.at : at
  const begun = 'started' in extra ? extra.started : started === null ? undefined : at - started
  return {
    ...(time === null ? {} : { at: time }),
    ...(what.request && {
      request: { ...what.request, ...(begun === undefined ? {} : { started: begun }), ...extra.request },
    }),
    ...(what.app && { app: what.app }),
    ...who,
    ...(extra.history === undefined ? {} : { history: extra.history }),
  } as Facts
}
