/** The life of a policy on the command line: diff, replay, publish, versions, rollback, report; and what people were asked. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { allVerbs, runCommand } from '#cli'
import { loadSettings, type Settings } from '#config'
import { silentLog } from '#core/log'
import { decide, type Facts, loadPolicies } from '#policy'
import { openHouse } from '../../src/house.ts'
import { missingFile } from '../../src/missing.ts'

const VERBS = await allVerbs()

const NOW = Date.parse('2026-11-23T15:00:00Z')
const NINE = Date.parse('2026-11-23T09:00:00Z')
const clock = { now: () => NOW }
const MINUTE = 60_000
let folder: string
let sam: string
/** References by what they are about. */
const receipts: Record<string, string> = {}

const CRM = (within: string, more = '') => `policy: crm
rules:
${more}  - name: staff
    when: { user.groups: [staff] }
    allow: { strength: any, within: ${within} }
`
const OUTSIDE = '  - { name: outside, when: { network: { outside: [office] } }, deny: { say: Only at the office. } }\n'
const REPORTED =
  '  - { name: watched, mode: report, when: { network: { outside: [office] } }, allow: { strength: two-factors } }\n'
const BASE = {
  'networks.yaml': 'networks: { office: { ranges: [198.51.100.0/25] } }\n',
  'administrators.yaml':
    'policy: administrators\nrules: [{ name: admins, when: { user.groups: [administrators] }, allow: {} }]\n',
  'account.yaml': 'policy: account\nrules: [{ name: all, allow: {} }]\n',
}

const open = ({ settings }: { settings: Settings }) => openHouse({ settings, folder, clock, log: silentLog })

function write(name: string, files: Readonly<Record<string, string>>): string {
  const dir = join(folder, name)
  rmSync(dir, { recursive: true, force: true })
  mkdirSync(dir)
  for (const [file, text] of Object.entries(files)) writeFileSync(join(dir, file), text)
  return dir
}

async function portico(line: string) {
  const [out, err] = [[] as string[], [] as string[]]
  const code = await runCommand({
    words: [...line.split(' '), '--config', join(folder, 'portico.yaml')],
    verbs: VERBS,
    openHouse: open,
    missing: missingFile,
    out: (text) => out.push(text),
    err: (text) => err.push(text),
    clock,
  })
  return { code, out, err, json: () => JSON.parse(out.join('')) }
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'portico-life-'))
  writeFileSync(join(folder, 'portico.yaml'), `storage: { url: 'sqlite:p.db' }\nsecrets: { key_file: key }\n`)
  const live = write('policies', { ...BASE, 'crm.yaml': CRM('12h', REPORTED) })
  write('candidate', { ...BASE, 'crm.yaml': CRM('1h', OUTSIDE) })
  const { policies } = loadPolicies(live)
  const house = await open({ settings: loadSettings(join(folder, 'portico.yaml')).settings! })
  const person = await house.people.add({ username: 'sam', name: 'Sam', groups: ['staff'] }, 'test')
  sam = person.id
  const opens = async (minute: number, ip: string, started = minute) => {
    const facts: Facts = {
      at: NINE + minute * MINUTE,
      request: { kind: 'app', started: NINE + started * MINUTE },
      user: { id: sam, username: 'sam', groups: ['staff'] },
      app: { id: 'crm', policy: 'crm', audience: ['*'] },
      network: { ip },
      session: { started: NINE, authenticated: [{ factor: 'password', at: NINE }] },
    }
    return house.receipts.add(facts, decide(policies!, facts))
  }
  receipts['first'] = await opens(1, '198.51.100.7', -1)
  for (const minute of [10, 30, 100, 110, 200]) await opens(minute, '198.51.100.7')
  for (const minute of [210, 220]) receipts['outside'] = await opens(minute, '203.0.113.9')
  await house.close()
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('what cannot be a candidate', () => {
  const bad: Record<string, string> = {
    'a key that schemas pass over': 'networks: { __proto__: { ranges: [10.0.0.0/8] } }\n',
    'a list without end': `policy: x\nrules: [${'1,'.repeat(20_000)}]\n`,
    'aliases of aliases': `policy: &a [x, x]\nrules: &b [${'*a,'.repeat(90)}]\nx: [${'*b,'.repeat(90)}]\n`,
    'no text at all': '\0\u0001\u001b[2J',
    'two lines in a key': 'policy: x\n"a\\nfake.yaml:1:1 fine": 1\n',
  }
  const commands = [
    'check --policies DIR',
    'test --policies DIR',
    'diff sound DIR',
    'replay --policies DIR',
    'publish --policies DIR',
    'explain --app crm --policies DIR',
  ]
  test.each(Object.keys(bad))('%s: every command says so in lines with a place, and exits 1 or 2', async (what) => {
    write('sound', { ...BASE, 'crm.yaml': CRM('1h', OUTSIDE) })
    const dir = write('bad', { ...BASE, 'x.yaml': bad[what]! })
    for (const command of commands) {
      const line = command.replace('DIR', dir).replace('sound', join(folder, 'sound'))
      const { code, out, err } = await portico(`policy ${line}`)
      expect([1, 2], command).toContain(code)
      const said = [...out, ...err].filter((one) => one !== 'nothing was changed')
      expect(said.length, command).toBeGreaterThan(0)
      for (const one of said) expect(one).toMatch(/^\S+x\.yaml:\d+:\d+ [a-z-]+ \P{Cc}+$/u)
    }
  })

  test.each(['x'.repeat(5000), '/proc/self/mem', '..', '/nowhere/at/all', 'loop'])(
    'a folder %j that is none',
    async (named) => {
      write('sound', BASE)
      symlinkSync('loop', join(folder, 'sound', 'loop'))
      const dir = named === 'loop' ? join(folder, 'sound', 'loop') : named
      for (const command of commands) {
        const line = command.replace('sound', join(folder, 'sound')).replace('DIR', dir)
        expect([command, (await portico(`policy ${line}`)).code]).toEqual([command, expect.toBeOneOf([1, 2])])
      }
    },
  )
})

test('replay tells what a candidate would change, with ids unless names are asked for, and exits 1 over the limit', async () => {
  const candidate = join(folder, 'candidate')
  const { code, out } = await portico(`policy replay --policies ${candidate} --since 1d`)
  const text = out.join('\n')
  expect(code).toBe(0)
  expect(out[0]).toMatch(/^8 openings in 8 receipts since 2026-11-22T15:00Z, decided again by sha256:/)
  expect(text).toMatch(/ {2}newly denied +2 \(25\.00 %\)/)
  // at 10:40, and at 12:20 when what was given then is too old again
  expect(text).toMatch(/ {2}newly prompted +2 \(25\.00 %\)/)
  expect(text).toContain('before mean 1.00, median 1, p95 1; after mean 3.00, median 3, p95 3')
  expect(text).toMatch(/by site\n {2}office: newly prompted 2 of 6\n {2}elsewhere: newly denied 2 of 2/)
  expect(text).toContain(`by person\n  ${sam}: newly denied 2, newly prompted 2 of 8`)
  expect(text).not.toMatch(/\bsam\b|203\.0\.113|Sam/)
  expect((await portico(`policy replay --policies ${candidate} --names`)).out.join('\n')).toContain(
    '  sam: newly denied 2',
  )

  const failed = await portico(`policy replay --policies ${candidate} --max-newly-denied 0.5% --json`)
  expect(failed.code).toBe(1)
  expect(failed.json()).toMatchObject({
    ok: false,
    newly_denied_share: 0.25,
    total: { openings: 8, newly_denied: 2 },
    by: { person: { [sam]: { newly_denied: 2 } }, group: { staff: { openings: 8 } } },
    prompts: { before: { total: 1 }, after: { total: 3 } },
  })
  expect((await portico(`policy replay --policies ${candidate} --max-newly-denied 25% --json`)).code).toBe(0)
})

test('replay of the policies in the folder over their own log changes nothing', async () => {
  const { code, json } = await portico('policy replay --json --max-newly-denied 0%')
  expect(code).toBe(0)
  expect(json()).toMatchObject({ total: { openings: 8, unchanged: 8 }, by: { person: {} } })
})

test('a policy that is gone lets nobody in, and counts so for the limit', async () => {
  const dir = write('without', BASE)
  const { code, json } = await portico(`policy replay --policies ${dir} --max-newly-denied 50% --json`)
  expect(code).toBe(1)
  expect(json()).toMatchObject({ not_comparable: { 'policy-missing': 8 }, newly_denied_share: 1 })
})

test('report tells what a rule in report mode would have done', async () => {
  const { code, out } = await portico('policy report')
  expect(code).toBe(0)
  expect(out[0]).toMatch(/^crm › watched {2}\(.*policies\/crm\.yaml:3\)$/)
  expect(out.slice(1)).toEqual([
    '  matched 2 of 8 decisions',
    '  newly prompted       1 (12.50 %) of 8 openings',
    '  prompts per person and day: mean 1.00, median 1, p95 1; with it mean 2.00, median 2, p95 2',
  ])
  expect((await portico('policy report --json')).json()).toMatchObject([{ rule: 'watched', matched: 2 }])
})

test('report prompts attributes each prompt', async () => {
  const { code, out } = await portico('report prompts')
  expect(code).toBe(0)
  expect(out).toEqual([
    '1 prompts in 1 days of people; per person and day mean 1.00, median 1, p95 1',
    '       1  crm  crm › staff  sign-in',
  ])
  expect((await portico('report prompts --by shift --since 1d --json')).json()).toMatchObject({
    by: 'shift',
    prompts: { count: 1, total: 1 },
    causes: [{ because: 'no-session', prompts: 1 }],
  })
})

test('audit search finds a decision by its reference, and those of a person', async () => {
  const { code, out } = await portico(`audit search --receipt ${receipts['outside']}`)
  expect(code).toBe(0)
  expect(out[0]).toContain(
    `decision                subject=${sam} (sam)  app=crm  receipt=${receipts['outside']}  outcome=allow`,
  )
  const all = (await portico('audit search --subject sam --decisions --json')).json()
  expect(all.filter(({ event }: { event: string }) => event === 'decision')).toHaveLength(8)
  expect((await portico('audit search --decisions')).code).toBe(2)
})

describe('published', () => {
  test('nothing yet: the folder decides', async () => {
    expect((await portico('policy versions')).out).toEqual([
      'nothing was published: servers follow the folder `policies` by themselves',
    ])
    expect((await portico('policy diff')).code).toBe(2)
    // what is in force is the folder then
    expect((await portico(`policy diff ${join(folder, 'candidate')}`)).out).toEqual([
      `from the folder ${join(folder, 'policies')} to the folder ${join(folder, 'candidate')}:`,
      expect.stringContaining('+ rule crm › outside added'),
      expect.stringContaining('~ rule crm › staff changed'),
      '    allow.within: 12h → 1h',
      expect.stringContaining('- rule crm › watched removed'),
    ])
    expect((await portico('policy rollback')).code).toBe(2)
  })

  test('publish, diff, publish, versions, rollback', async () => {
    expect(await portico('policy publish --author ada --message first')).toMatchObject({ code: 0 })
    expect((await portico('policy publish')).out[0]).toBe('in force already:')
    cpSync(join(folder, 'candidate/crm.yaml'), join(folder, 'policies/crm.yaml'))

    const { code, out } = await portico('policy diff')
    expect(code).toBe(0)
    expect(out.map((line) => line.replace(folder, ''))).toEqual([
      'from publication 1 (in force) to the folder /policies:',
      '+ rule crm › outside added  (/policies/crm.yaml:3)',
      '~ rule crm › staff changed  (/policies/crm.yaml:4)',
      '    allow.within: 12h → 1h',
      '- rule crm › watched removed  (1:policies/crm.yaml:3)',
    ])
    expect((await portico(`policy diff 1 ${join(folder, 'policies')} --json`)).json().changes).toHaveLength(3)
    expect((await portico('policy diff 1 current')).out).toEqual([
      'from publication 1 (in force) to publication 1 (in force):',
      'the same',
    ])
    expect((await portico('policy diff 7')).code).toBe(2)

    expect(await portico('policy publish --message second')).toMatchObject({ code: 0 })
    const versions = await portico('policy versions')
    expect(versions.out[0]).toBe(
      'in force is publication 2; the folder `policies` is a candidate until it is published',
    )
    expect(versions.out[1]).toMatch(/^ {3}2 {2}2026-11-23T15:00:00Z {2}sha256:[0-9a-f]{12} {2}cli {2}second$/)
    expect(versions.out[2]).toMatch(/ada {2}first$/)
    expect((await portico('policy rollback --message oops --json')).json()).toMatchObject({
      ok: true,
      publication: { number: 3, rollback: true },
    })
    expect((await portico('policy versions --json')).json()).toMatchObject({
      in_force: 'published',
      publications: [
        { number: 3, restores: 1, rolled_back: false },
        { number: 2, restores: null, rolled_back: true },
        { number: 1, rolled_back: false },
      ],
    })
    expect((await portico('policy versions')).out.slice(1)).toEqual([
      expect.stringMatching(/ cli {2}\(back to 1\) {2}oops$/),
      expect.stringMatching(/ cli {2}\(rolled back\) {2}second$/),
      expect.stringMatching(/ ada {2}first$/),
    ])
    expect((await portico('policy rollback')).code).toBe(2)
    expect((await portico('policy rollback 1 --to 2')).code).toBe(2)
  })

  test('diff of one thing goes from the older to the candidate: from what is in force to a folder, from a version to ours', async () => {
    const candidate = join(folder, 'candidate')
    const policies = join(folder, 'policies')
    expect((await portico(`policy diff ${candidate}`)).out).toEqual([
      `from publication 3 (in force) to the folder ${candidate}:`,
      expect.stringMatching(/^\+ rule crm › outside added {2}\(.*candidate\/crm\.yaml:3\)$/),
      expect.stringContaining('~ rule crm › staff changed'),
      '    allow.within: 12h → 1h',
      expect.stringMatching(/^- rule crm › watched removed/),
    ])
    expect((await portico('policy diff 1')).out[0]).toBe(`from publication 1 to the folder ${policies}:`)
    expect((await portico('policy diff 2 1')).out[0]).toBe('from publication 2 to publication 1:')
    expect((await portico(`policy diff ${candidate} 1 --json`)).json()).toMatchObject({
      from: `the folder ${candidate}`,
      to: 'publication 1',
      same: false,
    })
  })

  test('what is published decides explanations; the folder does not', async () => {
    const explained = async (words: string) => (await portico(`policy explain ${words} --json`)).json()
    // the folder has the candidate, and in force is the first publication again
    const decision = await explained('--user sam --policy crm --ip 203.0.113.9')
    expect(decision.rule).toBe('staff')
    const candidate = join(folder, 'candidate')
    expect((await explained(`--user sam --policy crm --ip 203.0.113.9 --policies ${candidate}`)).rule).toBe('outside')
  })

  test('a receipt is decided again by the version that decided it, whatever is in force', async () => {
    await portico('policy rollback --to 2')
    const { out } = await portico(`policy explain --receipt ${receipts['outside']}`)
    expect(out[0]).toContain('allow  crm › staff')
    expect(out[1]).toBe('decided by these policies, which are not those in force now; decided again:')
    expect(out[3]).toMatch(/^ALLOW {2}crm › staff {2}\(policies\/crm\.yaml:4\)/)
  })

  test('a candidate with a mistake, or a text of two lines, is refused with its place', async () => {
    const bad = write('bad', { ...BASE, 'crm.yaml': 'policy: crm\nruls: []\n' })
    const { code, out } = await portico(`policy publish --policies ${bad}`)
    expect(code).toBe(1)
    expect(out.join('\n')).toMatch(/bad\/crm\.yaml:2:1 unknown-key /)
    expect(out.at(-1)).toBe('nothing was changed')
    expect((await portico('policy publish --author a\nb')).code).toBe(2)
    expect((await portico('policy replay --since soon')).code).toBe(2)
    expect((await portico('policy replay --max-newly-denied much')).code).toBe(2)
    expect((await portico('report prompts --by week')).code).toBe(2)
  })
})

test('a receipt of somebody who was removed tells what was decided, and that the rest is gone', async () => {
  expect((await portico('people remove sam')).code).toBe(0)
  const { code, out } = await portico(`policy explain --receipt ${receipts['outside']}`)
  expect(code).toBe(1)
  expect(out).toEqual([expect.stringContaining('allow  crm › staff'), 'what was known then is gone'])
  expect((await portico('policy replay --json')).json()).toMatchObject({ not_comparable: { 'facts-gone': 8 } })
})

test('what docs/policy.md tells to type about the life of a policy can be typed, in that order', async () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/policy.md'), 'utf8')
  const block = /## The life of a policy\n+```sh\n([\s\S]*?)```/.exec(page)![1]!
  const lines = block.split('\n').flatMap((line) => /^portico (.*?)(?: +#.*)?$/.exec(line)?.[1] ?? [])
  expect(lines.length).toBeGreaterThan(8)
  for (const line of lines) {
    const typed = line.replace('candidate', join(folder, 'candidate')).replace(/'([^']*)'/, 'words')
    const { code, err } = await portico(typed)
    expect([typed, err, code]).toEqual([typed, [], 0])
  }
})
