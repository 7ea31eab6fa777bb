/** Policy files as nobody should write them: clear problems with places, all at once, soon, and never a crash. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatProblem } from '#config'
import { checkPolicies, diffPolicies, loadPolicies, runPolicyTests } from '#policy'
import { inFolder, problemsOf } from './house.ts'

const GOOD = 'policy: good\nrules:\n  - { name: r, allow: {} }\n'
const shippedFolder = join(import.meta.dirname, '../../policies')
const SHIPPED = Object.fromEntries(
  readdirSync(shippedFolder, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(yaml|csv)$/.test(name))
    .map((name) => [name, readFileSync(join(shippedFolder, name), 'utf8')]),
)

/** Loads files that were read before, and whatever is done with good ones; nothing of it may throw. */
function survives(files: Readonly<Record<string, string>>): void {
  const from = { label: 'policies', files: new Map(Object.entries(files)) }
  const { policies, problems } = loadPolicies(from)
  expect(policies === undefined).toBe(problems.length > 0)
  for (const problem of problems) {
    // the words with which a reader gives up, without a place: nothing that is written here may come to that
    expect(problem.message).not.toContain('cannot be read as YAML')
    expect(formatProblem(problem)).toMatch(/^policies(\/[^:]*)?:\d+:\d+ [a-z][a-z0-9-]* \P{Cc}+$/u)
    const lines = (files[problem.file.slice('policies/'.length)] ?? '').split(/\r\n|\n|\r/).length
    expect(problem.line).toBeGreaterThanOrEqual(1)
    expect(problem.line).toBeLessThanOrEqual(lines)
  }
  if (!policies) return
  runPolicyTests(policies)
  checkPolicies(policies)
  diffPolicies(from, from)
}

const PIECES = [
  ...['{', '}', '[', ']', ': ', '- ', '\n', '  ', '"', "'", '|', '>', '? ', '---\n', '...\n', '%YAML 1.1\n', '#', ','],
  ...['\t', '\0', '\uFEFF', '\r\n', '\r', '\u0085', '\u2028', '\u001b[2J', '\uD800', '\u202E'],
  ...['&a ', '*a', '<<: *a', '!!js/function ', '!!binary ', '!!set ', '!!omap ', '!<tag:x> ', '!!float ', '!!str '],
  ...['null', '~', 'true', '1e999', '-1e999', '.inf', '.nan', '0x7fffffffffffffff', '1_000', '2026-02-30', '1:30'],
  ...['__proto__', '__proto__: {}', 'constructor', 'toString', 'hasOwnProperty', 'prototype: x'],
  ...['0s', '999999999d', 'site', 'unknown: true', 'any: []', 'not: {}', 'all: [{}]', 'x'.repeat(3000)],
  ...[`${'['.repeat(300)}${']'.repeat(300)}`, `${'{a: '.repeat(120)}1${'}'.repeat(120)}`, '- '.repeat(400)],
]
const cuts = fc.array(
  fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    drop: fc.oneof(fc.nat(12), fc.nat(400)),
    add: fc.oneof(fc.constantFrom(...PIECES), fc.string({ unit: 'binary', maxLength: 6 })),
  }),
  { minLength: 1, maxLength: 6 },
)
type Cuts = typeof cuts extends fc.Arbitrary<infer T> ? T : never
const spoil = (text: string, changes: Cuts) =>
  changes.reduce((spoilt, { at, drop, add }) => {
    const index = Math.floor(at * spoilt.length)
    return spoilt.slice(0, index) + add + spoilt.slice(index + drop)
  }, text)

describe('no file makes it throw, give up, or point outside of the file:', () => {
  test('shipped files, policies and sites, with pieces put in and cut out', () => {
    fc.assert(
      fc.property(fc.constantFrom(...Object.keys(SHIPPED)), cuts, (name, changes) =>
        survives({ ...SHIPPED, [name]: spoil(SHIPPED[name]!, changes) }),
      ),
      { numRuns: 60 },
    )
  })

  test('a small folder of everything, spoilt in every file at once', () => {
    const small = {
      'n.yaml': 'networks:\n  s: { file: s.csv }\n  o: { ranges: [10.0.0.0/8] }\n  nl: { countries: [NL] }\n',
      's.csv': 'cidr,site,latitude,longitude,country,zone\n192.0.2.0/24,"a, b",52.1,5.1,NL,Europe/Amsterdam\n',
      't.yaml': 'strengths:\n  floor: [[password], [passkey]]\n',
      'p.yaml': `policy: p
baseline: true
rules:
  - name: r
    when: { network: [s, nl], any: [{ user.attribute.team: [a] }, { not: { time: { days: mon-fri, between: '08:00-18:00', zone: site } } }] }
    allow: { strength: floor, within: 12h, session: { idle: 15m, ends: { at: '22:00', zone: Europe/Amsterdam } } }
  - { name: q, when: { travel.speed: { over: 900, unknown: false } }, deny: { say: { en: No., nl: Nee. } } }
tests:
  - { name: t, given: { user: { groups: [a] }, network: { ip: 192.0.2.7 } }, expect: { outcome: challenge, rule: [r] } }
`,
    }
    const changes = fc.record({ 'n.yaml': cuts, 's.csv': cuts, 't.yaml': cuts, 'p.yaml': cuts }, { requiredKeys: [] })
    fc.assert(
      fc.property(changes, (all) => {
        const spoilt = Object.entries(all).map(([name, some]) => [
          name,
          spoil(small[name as keyof typeof small], some!),
        ])
        survives({ ...small, ...Object.fromEntries(spoilt) })
      }),
      { numRuns: 400 },
    )
  })

  test('any text, and any value as YAML, under each of the three kinds', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 300 }),
      fc.array(fc.constantFrom(...PIECES), { maxLength: 30 }).map((all) => all.join('')),
    )
    const value = fc.jsonValue({ maxDepth: 6 }).map((one) => JSON.stringify(one))
    const body = fc.oneof(
      text,
      value,
      value.map((one) => `[{ name: r, allow: {}, when: ${one} }]`),
    )
    const kind = fc.constantFrom(
      '',
      'networks: ',
      'strengths: ',
      'policy: p\nrules: ',
      'policy: p\nrules: [{ name: r, allow: {} }]\ntests: ',
    )
    fc.assert(
      fc.property(kind, body, text, (begin, rest, csv) =>
        survives({ 'x.yaml': begin + rest, 'n.yaml': 'networks: { s: { file: s.csv } }', 's.csv': csv }),
      ),
      { numRuns: 400 },
    )
  })

  test('any bytes, from a real folder', () => {
    inFolder({ 'good.yaml': GOOD, 'n.yaml': 'networks: { s: { file: s.csv } }' }, (dir) => {
      const bytes = fc.oneof(
        fc.uint8Array({ maxLength: 200 }),
        fc.constantFrom('utf16le', 'latin1').map((code) => Buffer.from(`\uFEFF${GOOD}é`, code as 'latin1')),
      )
      fc.assert(
        fc.property(bytes, bytes, (yaml, csv) => {
          writeFileSync(join(dir, 'x.yaml'), yaml)
          writeFileSync(join(dir, 's.csv'), csv)
          const { policies, problems } = loadPolicies(dir)
          expect(policies === undefined).toBe(problems.length > 0)
        }),
        { numRuns: 300 },
      )
    })
  })
})

describe('a key named `__proto__`', () => {
  test.each([
    ['a network', 'networks:\n  __proto__: { ranges: [10.0.0.0/8] }\n', 'when: { network: [__proto__] }, allow: {}'],
    ['a strength', 'strengths:\n  __proto__: [[password]]\n', 'allow: { strength: __proto__ }'],
  ])('is none of %s, also where a rule names it', (_what, other, rule) => {
    const files = { 'o.yaml': other, 'p.yaml': `policy: p\nrules:\n  - { name: r, ${rule} }\n` }
    expect(problemsOf(files)).toContainEqual(expect.stringMatching(/^o\.yaml:2:3 unknown-key$/))
  })

  test('is refused where a sentence or an attribute would be passed over', () => {
    for (const [rest, place] of [
      ['deny: { say: { en: No., __proto__: x } } }]', '2:44'],
      [
        'allow: {} }]\ntests: [{ name: t, given: { user: { attributes: { __proto__: x } } }, expect: { outcome: deny } }]',
        '3:51',
      ],
    ])
      expect(problemsOf({ 'p.yaml': `policy: p\nrules: [{ name: r, ${rest}\n` })).toEqual([
        `p.yaml:${place} unknown-key`,
      ])
  })
})

test.each([
  ['!!omap', '[strength: hardware]'],
  ['!!set', '{ strength }'],
  ['!!timestamp', '2026-11-22'],
  ['!!binary', 'aGk='],
])('an `allow` that is %s, whose keys nobody sees, does not ask for nothing: it is refused', (tag, value) => {
  const policy = `policy: p\nrules:\n  - { name: r, allow: ${tag} ${value} }\n`
  expect(problemsOf({ 'p.yaml': policy })).toEqual(['p.yaml:3:23 yaml-invalid'])
})

describe('a list of sites', () => {
  const sites = (csv: string) =>
    loadPolicies({
      label: 'p',
      files: new Map(Object.entries({ 'p.yaml': GOOD, 'n.yaml': 'networks: { s: { file: s.csv } }', 's.csv': csv })),
    })

  test.each(['\n', '\r\n', '\r'])('with lines that end in %j has them all', (end) => {
    const { policies } = sites(['cidr,site', '192.0.2.0/25,a', '192.0.2.128/25,"b"', ''].join(end))
    expect([...policies!.sites.names]).toEqual(['a', 'b'])
  })

  test('with every kind of line end in one file has them all, and counts its lines', () => {
    const { problems } = sites('192.0.2.0/28,a\r192.0.2.16/28,b\n192.0.2.32/28,c\r\nnonsense,d\n')
    expect(problems.map(({ line, code }) => `${line} ${code}`)).toEqual(['4 site-invalid'])
  })

  test.each(['a\0b', '\u001b[2Jx', 'a\u0085b'])('with the name %j is refused', (name) => {
    expect(sites(`192.0.2.0/24,${name}\n`).problems.map(({ code }) => code)).toEqual(['site-invalid'])
  })

  test.each([
    ['"a, ""b"""', 'a, "b"'],
    [' "a" ', 'a'],
    ['""', undefined],
    ['"a"b', undefined],
    ['a"b"', undefined],
    ['"a', undefined],
    ['"""', undefined],
  ])('reads the field %s as %j', (field, name) => {
    const { policies, problems } = sites(`192.0.2.0/24,${field},"more",\n`)
    expect(policies ? [...policies.sites.names] : problems.map(({ code }) => code)).toEqual([name ?? 'site-invalid'])
  })

  test('with a quoted field of 12 MB is read or refused, and no stack runs out', () => {
    const huge = 'a'.repeat(12 * 1024 * 1024)
    expect([...sites(`192.0.2.0/24,"${huge}"\n`).policies!.sites.names][0]).toHaveLength(huge.length)
    expect(sites(`192.0.2.0/24,"${huge}\n`).problems.map(({ code }) => code)).toEqual(['site-invalid'])
  })
})

describe('very many mistakes in one file', () => {
  const many = (count: number, make: (index: number) => string) =>
    Array.from({ length: count }, (_, i) => make(i)).join('')
  test.each([
    ['rules that are none', () => `policy: p\nrules: [${'1,'.repeat(200_000)}]\n`, 1],
    [
      'words that are none',
      () => `policy: p\nrules: [{ name: r, when: { user.groups: [${'1,'.repeat(200_000)}] }, allow: {} }]\n`,
      1,
    ],
    ['keys that are there twice', () => 'x: 1\n'.repeat(150_000), 200],
    [
      'networks that do not exist',
      () =>
        `policy: p\nrules:\n${many(30, (n) => `  - { name: r${n}, when: { network: [${many(5000, (i) => `a${i},`)}] }, allow: {} }\n`)}`,
      200,
    ],
    [
      'rules that do not exist',
      () =>
        `policy: p\nrules: [{ name: r, allow: {} }]\ntests:\n${many(5000, (n) => `  - { name: t${n}, given: {}, expect: { rule: x${n} } }\n`)}`,
      200,
    ],
    ['strengths, more than may be', () => `strengths:\n${many(5000, (n) => `  s${n}: [[password]]\n`)}`, 200],
  ])('%s: of these the first are told, each with its place', (_what, text, most) => {
    const { problems } = loadPolicies({
      label: 'p',
      files: new Map([
        ['x.yaml', text()],
        ['good.yaml', GOOD],
      ]),
    })
    expect(problems.length).toBeGreaterThan(0)
    expect(problems.length).toBeLessThanOrEqual(200)
    expect(problems.length).toBeGreaterThanOrEqual(most)
    expect(problems.every(({ line, column, message }) => line * column > 1 && !message.includes('as YAML'))).toBe(true)
  })
})

describe('what a file costs grows with its size, not with the square of it:', () => {
  const lines = (count: number, make: (index: number) => string) =>
    Array.from({ length: count }, (_, i) => make(i)).join('\n')
  const rules = (count: number) => `policy: p\nrules:\n${lines(count, (i) => `  - { name: rule ${i}, allow: {} }`)}\n`
  const tests = (count: number) =>
    `tests:\n${lines(count, (i) => `  - { name: t${i}, given: {}, expect: { rule: wrong ${i} } }`)}\n`
  const load = (files: Record<string, string>) => loadPolicies({ label: 'p', files: new Map(Object.entries(files)) })
  const sites = (csv: string) => load({ 'p.yaml': GOOD, 'n.yaml': 'networks: { s: { file: s.csv } }', 's.csv': csv })

  /** Seconds of this process, of three tries the least: whatever else the machine does has no part in it. */
  const costOf = (work: () => unknown): number =>
    Math.min(
      ...Array.from({ length: 3 }, () => {
        const before = process.cpuUsage()
        work()
        const { user, system } = process.cpuUsage(before)
        return (user + system) / 1e6
      }),
    )

  test.each([
    ['blanks before a quote in a list of sites', 4000, (size: number) => sites(`10.0.0.0/8,${' '.repeat(size)}x"\n`)],
    [
      'aliases of something large',
      4000,
      (size: number) => load({ 'p.yaml': `x: &a [${'1,'.repeat(size)}]\ny: [${'*a,'.repeat(size / 400)}]\n` }),
    ],
    ['tests that name no rule', 120, (size: number) => load({ 'p.yaml': rules(size) + tests(size) })],
  ])('%s', (_what, size, work) => {
    work(size)
    // eight times as much; the square would be sixty-four times
    expect(
      costOf(() => work(size * 8)) /
        Math.max(
          costOf(() => work(size)),
          0.002,
        ),
    ).toBeLessThan(28)
  })
})

describe('a folder that somebody changes while it is read', () => {
  /** Runs `loop` in another process, again and again, while `work` is done here. */
  async function meanwhile(dir: string, loop: string, work: () => void): Promise<void> {
    const script = `const fs = require('node:fs'); const dir = ${JSON.stringify(dir)}; process.chdir(dir + '/..'); console.log('ready')
      for (const end = Date.now() + 60_000; Date.now() < end;) { ${loop} }`
    const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
    try {
      await once(child.stdout, 'data')
      work()
    } finally {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
  }

  test('a file for a link that leads out of it: nothing of what lies there is ever told', async () => {
    await inFolder({ 'p.yaml': GOOD }, async (dir) => {
      writeFileSync(join(dir, '../secret'), 'canary: canary\n')
      const loop = `
        fs.rmSync('next', { force: true }); fs.symlinkSync('../secret', 'next'); fs.renameSync('next', 'policies/p.yaml')
        fs.writeFileSync('next', ${JSON.stringify(GOOD)}); fs.renameSync('next', 'policies/p.yaml')`
      const seen = new Set<string>()
      await meanwhile(dir, loop, () => {
        for (let i = 0; i < 4000; i++) {
          const { policies, problems, files } = loadPolicies(dir)
          expect(JSON.stringify([problems, [...files.files]])).not.toContain('canary')
          seen.add(policies ? 'good' : problems[0]!.code)
        }
      })
      expect([...seen]).toEqual(expect.arrayContaining(['good', 'file-outside']))
    })
  })

  test('the whole folder for another, or for none: it is read, or a problem, and never half of each', async () => {
    const other = GOOD.replace('good', 'other')
    await inFolder({}, async (dir) => {
      for (const [name, text] of [
        ['one', GOOD],
        ['two', other],
      ] as const) {
        mkdirSync(join(dir, '..', name))
        for (const file of ['a.yaml', 'b.yaml'])
          writeFileSync(join(dir, '..', name, file), text.replace('policy: ', `policy: ${file[0]}-`))
      }
      rmSync(dir, { recursive: true })
      symlinkSync('one', dir)
      const seen = new Set<string>()
      const loop = `for (const one of ['one', 'two']) { fs.symlinkSync(one, 'next'); fs.renameSync('next', 'policies'); fs.rmSync('policies') }`
      await meanwhile(dir, loop, () => {
        for (let i = 0; i < 2000; i++) {
          const { policies, problems } = loadPolicies(dir)
          expect(policies === undefined).toBe(problems.length > 0)
          expect(['a-good,b-good', 'a-other,b-other', 'undefined']).toContain(String(policies?.names))
          seen.add(String(policies?.names))
        }
      })
      expect(seen.size).toBe(3)
    })
  })

  test('a name of two lines, which could make the version that of other files, is refused', () => {
    inFolder({ 'p.yaml': GOOD, 'a\nb.yaml': GOOD, '\u001b[2J.yaml': GOOD }, (dir) => {
      expect(loadPolicies(dir).problems.map(({ code }) => code)).toEqual(['file-name', 'file-name'])
    })
  })

  test('a file or a folder that may not be read any more is a problem where it stands', () => {
    if (process.getuid?.() === 0) process.seteuid!(65_534)
    const parent = mkdtempSync(join(tmpdir(), 'portico-denied-'))
    try {
      const dir = join(parent, 'policies')
      mkdirSync(join(dir, 'sub'), { recursive: true })
      writeFileSync(join(dir, 'p.yaml'), GOOD)
      writeFileSync(join(dir, 'q.yaml'), GOOD.replace('good', 'other'))
      chmodSync(join(dir, 'q.yaml'), 0)
      expect(loadPolicies(dir).problems.map(formatProblem)).toEqual([
        expect.stringMatching(/q\.yaml:1:1 file-unreadable .*EACCES/),
      ])
      chmodSync(join(dir, 'q.yaml'), 0o600)
      chmodSync(join(dir, 'sub'), 0)
      expect(loadPolicies(dir).problems.map(({ code }) => code)).toEqual(['folder-unreadable'])
      chmodSync(join(dir, 'sub'), 0o700)
      chmodSync(dir, 0)
      expect(loadPolicies(dir).problems.map(({ code }) => code)).toEqual(['folder-unreadable'])
      chmodSync(dir, 0o700)
    } finally {
      if (process.getuid?.() === 0) process.seteuid!(0)
      rmSync(parent, { recursive: true, force: true })
    }
  })
})
