/** The policies of the fictitious retailer that come with Portico. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { checkPolicies, decide, type Facts, loadPolicies, runPolicyTests } from '#policy'
import { CONDITIONS } from '../../src/policy/conditions/list.ts'
import { inFolder, load, nine, policiesOf } from './house.ts'

const { policies, problems } = loadPolicies(join(import.meta.dirname, '../../policies'))

describe('the shipped policies', () => {
  test('have no problems, and the names that the demo uses', () => {
    expect(problems).toEqual([])
    const names = ['account', 'administrators', 'default', 'head-office', 'helpdesk', 'partners', 'store-apps']
    expect(policies!.names).toEqual(names)
    expect(policies!.strengths).toEqual(['any', 'two-factors', 'phishing-resistant', 'hardware', 'store-floor'])
  })

  test.each(runPolicyTests(policies!))('$policy: $name', ({ ok, got, expected }) => {
    expect({ ok, got, expected }).toMatchObject({ ok: true })
  })

  test('each rule has a test in which it decides, one in which it does not, and each policy one in which something is not known', () => {
    const tests = runPolicyTests(policies!)
    const missing = policies!.list.flatMap(({ name: policy, rules }) => {
      const own = tests.filter((one) => one.policy === policy)
      const judged = (rule: string) =>
        own.flatMap(({ got }) => got.trace.filter((one) => one.policy === policy && one.rule === rule))
      const unknown = rules.some(({ name }) => judged(name).some(({ matched }) => matched === 'unknown'))
      const without = rules.flatMap(({ name, draft }) => {
        const decides = own.some(({ got }) => got.rule === name)
        // a rule without conditions misses only where one before it decides
        const misses = draft
          ? judged(name).some(({ matched }) => matched === false)
          : own.some(({ got }) => got.rule !== name)
        return [
          ...(decides ? [] : [`${policy} › ${name}: decides`]),
          ...(misses ? [] : [`${policy} › ${name}: misses`]),
        ]
      })
      return [...without, ...(unknown ? [] : [`${policy}: unknown`])]
    })
    expect(missing).toEqual([])
  })

  test('are clean by the strictest check', () => {
    expect(checkPolicies(policies!).filter(({ severity }) => severity !== 'notice')).toEqual([])
  })

  test('nobody helps others with less than a passkey of this hour, wherever and whoever they are', () => {
    const factors = ['password', 'totp', 'recovery-code']
    const places = ['198.51.100.9', '192.0.2.17', '198.51.100.200', undefined]
    for (const age of [0, 59, 61])
      for (const ip of places)
        for (const enrolled of [true, false, undefined])
          for (const proofs of [factors, [...factors, 'passkey']]) {
            const given = (factor: string) => ({
              factor,
              at: nine,
              ...(factor === 'passkey' && { user_verified: true }),
            })
            const facts: Facts = {
              at: nine + age * 60_000,
              request: { kind: 'helpdesk' },
              user: { groups: ['staff', 'head-office', 'administrators', 'helpdesk'] },
              app: { policy: 'helpdesk' },
              network: { ...(ip && { ip }) },
              device: {
                known: true,
                kind: 'personal',
                trusted_since: nine,
                ...(enrolled !== undefined && { enrolled }),
              },
              session: { started: nine, authenticated: proofs.map(given) },
            }
            const may = proofs.includes('passkey') && age < 60 && (ip === places[0] || enrolled === true)
            expect([facts.network, enrolled, age, decide(policies!, facts).outcome === 'allow']).toEqual([
              facts.network,
              enrolled,
              age,
              may,
            ])
          }
  })

  test('what people are told comes in all four languages', () => {
    const told = policies!.list
      .flatMap((policy) => policy.rules.flatMap((rule) => [rule.deny?.say, rule.deny?.do]))
      .filter((words) => words !== undefined)
    expect(told.length).toBeGreaterThan(0)
    for (const words of told) expect(Object.keys(words)).toEqual(['en', 'nl', 'de', 'ru'])
  })

  test('a store day of 65 openings wants one sign-in, and one step-up for the risky app in the morning', () => {
    const authenticated = [{ factor: 'password', at: nine }]
    const prompts: string[] = []
    for (let opening = 0; opening < 65; opening++) {
      const at = nine + opening * ((9 * 3_600_000) / 65)
      const risky = opening >= 3 && opening < 20
      const facts: Facts = {
        at,
        request: { kind: 'app', started: at },
        user: { groups: ['staff', 'store'] },
        app: { policy: 'store-apps', tags: risky ? ['high-risk'] : ['store'] },
        network: { ip: '192.0.2.20' },
        device: { known: true, kind: 'personal' },
        session: { started: nine, authenticated },
      }
      const decision = decide(policies!, facts)
      if (decision.outcome === 'allow') continue
      prompts.push(decision.rule!)
      authenticated.push({ factor: decision.missing.find((set) => set[0] === 'totp')![0]!, at })
      expect(decide(policies!, facts).outcome).toBe('allow')
    }
    expect(prompts).toEqual(['high-risk app'])
  })
})

test('the examples of docs/policy.md are sound, and their tests pass', () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/policy.md'), 'utf8')
  const blocks = [...page.matchAll(/```yaml\n(.*?)```/gs)].map(([, text], i) => [`${i}.yaml`, text] as const)
  expect(blocks.length).toBe(7)
  // what is typed is run by `life.test.ts`; nothing else stands there for looking at only
  expect([...new Set([...page.matchAll(/```(\w+)\n/g)].map(([, kind]) => kind))].sort()).toEqual(['csv', 'sh', 'yaml'])
  const [, csv] = /```csv\n(.*?)```/s.exec(page)!
  const files = { ...Object.fromEntries(blocks), 'networks/stores.csv': csv }
  const read = load(files)
  expect(read.problems).toEqual([])
  const tests = runPolicyTests(read.policies!)
  expect(tests.length).toBe(9)
  expect(tests.filter(({ ok }) => !ok).map(({ name, got }) => [name, got.outcome, got.rule])).toEqual([])
  expect(read.policies!.sites.at('192.0.2.1')).toMatchObject({ name: 'utrecht-1', country: 'NL' })
})

test('docs/policy.md names every condition', () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/policy.md'), 'utf8')
  for (const { name } of CONDITIONS) expect(page).toContain(name.endsWith('.') ? `\`${name}<name>\`` : `\`${name}\``)
})

describe('tests in a policy', () => {
  const rules = [
    {
      name: 'staff',
      when: { 'user.groups': ['staff'] },
      allow: { strength: 'two-factors', within: '1h', scopes: ['a', 'b', 'a'], token: { max: '5m' } },
    },
  ]
  const run = (expected: object) =>
    runPolicyTests(
      inFolder(
        {
          'p.yaml': {
            policy: 'p',
            rules,
            tests: [{ name: 't', given: { user: { groups: ['staff'] }, app: { policy: 'other' } }, expect: expected }],
          },
        },
        (dir) => loadPolicies(dir).policies!,
      ),
    )[0]!

  test.each([
    [{ outcome: 'challenge', rule: 'staff', strength: 'two-factors', within: '1h', reported: [] }, true],
    [{ outcome: 'allow' }, false],
    [{ rule: null }, false],
    [{ strength: 'any' }, false],
    [{ strength: ['two-factors'] }, true],
    [{ within: '2h' }, false],
    [{ scopes: ['b', 'a'], token: { max: '5m' } }, true],
    [{ scopes: ['a'] }, false],
    [{ scopes: [] }, false],
    [{ token: { max: '6m' } }, false],
  ])('expecting %j: %s', (expected, ok) => {
    expect(run(expected).ok).toBe(ok)
  })

  test('an empty list of scopes is not that of a rule without any', () => {
    const tests = [{ name: 't', given: { user: { groups: ['staff'] } }, expect: { scopes: [] } }]
    const of = (allow: object) => policiesOf([], { 'p.yaml': { policy: 'p', rules: [{ name: 'r', allow }], tests } })
    expect(runPolicyTests(of({}))[0]!.ok).toBe(false)
    expect(runPolicyTests(of({ scopes: [] }))[0]!.ok).toBe(true)
  })

  test('judge the policy they stand in and say where they stand', () => {
    expect(run({ outcome: 'deny' })).toMatchObject({
      policy: 'p',
      name: 't',
      line: expect.stringMatching(/p\.yaml:1$/),
      got: { policy: 'p' },
    })
  })

  test('judge the baseline with it', () => {
    const base = { policy: 'base', baseline: true, rules: [{ name: 'no', deny: {} }] }
    const tested = {
      policy: 'q',
      rules,
      tests: [{ name: 't', given: { user: { groups: ['staff'] } }, expect: { outcome: 'deny', rule: 'no' } }],
    }
    expect(runPolicyTests(policiesOf(rules, { 'b.yaml': base, 'q.yaml': tested })).map(({ ok }) => ok)).toEqual([true])
  })
})
