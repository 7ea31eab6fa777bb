/** `portico policy …` as an operator runs it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runCommand } from '#cli'
import { loadSettings, type Settings } from '#config'
import { silentLog } from '#core/log'
import { createPolicyVerbs } from '../../src/cli/verbs/policy.ts'
import { openHouse } from '../../src/house.ts'
import { totpCode } from '../support/totp.ts'
import { given, inFolder, NETWORKS, nine } from './house.ts'

const policyVerbs = createPolicyVerbs(async () => undefined)

const POLICY = {
  policy: 'p',
  rules: [
    { name: 'closed', when: { network: { outside: ['stores'] } }, deny: { say: 'Only in a store.', do: 'Go there.' } },
    { name: 'staff', when: { 'user.groups': ['staff'] }, allow: { strength: 'two-factors', within: '12h' } },
  ],
  tests: [{ name: 'outside', given: { network: { ip: '203.0.113.1' } }, expect: { outcome: 'deny', rule: 'closed' } }],
}
const GOOD = { 'networks.yaml': NETWORKS, 'p.yaml': POLICY }
const inStore = { ...given(['password', 5]), network: { ip: '192.0.2.1' } }

async function portico(words: string[], verbs = policyVerbs, house?: object) {
  const [out, err] = [[] as string[], [] as string[]]
  const code = await runCommand({
    words: ['policy', ...words],
    verbs,
    clock: { now: () => nine },
    out: (line) => out.push(line),
    err: (line) => err.push(line),
    openHouse: async () => {
      if (!house) throw new Error('opened storage')
      return { ...house, close: async () => {} } as never
    },
    missing: () => (house ? undefined : 'database'),
  })
  return { code, out, err }
}

/** The command with `DIR` replaced by the folder, and `FACTS` by a file with the facts. */
const run = (files: Readonly<Record<string, unknown>>, words: string, facts?: unknown, verbs = policyVerbs) =>
  inFolder(files, (dir) => {
    const file = join(dir, 'facts.json')
    if (facts !== undefined) writeFileSync(file, typeof facts === 'string' ? facts : JSON.stringify(facts))
    return portico(words.replace('DIR', dir).replace('FACTS', file).split(' '), verbs)
  })

describe('policy check', () => {
  const SKIPPED = 'there is no database here: groups, apps and policies in use were not checked'
  const account = { policy: 'account', rules: [{ name: 'everybody', allow: {} }] }
  const admin = { ...account, policy: 'administrators' }
  const WHOLE = { ...GOOD, 'account.yaml': account, 'admin.yaml': admin }
  /** One warning. */
  const SHADOWED = { ...WHOLE, 'account.yaml': { ...account, rules: [...account.rules, { name: 'more', allow: {} }] } }

  test('says that all is well, and what it could not look at', async () => {
    const { code, out } = await run(WHOLE, 'check --policies DIR')
    expect([code, out]).toEqual([0, [expect.stringMatching(/^policies are fine: 3 with 4 rules, sha256:/), SKIPPED]])
  })

  test('prints all problems as file:line:column code message and exits 1', async () => {
    const bad = { ...WHOLE, 'x.yaml': 'policy: x\nrules:\n  - name: r\n    alow: {}\n' }
    const { code, out } = await run(bad, 'check --policies DIR')
    expect(code).toBe(1)
    expect(out).toEqual([
      expect.stringMatching(/x\.yaml:3:5 allow-or-deny /),
      expect.stringMatching(/x\.yaml:4:5 unknown-key .*did you mean `allow`/),
    ])
  })

  test('warns without another exit code, unless it is to be strict', async () => {
    const { code, out } = await run(SHADOWED, 'check --policies DIR')
    expect([code, out]).toEqual([
      0,
      [
        expect.stringMatching(/account\.yaml:1:\d+ rule-unreachable `more` never decides/),
        expect.stringMatching(/^policies are read: 1 warning in 3 with 5 rules, sha256:/),
        SKIPPED,
      ],
    ])
    expect((await run(SHADOWED, 'check --policies DIR --strict')).code).toBe(1)
    expect((await run(WHOLE, 'check --policies DIR --strict')).code).toBe(0)
  })

  test('exits 1 where administrators are locked out', async () => {
    const closed = { ...WHOLE, 'admin.yaml': { ...admin, rules: [{ name: 'nobody', deny: {} }] } }
    const { code, out } = await run(closed, 'check --policies DIR')
    expect([code, out[0]]).toEqual([1, expect.stringMatching(/admin\.yaml:1:\d+ administrators-locked-out /)])
  })

  test('prints one JSON object with a severity for everything', async () => {
    const json = async (files: Record<string, unknown>) =>
      JSON.parse((await run(files, 'check --policies DIR --json')).out[0]!)
    const names = ['account', 'administrators', 'p']
    expect(await json(WHOLE)).toMatchObject({ ok: true, policies: names, problems: [], house: false })
    expect(await json(SHADOWED)).toMatchObject({
      ok: true,
      problems: [{ severity: 'warning', code: 'rule-unreachable', file: expect.any(String), line: 1 }],
    })
    expect(await json({ ...WHOLE, 'x.yaml': 'nonsense' })).toMatchObject({
      ok: false,
      version: null,
      problems: [{ severity: 'error', code: 'document-kind' }],
    })
  })

  test('knows groups and apps where there is a database', async () => {
    const house = {
      people: { groups: async () => [{ name: 'stuff', members: 3 }] },
      catalog: { apps: { list: async () => [{ id: 'crm', policy: 'gone' }] } },
    }
    const { code, out } = await inFolder(WHOLE, (dir) => portico(['check', '--policies', dir], policyVerbs, house))
    expect(code).toBe(1)
    expect(out).toEqual([
      expect.stringMatching(/policies:1:1 app-without-policy app `crm` names the policy `gone`/),
      expect.stringMatching(/p\.yaml:1:\d+ unknown-group `staff` .*did you mean `stuff`/),
      expect.stringMatching(/p\.yaml:1:\d+ policy-unused /),
      expect.stringMatching(/^policies are read: 1 error, 1 warning, 1 notice in 3 with 4 rules/),
    ])
  })

  test('finds the shipped policies by the settings', async () => {
    const { code, out } = await portico(['check'])
    expect([code, out[0]]).toEqual([0, expect.stringContaining('policies are fine: 7')])
  })
})

describe('policy test', () => {
  test('runs every test and exits 0', async () => {
    const { code, out } = await run(GOOD, 'test --policies DIR')
    expect([code, out]).toEqual([0, ['1 passed, 0 failed']])
  })

  test('prints what was expected and what came, and exits 1', async () => {
    const tests = [{ name: 'wrong', given: {}, expect: { outcome: 'allow' } }]
    const { code, out } = await run({ ...GOOD, 'p.yaml': { ...POLICY, tests } }, 'test --policies DIR')
    expect(code).toBe(1)
    expect(out).toEqual([
      expect.stringMatching(/p\.yaml:1 test-failed p: wrong$/),
      '  expected {"outcome":"allow"}',
      expect.stringContaining('"outcome":"challenge"'),
      '0 passed, 1 failed',
    ])
  })

  test('prints what came of tokens as well', async () => {
    const program = { request: { kind: 'api' }, client: { id: 'x' } }
    const rules = [{ name: 'r', allow: { scopes: ['a'], token: { max: '5m' } } }]
    const tests = [{ name: 'wrong', given: program, expect: { scopes: ['b'], token: { max: '6m' } } }]
    const { out } = await run({ 'p.yaml': { policy: 'p', rules, tests } }, 'test --policies DIR')
    expect(out[1]).toBe('  expected {"scopes":["b"],"token":{"max":"6m"}}')
    expect(out[2]).toContain('"scopes":["a"],"token":{"max":"5m"}')
  })

  test('cannot run on bad files', async () => {
    const { code, err } = await run({ ...GOOD, 'x.yaml': 'nonsense' }, 'test --policies DIR')
    expect([code, err.length]).toEqual([2, 1])
  })
})

describe('policy explain', () => {
  test('prints the decision as JSON from facts alone, without opening anything', async () => {
    const { code, out } = await run(GOOD, 'explain --policies DIR --policy p --facts FACTS --json', inStore)
    expect(code).toBe(0)
    expect(out).toHaveLength(1)
    expect(JSON.parse(out[0]!)).toMatchObject({
      outcome: 'challenge',
      policy: 'p',
      rule: 'staff',
      missing: [['passkey'], ['totp'], ['recovery-code']],
    })
  })

  test('answers an array with an array', async () => {
    const { out } = await run(GOOD, 'explain --policies DIR --policy p --facts FACTS --json', [
      inStore,
      { ...inStore, network: { ip: '203.0.113.1' } },
    ])
    expect(JSON.parse(out[0]!).map((one: { outcome: string }) => one.outcome)).toEqual(['challenge', 'deny'])
  })

  test('takes the policy from the facts of the app', async () => {
    const { out } = await run(GOOD, 'explain --policies DIR --facts FACTS --json', { ...inStore, app: { policy: 'p' } })
    expect(JSON.parse(out[0]!).rule).toBe('staff')
  })

  test('tells people the verdict, what is missing and each step', async () => {
    const { out } = await run(GOOD, 'explain --policies DIR --policy p --facts FACTS', inStore)
    const text = out.join('\n').replaceAll(/\(.*?p\.yaml/g, '(p.yaml')
    expect(text).toBe(
      [
        'CHALLENGE  p › staff  (p.yaml:1)',
        '  required   two-factors, within 12h',
        '  given      password',
        '  missing    passkey, or totp, or recovery-code',
        '  helps      give passkey; or give totp; or give recovery-code',
        '',
        'no       closed  (p.yaml:1)',
        '  no       network { outside: [stores] } ← 192.0.2.1',
        'yes      staff  (p.yaml:1)',
        '  yes      user.groups [staff] ← [staff]',
      ].join('\n'),
    )
  })

  test('tells what the rule says of tokens', async () => {
    const explained = async (allow: object) =>
      (
        await run(
          { 'p.yaml': { policy: 'p', rules: [{ name: 'r', allow }] } },
          'explain --policies DIR --policy p --facts FACTS',
          {
            request: { kind: 'api' },
            client: { id: 'sync' },
          },
        )
      ).out.join('\n')
    const text = await explained({ scopes: ['orders:read', 'orders:write'], token: { max: '5m' } })
    expect(text).toContain('  scopes     at most orders:read, orders:write\n  token      at most 5m\n')
    expect(await explained({ scopes: [] })).toContain('  scopes     none of an API\n')
    expect(await explained({})).not.toMatch(/scopes|token/)
  })

  test('tells what the person is told, and what is unknown', async () => {
    const { out } = await run(GOOD, 'explain --policies DIR --policy p --facts FACTS', { user: {} })
    const text = out.join('\n')
    expect(text).toContain('says       Only in a store.')
    expect(text).toContain('unknown  network { outside: [stores] } (the address is not known)')
  })

  test('tells the smallest change that would pass, to people and as JSON, for one set of facts', async () => {
    const outside = { ...inStore, network: { ip: '203.0.113.1' } }
    const { out } = await run(GOOD, 'explain --policies DIR --policy p --facts FACTS', outside)
    expect(out.join('\n')).toContain('  helps      be in stores, and give passkey; or be in stores, and give totp; or')
    const json = async (facts: unknown) =>
      JSON.parse((await run(GOOD, 'explain --policies DIR --policy p --facts FACTS --json', facts)).out[0]!)
    expect((await json(outside)).suggestion).toMatchObject({
      changes: [
        { code: 'use-network', networks: ['stores'] },
        { code: 'give-factor', factor: 'passkey' },
      ],
      outcome: 'allow',
    })
    expect(await json({ ...given(['password', 5], ['totp', 5]), network: inStore.network })).not.toHaveProperty(
      'suggestion',
    )
    expect((await json([outside]))[0]).not.toHaveProperty('suggestion')
  })

  test.each([
    ['challenge', 0],
    ['allow', 1],
    ['deny', 1],
  ])('--assert %s exits %i', async (outcome, code) => {
    expect((await run(GOOD, `explain --policies DIR --policy p --facts FACTS --assert ${outcome}`, inStore)).code).toBe(
      code,
    )
  })

  test('--ip and --at alone need no storage', async () => {
    const { code, out } = await run(
      GOOD,
      'explain --policies DIR --policy p --ip 203.0.113.1 --at 2026-11-22T09:00:00Z --json',
    )
    expect([code, JSON.parse(out[0]!).outcome]).toEqual([0, 'deny'])
  })

  test.each([
    ['explain --policies DIR', undefined],
    ['explain --policies DIR --facts FACTS --ip 1.2.3.4', {}],
    ['explain --policies DIR --facts FACTS --assert maybe', {}],
    ['explain --policies DIR --facts FACTS --policy q', {}],
    ['explain --policies DIR --facts FACTS', '{ not json'],
    ['explain --policies DIR --facts FACTS', { usr: {} }],
    ['explain --policies DIR --facts DIR/none.json', undefined],
    ['explain --policies DIR --ip nowhere', undefined],
    ['explain --policies DIR --at noon', undefined],
    ['explain --policies DIR --facts FACTS --receipt 7K4Q-92MD', {}],
    ['explain --policies DIR/none --facts FACTS', {}],
  ])('%s is wrong use', async (words, facts) => {
    const { code, out, err } = await run(GOOD, words, facts)
    expect([code, out]).toEqual([2, []])
    expect(err.length).toBeGreaterThan(0)
  })

  test('shows a receipt, and decides its facts again', async () => {
    const facts = { ...inStore, user: { ...inStore.user, username: 'sam' }, app: { id: 'tills', policy: 'p' } }
    const receipt = {
      reference: '7K4Q-92MD',
      at: nine,
      outcome: 'deny' as const,
      policy: 'p',
      rule: 'gone',
      policies: 'sha256:old',
      facts,
    }
    const verbs = createPolicyVerbs(async (_, reference) => (reference === receipt.reference ? receipt : undefined))
    const explain = (reference: string) =>
      inFolder(GOOD, async (dir) => {
        const [out, err] = [[] as string[], [] as string[]]
        const code = await runCommand({
          words: ['policy', 'explain', '--policies', dir, '--receipt', reference],
          verbs,
          out: (line) => out.push(line),
          err: (line) => err.push(line),
          openHouse: async () =>
            ({
              close: async () => {},
              people: { byId: async () => undefined },
              diagnosis: { byReference: async () => undefined },
            }) as never,
        })
        return { code, out, err }
      })
    const { code, out } = await explain('7K4Q-92MD')
    expect(code).toBe(0)
    expect(out[0]).toBe('7K4Q-92MD  2026-11-23T09:00:00.000Z  deny  p › gone  by sam  to tills')
    expect(out[1]).toContain('not those in force now')
    expect(out[3]).toContain('CHALLENGE  p › staff')
    expect(await explain('0000-0000')).toEqual({ code: 2, out: [], err: ['there is no receipt with this reference'] })
    expect((await explain('E-7YVH-QHDJ')).err[0]).toContain('look for it in the log')
  })
})

describe('policy explain --user --app', () => {
  let folder: string
  const clock = { now: () => nine }
  const open = (settings: Settings) => openHouse({ settings, folder, clock, log: silentLog })

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'portico-explain-'))
    const catalog = join(import.meta.dirname, '../../apps-catalog')
    writeFileSync(
      join(folder, 'portico.yaml'),
      `storage: { url: 'sqlite:p.db' }\nsecrets: { key_file: key }\ncatalog: ${catalog}\n`,
    )
    const house = await open(loadSettings(join(folder, 'portico.yaml')).settings!)
    const person = { name: 'Sam', groups: ['staff'], password: 'a long enough pass phrase' }
    const { id } = await house.people.add({ ...person, username: 'sam' }, 'test')
    await house.people.add({ ...person, username: 'gone' }, 'test')
    await house.people.disable((await house.people.find('gone'))!.id, 'test')
    await house.sessions.start({
      personId: id,
      proofs: [{ factor: 'password', at: nine - 60_000, amr: ['pwd'] }],
      address: '192.0.2.1',
    })
    await house.catalog.apps.register(
      {
        template: 'custom-oidc',
        id: 'crm',
        inputs: { redirect_uri: 'https://crm.example/cb' },
        policy: 'p',
        audience: ['staff'],
      } as never,
      'test',
    )
    await house.close()
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  const explain = (words: string, ...as: '--json'[]) =>
    inFolder(GOOD, async (dir) => {
      const [out, err] = [[] as string[], [] as string[]]
      const code = await runCommand({
        words: [
          'policy',
          'explain',
          '--config',
          join(folder, 'portico.yaml'),
          '--policies',
          dir,
          ...as,
          ...words.split(' '),
        ],
        verbs: policyVerbs,
        clock,
        out: (line) => out.push(line),
        err: (line) => err.push(line),
        openHouse: ({ settings }) => open(settings),
      })
      return { code, err, out }
    })
  const explainJson = async (words: string) => {
    const { out, ...rest } = await explain(words, '--json')
    return { ...rest, decision: out[0] === undefined ? undefined : JSON.parse(out[0]) }
  }

  test('takes what the gate would know: groups, the policy of the app, the session with its factors', async () => {
    const { code, decision } = await explainJson('--user sam --app crm --ip 192.0.2.1')
    expect([code, decision]).toMatchObject([
      0,
      { outcome: 'challenge', policy: 'p', rule: 'staff', satisfied_by: ['password'] },
    ])
  })

  test('takes what is not told for unknown, and a device that the person does not have for a new one', async () => {
    expect((await explainJson('--user sam --app crm')).decision).toMatchObject({ outcome: 'deny', rule: 'closed' })
    expect((await explainJson('--user sam --app crm --ip 192.0.2.1 --device d1')).decision.outcome).toBe('challenge')
  })

  test('a person who is switched off is nobody', async () => {
    expect((await explainJson('--user gone --app crm --ip 192.0.2.1')).decision).toMatchObject({
      outcome: 'challenge',
      satisfied_by: [],
    })
  })

  test.each(['--user nobody --app crm', '--user sam --app none'])('%s says that there is none', async (words) => {
    expect(await explainJson(words)).toMatchObject({
      code: 2,
      err: [expect.stringMatching(/^there is no such (person: `nobody`|app: `none`)/)],
    })
  })

  test('without an app or a policy there is nothing to decide', async () => {
    expect(await explainJson('--user sam --ip 192.0.2.1')).toMatchObject({
      code: 2,
      err: [expect.stringContaining('say which --app or --policy')],
    })
    expect((await explainJson('--user sam --ip 192.0.2.1 --policy p')).code).toBe(0)
  })

  test('tells apart what the person has, who is to use it, and what they would have to add', async () => {
    const helps = async () =>
      (await explain('--user sam --app crm --ip 192.0.2.1')).out.find((line) => line.startsWith('  helps'))
    expect(await helps()).toBe(
      '  helps      add a passkey, which they do not have; or add a totp, which they do not have',
    )
    const house = await open(loadSettings(join(folder, 'portico.yaml')).settings!)
    const personId = (await house.people.find('sam'))!.id
    const about = { personId, username: 'sam', name: 'Sam', conversation: 'c' }
    const { secret } = (await house.factors.beginEnrolment('totp', about)) as { secret: string }
    await house.factors.finishEnrolment('totp', totpCode(secret, nine), about)
    await house.close()
    expect(await helps()).toBe('  helps      use their totp; or add a passkey, which they do not have')
    const { decision } = await explainJson('--user sam --app crm --ip 192.0.2.1')
    expect(decision.enrolled.toSorted()).toEqual(['password', 'totp'])
    expect(decision.suggestion.changes).toEqual([{ code: 'give-factor', factor: 'totp' }])
  })
})
