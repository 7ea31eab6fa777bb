/** People who open apps, as the gate would see them: random traffic under given policies, written down as receipts. */
import fc from 'fast-check'
import type { Receipts } from '#access'
import { type Authenticated, decide, type Facts, type Policies } from '#policy'
import { NINE } from './house.ts'

export interface Step {
  /** Since the step before. */
  readonly minutes: number
  readonly person: number
  readonly app: number
  readonly ip: string
  /** How many factors they give when they are asked, before they go away. */
  readonly patience: number
  /** Their session has ended before. */
  readonly anew: boolean
}

const step: fc.Arbitrary<Step> = fc.record({
  minutes: fc.oneof({ weight: 6, arbitrary: fc.nat(30) }, { weight: 1, arbitrary: fc.integer({ min: 60, max: 900 }) }),
  person: fc.nat(4),
  app: fc.nat(3),
  ip: fc.constantFrom('192.0.2.1', '198.51.100.9', '203.0.113.1'),
  patience: fc.constantFrom(0, 1, 5, 5, 5),
  anew: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
})
export const steps = (count: number) => fc.array(step, { minLength: count, maxLength: count })

const STRENGTHS = ['any', 'any', 'two-factors', 'phishing-resistant']
const condition = fc.constantFrom<object | undefined>(
  undefined,
  { 'app.tags': ['risky'] },
  { 'user.groups': ['care'] },
  { network: ['stores'] },
  { network: { outside: ['stores', 'office'] } },
  { 'session.age': { over: '8h' } },
  { time: { between: '08:00-18:00', zone: 'Europe/Amsterdam' } },
)
const rule = fc.tuple(
  condition,
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc
        .record(
          { strength: fc.constantFrom(...STRENGTHS), within: fc.constantFrom('0s', '10m', '1h', '12h') },
          { requiredKeys: [] },
        )
        .map((allow) => ({ allow })),
    },
    { weight: 1, arbitrary: fc.constant({ deny: {} }) },
  ),
)
/** What `policiesOf` takes. */
export const rules = fc
  .array(rule, { minLength: 1, maxLength: 4 })
  .map((list) => list.map(([when, verdict], i) => ({ name: `r${i}`, ...(when && { when }), ...verdict })))

interface Person {
  session?: { started: number; authenticated: (Authenticated & { at: number })[] } | undefined
}

export interface Asked {
  readonly person: string
  readonly session: number
  readonly at: number
}

/** Walks the steps; answers every conversation in which somebody gave a factor, as the walk itself knows it. */
export async function walk(
  policies: Policies,
  script: readonly Step[],
  receipts: Receipts,
): Promise<{ asked: Asked[]; end: number }> {
  const people = Array.from({ length: 5 }, (): Person => ({}))
  const asked: Asked[] = []
  let now = NINE

  async function open({ person: index, app, ip, patience, anew }: Step): Promise<void> {
    const person = people[index]!
    const id = `p${index}`
    if (anew) person.session = undefined
    const facts = (started: number): Facts => ({
      at: now,
      request: { kind: 'app', started },
      ...(person.session && {
        user: { id, username: id, groups: index % 2 === 0 ? ['staff', 'care'] : ['staff'], directory: 'local' },
        session: { started: person.session.started, authenticated: [...person.session.authenticated] },
      }),
      app: { id: `app${app}`, policy: 'p', tags: app === 0 ? ['risky'] : [], audience: ['*'] },
      network: { ip },
    })
    const decided = async (started: number) => {
      const decision = decide(policies, facts(started), {})
      if (decision.outcome !== 'challenge' || person.session) await receipts.add(facts(started), decision)
      return decision
    }

    let decision = await decided(now)
    if (decision.outcome !== 'challenge') return
    // the conversation: every page is decided anew
    const began = now
    let given = 0
    now += 20
    if (person.session) await decided(now)
    for (let left = patience; left > 0 && decision.outcome === 'challenge'; left--) {
      const factor = person.session ? decision.missing[0]?.find((one) => one !== 'device') : 'password'
      if (factor === undefined) return
      now += 4000 + given
      const proof = { factor, at: now, ...(factor === 'passkey' ? { user_verified: true, hardware: true } : {}) }
      person.session ??= { started: now, authenticated: [] }
      const others = person.session.authenticated.filter((one) => one.factor !== factor)
      person.session = { ...person.session, authenticated: [...others, proof] }
      if (given++ === 0) asked.push({ person: id, session: person.session.started, at: now })
      now += 300
      decision = await decided(began)
    }
  }

  for (const one of script) {
    now += one.minutes * 60_000 + 1000
    await open(one)
  }
  return { asked, end: now }
}
