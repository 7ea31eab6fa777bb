/** The explanation is the evaluation: what `policy explain`, `policy test` and `policy replay` say is what the gate does. */
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import type { Verdict } from '#access'
import { createReplay } from '#access/reports'
import { allVerbs, runCommand } from '#cli'
import { type Decision, decide } from '#policy'
import { createNumbering } from '../../src/access/numbering.ts'
import { clock, type Gate, openGate, question } from './gate-house.ts'

const VERBS = await allVerbs()

const CASES = 10_000
let gate: Gate
/** What the gate said to 10,000 random questions, and wrote down. */
let verdicts: readonly Verdict[]

beforeAll(async () => {
  gate = await openGate()
  const asked: Verdict[] = []
  for (const one of fc.sample(question, { numRuns: CASES, seed: 20261122 })) {
    const { session } = one
    // a session that exists, so that the limits of the rule can be put on it
    const begun = session && {
      personId: one.person?.id ?? session.personId,
      proofs: session.authenticated,
      address: one.address,
      userAgent: session.userAgent,
    }
    const opened = begun && (await gate.sessions.start(begun))
    asked.push(
      await gate.access.ask({ ...one, session: opened && { ...opened.session, startedAt: session!.startedAt } }),
    )
  }
  verdicts = asked
})
afterAll(() => gate.close())

async function command(...words: string[]) {
  const lines: string[] = []
  const say = (line: string) => void lines.push(line)
  const openHouse = () => Promise.reject(new Error('nothing here needs storage'))
  const code = await runCommand({ words, verbs: VERBS, openHouse, out: say, err: say, clock })
  const text = lines.join('')
  return { code, json: /^[[{]/.test(text) ? JSON.parse(text) : lines.slice(0, 5) }
}

test('a reference is a number that is never given twice, and tells nothing about its place', () => {
  const { shuffle, restore } = createNumbering(Buffer.from('a key of at least 24 bytes'))
  fc.assert(
    fc.property(
      fc.maxSafeInteger().map((n) => Math.abs(n) % 2 ** 40),
      (n) => restore(shuffle(n)) === n && shuffle(n) < 2 ** 40,
    ),
    { numRuns: 5000 },
  )
  const first = Array.from({ length: 1000 }, (_, i) => shuffle(i + 1))
  expect(new Set(first).size).toBe(1000)
  // neighbours are far apart: half of all steps go down, and hardly any is small
  const steps = first.slice(1).map((n, i) => n - first[i]!)
  expect(steps.filter((step) => step < 0).length).toBeGreaterThan(400)
  expect(steps.filter((step) => Math.abs(step) < 2 ** 24).length).toBeLessThan(10)
})

describe('the gate', () => {
  test('says yes, no and "prove more" for many reasons', () => {
    // a sample in which everything came out the same way would show nothing
    for (const outcome of ['allow', 'deny', 'challenge'])
      expect(verdicts.filter((one) => one.outcome === outcome).length).toBeGreaterThan(150)
    for (const { name } of gate.access.policies.current().find('adaptive')!.rules)
      if (name !== 'vouched for')
        expect(verdicts.filter((one) => one.decision.rule === name).length, name).toBeGreaterThan(5)
    const results = verdicts.flatMap(({ decision }) => decision.trace.flatMap(({ conditions }) => conditions))
    for (const condition of ['country', 'travel.new_country', 'frequency.absent', 'device.enrolled', 'device.kind'])
      for (const result of [true, false, 'unknown'])
        expect(
          results.some((one) => one.condition === condition && one.result === result),
          condition,
        ).toBe(true)
  })

  test('and `policy explain` agree on 10,000 random situations', async () => {
    const file = join(gate.folder, 'facts.json')
    writeFileSync(file, JSON.stringify(verdicts.map(({ facts }) => facts)))
    const { code, json } = await command('policy', 'explain', '--facts', file, '--policies', gate.policies, '--json')
    expect(code).toBe(0)
    const explained = json as Decision[]
    expect(explained).toHaveLength(CASES)
    const differing = explained.filter(
      (decision, i) => JSON.stringify(decision) !== JSON.stringify(verdicts[i]!.decision),
    )
    expect(differing).toEqual([])
  })

  test('and `policy test` agree on them, each written as a test of the policy that decided', async () => {
    const folder = join(gate.folder, 'tested')
    const inForce = gate.access.policies.current()
    let run = 0
    for (const policy of inForce.names) {
      const file = inForce.find(policy)!.line.replace(/^.*\/|:\d+$/g, '')
      const document = parse(readFileSync(join(gate.policies, file), 'utf8'))
      const own = verdicts.filter(({ facts }) => facts.app?.policy === policy)
      const tests = own.map(({ facts, decision }, i) => ({
        name: `situation ${i}`,
        given: facts,
        expect: {
          outcome: decision.outcome,
          rule: decision.rule,
          ...(decision.required && { strength: decision.required.strength }),
          ...(decision.required?.within && { within: decision.required.within }),
          ...(decision.scopes && { scopes: decision.scopes }),
          ...(decision.token && { token: decision.token }),
          reported: decision.reported.map(({ rule }) => rule),
        },
      }))
      cpSync(gate.policies, folder, { recursive: true })
      writeFileSync(join(folder, file), JSON.stringify({ ...document, tests }))
      const { json } = await command('policy', 'test', '--policies', folder, '--json')
      const reports = (json as { tests: { policy: string; ok: boolean }[] }).tests.filter(
        (one) => one.policy === policy,
      )
      expect(reports.filter(({ ok }) => !ok)).toEqual([])
      run += reports.length
    }
    // the others name a policy that does not exist, in which no test can stand
    const nowhere = verdicts.filter(({ facts }) => facts.app?.policy === 'nowhere')
    expect(run).toBe(CASES - nowhere.length)
    for (const { outcome } of nowhere) expect(outcome).toBe('deny')
  }, 60_000)

  test('writes receipts whose facts give the same decision again', async () => {
    for (const { reference, outcome, person, decision } of verdicts) {
      // a stranger who is asked to sign in leaves no receipt
      expect(reference === undefined).toBe(outcome === 'challenge' && !person)
      if (reference === undefined) continue
      const receipt = (await gate.access.receipts.find(reference.toLowerCase().replace('-', ' ')))!
      expect(receipt.outcome).toBe(outcome)
      expect(decide(gate.access.policies.current(), receipt.facts!)).toEqual(decision)
    }
  })

  test('and replay agree: the policies that decided change nothing', async () => {
    const replay = createReplay({ candidate: gate.access.policies.current(), since: 0 })
    let read = 0
    for await (const page of gate.access.receipts.since(0)) {
      replay.add(page)
      read += page.receipts.length
    }
    const { total, not_comparable: why } = replay.end()
    expect(read).toBe(verdicts.filter(({ reference }) => reference !== undefined).length)
    expect(total).toMatchObject({ newly_denied: 0, newly_prompted: 0, no_longer_prompted: 0, newly_allowed: 0 })
    expect(total.openings).toBe(total.unchanged + total.not_comparable)
    expect(why).toMatchObject({ 'facts-gone': 0, unreadable: 0, 'policy-missing': 0 })
  })

  test('never lets in somebody who is switched off, or whose session is gone', async () => {
    for (const one of fc.sample(question, { numRuns: 2000, seed: 7 })) {
      const { outcome } = await gate.access.preview({
        ...one,
        client: undefined,
        person: one.person && { ...one.person, disabled: true },
      } as never)
      expect(outcome).not.toBe('allow')
    }
  })
})
