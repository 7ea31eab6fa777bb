import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { loadPolicies } from '#policy'
import { inFolder, load, NETWORKS, problemsOf } from './house.ts'

const GOOD = { policy: 'good', rules: [{ name: 'r', allow: {} }] }

/** The problems of a policy text, beside a sound networks file. */
const problemsIn = (text: string) => problemsOf({ 'networks.yaml': NETWORKS, 'p.yaml': text })
const ruleOf = (body: string) => problemsIn(`policy: p\nrules:\n  - name: r\n${body.replace(/^/gm, '    ')}\n`)

describe('loading a folder', () => {
  test('reads every yaml file below it, sorted by path', () => {
    const named = (policy: string) => ({ ...GOOD, policy })
    const { policies } = load({
      'b.yaml': named('two'),
      'a/z.yaml': named('one'),
      'c/a.yaml': named('three'),
      'notes.txt': 'hello',
    })
    expect(policies!.names).toEqual(['one', 'two', 'three'])
  })

  test('gives the same version for the same files wherever they stand, and another for any other byte', () => {
    const first = load({ 'a.yaml': GOOD })
    expect(load({ 'a.yaml': GOOD }).policies!.version).toBe(first.policies!.version)
    expect(first.policies!.version).toMatch(/^sha256:[0-9a-f]{64}$/)
    expect(load({ 'b.yaml': GOOD }).policies!.version).not.toBe(first.policies!.version)
    expect(load({ 'a.yaml': `${JSON.stringify(GOOD)} ` }).policies!.version).not.toBe(first.policies!.version)
    const sites = (csv: string) =>
      load({ 'a.yaml': GOOD, 'n.yaml': { networks: { s: { file: 's.csv' } } }, 's.csv': csv }).policies!.version
    expect(sites('192.0.2.0/24,a\n')).not.toBe(sites('192.0.2.0/24,b\n'))
  })

  test('follows links, as container platforms mount folders, and passes over dotted names', () => {
    inFolder({ '..data/p.yaml': GOOD }, (dir) => {
      symlinkSync(join('..data', 'p.yaml'), join(dir, 'p.yaml'))
      expect(loadPolicies(dir).policies!.names).toEqual(['good'])
    })
  })

  test.each([
    ['a folder that is not there', (dir: string) => join(dir, 'nowhere'), 'folder-unreadable'],
    ['an empty folder', (dir: string) => dir, 'folder-empty'],
  ])('refuses %s', (_, choose, code) => {
    inFolder({}, (dir) => {
      const { policies, problems } = loadPolicies(choose(dir))
      expect(policies).toBeUndefined()
      expect(problems.map((problem) => problem.code)).toEqual([code])
    })
  })

  test('refuses what is not UTF-8, a folder named like a file, and a file that would silently not be read', () => {
    inFolder({ 'p.yaml': GOOD, 'q.yml': GOOD }, (dir) => {
      writeFileSync(join(dir, 'latin.yaml'), Buffer.from([0x70, 0x3a, 0x20, 0xe9]))
      mkdirSync(join(dir, 'folder.yaml'))
      expect(loadPolicies(dir).problems.map((problem) => problem.code)).toEqual(['not-utf-8', 'file-ending'])
    })
  })

  test('reports every problem of every file at once, in the order of files and lines', () => {
    const text = [
      'policy: p',
      'titel: x',
      'rules:',
      '  - name: one',
      '    when: { user.group: [a], network: [stors] }',
      '    allow: { strenght: any }',
      '  - name: one',
      '    when: { network: { outside: [moon] } }',
      '    allow: { strength: two-factor, within: 12 hours }',
      'tests:',
      '  - name: t',
      '    given: { user: { grups: [] } }',
      '    expect: { outcome: refuse }',
    ].join('\n')
    const problems = problemsOf({
      'networks.yaml': NETWORKS,
      'p.yaml': text,
      'a.yaml': 'strengths:\n  weak: [[pasword]]\n',
    })
    expect(problems).toEqual(
      [
        'a.yaml:2:11 unknown-factor',
        'p.yaml:2:1 unknown-key',
        'p.yaml:5:13 unknown-condition',
        'p.yaml:5:30 unknown-network',
        'p.yaml:6:14 unknown-key',
        'p.yaml:7:11 duplicate-rule',
        'p.yaml:8:13 unknown-network',
        'p.yaml:9:24 unknown-strength',
        'p.yaml:9:45 invalid',
        'p.yaml:12:22 unknown-key',
        'p.yaml:13:24 invalid',
      ].map((line) => expect.stringMatching(new RegExp(`^${line.replace(/:\d+ /, ':\\d+ ')}$`))),
    )
  })

  test('names the nearest known name', () => {
    const text =
      'policy: p\nrules:\n  - name: r\n    when: { user.group: [a], network: [store], app.tag: [x] }\n    allow: { strength: two-factor }\n'
    const messages = load({ 'networks.yaml': NETWORKS, 'p.yaml': text }).problems.map((problem) => problem.message)
    expect(messages).toEqual([
      '`rules.0.when.user.group` is an unknown condition `user.group`; did you mean `user.groups`?',
      '`rules.0.when.network` names `store`, which is no network; did you mean `stores`?',
      '`rules.0.when.app.tag` is an unknown condition `app.tag`; did you mean `app.tags`?',
      '`rules.0.allow.strength` names `two-factor`, which is no strength; did you mean `two-factors`?',
    ])
  })

  test('does not make two problems of one: names in a broken file still count', () => {
    const broken = 'networks:\n  stores: { ranges: [192.0.2.0/33] }\n'
    const policy = 'policy: p\nrules:\n  - name: r\n    when: { network: [stores] }\n    allow: {}\n'
    expect(problemsOf({ 'n.yaml': broken, 'p.yaml': policy })).toEqual(['n.yaml:2:22 invalid'])
  })
})

describe('a rule', () => {
  test.each([
    ['neither allow nor deny', 'mode: report', ['p.yaml:3:5 allow-or-deny']],
    ['both', 'allow: {}\ndeny: {}', ['p.yaml:3:5 allow-or-deny']],
    ['an empty when, which would match always', 'when:\nallow: {}', ['p.yaml:4:5 invalid']],
    ['a when without conditions', 'when: {}\nallow: {}', ['p.yaml:4:5 when-empty']],
    ['an empty not', 'when: { not: {} }\nallow: {}', ['p.yaml:4:13 when-empty']],
    ['an empty any', 'when: { any: [] }\nallow: {}', ['p.yaml:4:13 invalid']],
    ['any that is no list', 'when: { any: { device.known: true } }\nallow: {}', ['p.yaml:4:13 invalid']],
    ['an empty list of groups', 'when: { user.groups: [] }\nallow: {}', ['p.yaml:4:13 invalid']],
    ['a number for a group', 'when: { user.groups: [007] }\nallow: {}', ['p.yaml:4:13 invalid']],
    [
      'an unknown key in a condition',
      'when: { network: { outsid: [stores] } }\nallow: {}',
      ['p.yaml:4:24 unknown-key'],
    ],
    [
      'unknown that is neither yes nor no',
      'when: { device.known: { is: true, unknown: maybe } }\nallow: {}',
      ['p.yaml:4:13 invalid'],
    ],
    ['a priority', 'priority: 10\nallow: {}', ['p.yaml:4:5 unknown-key']],
    ['a mode that is none', 'mode: shadow\nallow: {}', ['p.yaml:4:5 invalid']],
    ['allow without anything', 'allow:', ['p.yaml:4:5 invalid']],
    [
      'a time that is none',
      'when: { time: { between: "8-18", zone: Europe/Amsterdam } }\nallow: {}',
      ['p.yaml:4:13 invalid'],
    ],
    ['a time without a zone', 'when: { time: { days: mon-fri } }\nallow: {}', ['p.yaml:4:13 missing']],
    [
      'days that are none',
      'when: { time: { days: weekdays, zone: Europe/Amsterdam } }\nallow: {}',
      ['p.yaml:4:13 invalid'],
    ],
    [
      'a zone that is none',
      'when: { time: { days: mon, zone: Europe/Amsterdm } }\nallow: {}',
      ['p.yaml:4:13 unknown-time-zone'],
    ],
    ['an end of session without zone', 'allow: { session: { ends: "22:00" } }', ['p.yaml:4:14 invalid']],
    ['a request kind that is none', 'when: { request.kind: login }\nallow: {}', ['p.yaml:4:13 invalid']],
  ])('is refused with %s', (_, body, problems) => {
    const loose = (line: string) => line.replace(/:\d+ /, ': ')
    // the column is that of the value, wherever it begins
    expect(ruleOf(body).map(loose)).toEqual(problems.map(loose))
  })

  test.each([
    'countries',
    'travel',
    'travel.time',
    'frequency.logins',
    'upstream',
    'user.attribute.',
    'user',
    '__proto__',
    'toString',
  ])('is refused with the condition %s, which does not exist here', (name) => {
    expect(ruleOf(`when: { ${name}: [x] }\nallow: {}`).map((line) => line.split(' ')[1])).toEqual(['unknown-condition'])
  })

  test.each(['scopes: [a]', 'token: { max: 5m }'])('is refused with allow: %s, which nothing would enforce', (key) => {
    expect(ruleOf(`allow: { ${key} }`).map((line) => line.split(' ')[1])).toEqual(['unknown-key'])
  })

  test('is refused with the name of the rule on audiences', () => {
    expect(problemsOf({ 'p.yaml': { policy: 'p', rules: [{ name: 'audience', deny: {} }] } })).toEqual([
      expect.stringMatching(/ reserved-name$/),
    ])
  })

  test('may nest conditions, but not without end', () => {
    const nest = (depth: number) => `${'{ not: '.repeat(depth)}{ device.known: true }${' }'.repeat(depth)}`
    expect(ruleOf(`when: ${nest(8)}\nallow: {}`)).toEqual([])
    expect(ruleOf(`when: ${nest(60)}\nallow: {}`).length).toBe(1)
    expect(ruleOf(`when: ${nest(60_000)}\nallow: {}`).length).toBeGreaterThan(0)
  })
})

describe('a file', () => {
  test.each([
    ['nothing', '', 'document-kind'],
    ['a list', '- a\n', 'document-kind'],
    ['another document', 'polcy: p\nrules: []\n', 'document-kind'],
    ['two documents in one', 'policy: p\nrules: [{ name: r, allow: {} }]\nnetworks: {}\n', 'document-kind'],
    ['two documents behind each other', 'strengths: {}\n---\nstrengths: {}\n', 'yaml-invalid'],
    ['a key twice', 'policy: p\npolicy: q\n', 'yaml-invalid'],
    ['no rules', 'policy: p\nrules: []\n', 'invalid'],
    ['a name with blanks', 'policy: my policy\nrules: [{ name: r, allow: {} }]\n', 'invalid'],
    ['a built-in strength', 'strengths:\n  any: [[password]]\n', 'reserved-name'],
    ['an empty combination', 'strengths:\n  weak: [[]]\n', 'invalid'],
  ])('with %s is refused', (_, text, code) => {
    expect(problemsOf({ 'x.yaml': text }).map((line) => line.split(' ')[1])).toEqual([code])
  })

  test('that gives a name a second time is refused, with the file of the first', () => {
    const { problems } = load({
      'a.yaml': GOOD,
      'b.yaml': GOOD,
      'n.yaml': NETWORKS,
      'o.yaml': { networks: { stores: { ranges: ['10.0.0.0/8'] } } },
    })
    expect(problems.map(({ code, message }) => [code, message.replace(/given in .*\//, 'given in ')])).toEqual([
      ['duplicate-name', '`good` is given in a.yaml too'],
      ['duplicate-name', '`stores` is given in n.yaml too'],
    ])
  })

  test('that is a second baseline is refused', () => {
    const base = (policy: string) => ({ ...GOOD, policy, baseline: true })
    expect(problemsOf({ 'a.yaml': base('a'), 'b.yaml': base('b') })).toEqual([
      expect.stringMatching(/^b\.yaml:1:\d+ second-baseline$/),
    ])
  })

  test('whose test gives facts that are none is refused, at their line', () => {
    const text = `policy: p
rules: [{ name: r, when: { travel.speed: { over: 900 } }, deny: {} }]
tests:
  - name: t
    given:
      history:
        previous: { country: NL, lattitude: 52 }
        sign_ins: [{ within: 5m, count: many }]
    expect: { outcome: deny }
`
    expect(problemsOf({ 'p.yaml': text })).toEqual([
      expect.stringMatching(/^p\.yaml:7:\d+ unknown-key$/),
      expect.stringMatching(/^p\.yaml:8:\d+ invalid$/),
    ])
  })

  test('whose test expects a rule or strength that is not there is refused', () => {
    const tests = [{ name: 't', given: {}, expect: { outcome: 'deny', rule: 'rr' } }]
    expect(problemsOf({ 'a.yaml': { ...GOOD, tests } })).toEqual([expect.stringMatching(/ unknown-rule$/)])
    const strong = [{ name: 't', given: {}, expect: { strength: 'strong' } }]
    expect(problemsOf({ 'a.yaml': { ...GOOD, tests: strong } })).toEqual([expect.stringMatching(/ unknown-strength$/)])
    for (const rule of [null, 'audience'])
      expect(problemsOf({ 'a.yaml': { ...GOOD, tests: [{ name: 't', given: {}, expect: { rule } }] } })).toEqual([])
  })
})

describe('networks', () => {
  const zone = (body: object | string, csv?: string) =>
    problemsOf({
      'p.yaml': GOOD,
      'n/net.yaml': typeof body === 'string' ? body : { networks: { z: body } },
      ...(csv === undefined ? {} : { 'n/sites/s.csv': csv }),
    }).map((line) => line.replace(/:1:\d+/, ':'))

  test.each([
    '192.0.2.0/33',
    '192.0.2',
    '192.0.2.0/024',
    '010.0.0.0/8',
    '2001:db8::/129',
    'fe80::1%eth0/64',
    '10.0.0.0/8/8',
    'stores',
    '::ffff:10.0.0.0/95',
  ])('refuse the range %s', (range) => {
    expect(zone({ ranges: [range] })).toEqual(['n/net.yaml: invalid'])
  })

  test.each(['192.0.2.7', '0.0.0.0/0', '::/0', '2001:db8::1', '10.1.2.3/8', '::ffff:10.0.0.0/104'])(
    'take the range %s',
    (range) => {
      expect(zone({ ranges: [range] })).toEqual([])
    },
  )

  test('have exactly one of ranges and file', () => {
    expect(zone({})).toEqual(['n/net.yaml: zone-invalid'])
    expect(zone({ ranges: ['10.0.0.0/8'], file: 'sites/s.csv' }, '10.0.0.0/8,a\n')).toEqual([
      'n/net.yaml: zone-invalid',
    ])
  })

  test.each(['../p.yaml', '/etc/passwd', 'sites/../../p.yaml', 'sites\\s.csv'])(
    'do not read outside of the folder: %s',
    (file) => {
      expect(zone({ file }, '10.0.0.0/8,a\n')).toEqual(['n/net.yaml: file-outside'])
    },
  )

  test('read sites from a file beside them', () => {
    expect(
      zone({ file: 'sites/s.csv' }, 'cidr,site,city\n192.0.2.0/24,s1,"Den Haag, NL"\n\n# more\n2001:db8::/32,s2,\r\n'),
    ).toEqual([])
    expect(zone({ file: 'sites/s.csv' }, '\uFEFF192.0.2.0/24,s1\n')).toEqual([])
    expect(zone({ file: 'sites/none.csv' })).toEqual(['n/net.yaml: file-unreadable'])
  })

  test('refuse every bad line of a file of sites, with its number', () => {
    const csv =
      'cidr,site\n192.0.2.0/24,a\nnonsense,b\n192.0.2.0/24\n192.0.2.0/2x,c\n192.0.2.0/24,"d\n192.0.2.0/24,e,f\n'
    const { problems } = load({ 'p.yaml': GOOD, 'n.yaml': { networks: { z: { file: 's.csv' } } }, 's.csv': csv })
    expect(problems.map(({ file, line, code }) => `${file.split('/').pop()}:${line} ${code}`)).toEqual(
      [3, 4, 5, 6, 7].map((line) => `s.csv:${line} site-invalid`),
    )
  })

  test('refuse a file of sites that is empty, or cut off in the middle', () => {
    expect(zone({ file: 'sites/s.csv' }, '')).toEqual(['n/sites/s.csv: sites-missing'])
    expect(zone({ file: 'sites/s.csv' }, '192.0.2.0/24,a\n192.0.2').length).toBe(1)
  })

  test('take 7,000 sites', () => {
    const csv = Array.from(
      { length: 7000 },
      (_, i) => `10.${i >> 8}.${i & 255}.0/24,site-${i},City ${i},52.1,5.1`,
    ).join('\n')
    const { policies, problems } = load({
      'p.yaml': GOOD,
      'n.yaml': { networks: { z: { file: 's.csv' } } },
      's.csv': csv,
    })
    expect(problems).toEqual([])
    expect(policies).toBeDefined()
  })
})

describe('any YAML', () => {
  const shipped = ['store-apps', 'networks', 'strengths', 'account'].map((name) =>
    readFileSync(join(import.meta.dirname, '../../policies', `${name}.yaml`), 'utf8'),
  )
  const pieces = [
    '{',
    '}',
    '[',
    ']',
    ': ',
    '- ',
    '\n',
    '  ',
    '&a ',
    '*a',
    '!!js/function ',
    '"',
    "'",
    '|',
    '>',
    '? ',
    '---\n',
    '%',
    '\t',
    '\u0000',
    '#',
    '<<: ',
    'null',
    '~',
    '1e999',
    '.inf',
    '__proto__: ',
  ]

  test('never makes the loader throw, and never gives policies beside problems', () => {
    const cuts = fc.array(
      fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), drop: fc.nat(30), add: fc.constantFrom(...pieces) }),
      { minLength: 1, maxLength: 5 },
    )
    inFolder({}, (dir) => {
      mkdirSync(join(dir, 'networks'))
      writeFileSync(join(dir, 'networks/stores.csv'), '192.0.2.0/24,a\n')
      fc.assert(
        fc.property(fc.constantFrom(...shipped), cuts, (text, changes) => {
          let mutated = text
          for (const { at, drop, add } of changes) {
            const index = Math.floor(at * mutated.length)
            mutated = mutated.slice(0, index) + add + mutated.slice(index + drop)
          }
          writeFileSync(join(dir, 'p.yaml'), mutated)
          const { policies, problems } = loadPolicies(dir)
          expect(policies === undefined).toBe(problems.length > 0)
          for (const problem of problems)
            expect(problem).toMatchObject({
              file: expect.any(String),
              line: expect.any(Number),
              code: expect.stringMatching(/^[a-z-]+[0-9]?$/),
            })
        }),
        { numRuns: 400 },
      )
    })
  })

  test('that is no policy at all is a problem', () => {
    inFolder({}, (dir) => {
      fc.assert(
        fc.property(fc.json(), (text) => {
          writeFileSync(join(dir, 'p.yaml'), text)
          expect(loadPolicies(dir).problems.length).toBeGreaterThan(0)
        }),
        { numRuns: 200 },
      )
    })
  })
})
