/**
 * `kill -9` fifty times at random points under load, each time followed by a start and nothing else: what was answered holds, what
 * can be used once was, and what was ended stays ended. A process dies at a random number of answers, not after a time.
 */
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { seeded } from '../support/seeded.ts'
import { makePlace, type Place, portico, type Serving, serve } from '../support/serve.ts'
import { APPS, createVisitors, people, type Visitors } from '../support/visitors.ts'

const KILLS = 50
const PEOPLE = 6
/** At the latest after so many answers. */
const LONGEST = 90
/** So many of each kind are looked at after each kill; all of them at the end. */
const SAMPLE = 5

const { seed, random } = seeded()
let place: Place
let serving: Serving | undefined
let visitors: Visitors
/** Answers that the present process gives before it dies. */
let left = Number.POSITIVE_INFINITY
let dead = false
const times: number[] = []

beforeAll(async () => {
  place = await makePlace({ people: people(PEOPLE), apps: APPS, settings: { log: { level: 'error' } } })
  visitors = createVisitors({
    ...{ place, random, people: PEOPLE },
    answered() {
      if (--left > 0) return
      dead = true
      left = Number.POSITIVE_INFINITY
      serving!.process.kill('SIGKILL')
    },
  })
})
afterAll(async () => {
  await serving?.stop()
  await place?.remove()
})

const verified = async () => {
  const run = portico(['audit', 'verify', '--config', place.config])
  expect(await run.exited, `seed ${seed}: ${run.out()}${run.err()}`).toBe(0)
}
const some = <T>(all: readonly T[]) =>
  Array.from({ length: Math.min(SAMPLE, all.length) }, () => all[Math.floor(random() * all.length)]!)
/** What was told last, and some of the rest. */
const lastAndSome = <T>(all: readonly T[]) => [...all.slice(-SAMPLE), ...some(all.slice(0, -SAMPLE))]

test(`killed ${KILLS} times under load, it goes on each time without a hand (TEST_SEED=${seed})`, async () => {
  console.log(`TEST_SEED=${seed}`)
  const unexpected: string[] = []
  for (let kill = 1; kill <= KILLS; kill++) {
    const began = performance.now()
    serving = await serve(place.config)
    times.push(performance.now() - began)
    await visitors.settle()
    await visitors.compare(lastAndSome)
    expect(visitors.faults, `seed ${seed}, after ${kill - 1} kills`).toEqual([])
    dead = false
    left = 1 + Math.floor(random() * LONGEST)
    await visitors.visit(
      () => dead,
      (error) => {
        if (!dead) unexpected.push(String(error))
      },
    )
    expect(await serving.exited).toBeNull()
    expect(serving.process.signalCode).toBe('SIGKILL')
    if (kill % 10 === 0) await verified()
  }
  expect(unexpected, `seed ${seed}: no answer from a process that lives`).toEqual([])
}, 600_000)

test('afterwards everything that was answered holds, and nothing works twice', async () => {
  serving = await serve(place.config)
  await visitors.settle()
  const { sessions, tokens, onces } = visitors
  const told = {
    sessions: sessions.length,
    ended: sessions.filter(({ over }) => over === 'told').length,
    tokens: tokens.length,
    spent: onces.filter(({ state }) => state === 'spent').length,
  }
  console.log(told, `slowest start ${Math.round(Math.max(...times))} ms`)
  // enough of each that it says something
  for (const [what, least] of Object.entries({ sessions: 20, ended: 10, tokens: 200, spent: 100 }))
    expect(told[what as keyof typeof told], what).toBeGreaterThan(least)
  await visitors.compare()
  await visitors.spendAll()
  expect(visitors.faults, `seed ${seed}`).toEqual([])
  expect(onces.filter(({ answers }) => answers > 1)).toEqual([])
}, 600_000)

test('the trail is what was written, and has every sign-in and sign-out that was answered', async () => {
  await verified()
  const storage = await place.storage()
  try {
    const count = async (event: string) =>
      (await sql`select 1 from audit_events where event = ${event}`.execute(storage.records)).rows.length
    expect(await count('person-signed-in')).toBeGreaterThanOrEqual(visitors.counts.signIns)
    expect(await count('person-signed-out')).toBeGreaterThanOrEqual(visitors.counts.signOuts)
  } finally {
    await storage.close()
  }
})
