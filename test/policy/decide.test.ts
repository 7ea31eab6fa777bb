import { describe, expect, test } from 'vitest'
import { decide, type Facts } from '#policy'
import { given, judge, NETWORKS, policiesOf } from './house.ts'

const always = (name: string, verdict: object) => ({ name, ...verdict })
const staff = { 'user.groups': ['staff'] }
const care = { 'user.groups': ['care'] }
const signedIn = given(['password', 5])

describe('decide', () => {
  test('takes the first rule that matches, in the order of the file', () => {
    const rules = [
      { name: 'care', when: care, deny: {} },
      { name: 'staff', when: staff, allow: {} },
      { name: 'staff again', when: staff, deny: {} },
    ]
    expect(judge(rules, signedIn)).toMatchObject({ outcome: 'allow', policy: 'p', rule: 'staff' })
  })

  test('denies where no rule matches', () => {
    expect(judge([{ name: 'care', when: care, allow: {} }], signedIn)).toMatchObject({
      outcome: 'deny',
      rule: null,
      missing: [],
      // by what it found, and not because something failed
      trace: [{ rule: 'care', matched: false }],
    })
  })

  test.each([
    ['the policy is not there', { policy: 'q' }],
    ['no policy is named', {}],
  ])('denies when %s', (_, options) => {
    const decision = decide(policiesOf([always('all', { allow: {} })]), signedIn, options)
    expect(decision).toMatchObject({ outcome: 'deny', rule: null, line: null })
  })

  test('judges the policy of the app, unless another one is asked for', () => {
    const policies = policiesOf([always('p rule', { allow: {} })], {
      'q.yaml': { policy: 'q', rules: [always('q rule', { allow: {} })] },
    })
    const facts = { ...signedIn, app: { policy: 'q' } }
    expect(decide(policies, facts).rule).toBe('q rule')
    expect(decide(policies, facts, { policy: 'p' }).rule).toBe('p rule')
  })

  test('writes down each rule it judged, with the conditions up to the one that failed', () => {
    const rules = [
      { name: 'closed', when: { 'app.tags': ['high-risk'], network: { outside: ['stores'] } }, deny: {} },
      {
        name: 'staff',
        when: staff,
        allow: { strength: 'two-factors', within: '12h', session: { idle: '15m', max: '10h' } },
      },
      { name: 'never reached', allow: {} },
    ]
    const facts = { ...given(['password', 5], ['totp', 4]), app: { tags: ['store'] } }
    const policies = policiesOf(rules)
    const decision = decide(policies, facts, { policy: 'p' })
    expect(JSON.parse(JSON.stringify(decision))).toEqual({
      outcome: 'allow',
      policy: 'p',
      rule: 'staff',
      line: expect.stringMatching(/\/p\.yaml:1$/),
      required: { strength: 'two-factors', within: '12h' },
      satisfied_by: ['password', 'totp'],
      missing: [],
      acr: 'two-factors',
      auth_time: expect.any(Number),
      session: { idle: '15m', max: '10h' },
      reported: [],
      trace: [
        {
          policy: 'p',
          rule: 'closed',
          line: expect.any(String),
          matched: false,
          conditions: [{ condition: 'app.tags', wanted: ['high-risk'], seen: ['store'], result: false }],
        },
        {
          policy: 'p',
          rule: 'staff',
          line: expect.any(String),
          matched: true,
          conditions: [{ condition: 'user.groups', wanted: ['staff'], seen: ['staff'], result: true }],
        },
      ],
      versions: { policies: policies.version, facts: 1 },
    })
  })

  test('tells a person who is denied what the rule says', () => {
    const deny = { say: { en: 'No.', nl: 'Nee.' }, do: 'Ask.' }
    expect(judge([always('no', { deny })], signedIn).deny).toEqual(deny)
    expect(judge([always('no', { deny: {} })], signedIn).deny).toBeUndefined()
  })

  test('names file and line of the rule', () => {
    const text =
      'policy: q\ntitle: T\nrules:\n  - name: one\n    when: { user.groups: [care] }\n    deny: {}\n\n  - name: two\n    allow: {}\n'
    const policies = policiesOf([always('x', { deny: {} })], { 'deep/q.yaml': text })
    const decision = decide(policies, signedIn, { policy: 'q' })
    expect(decision.line).toMatch(/\/policies\/deep\/q\.yaml:8$/)
    expect(decision.trace[0]!.line).toMatch(/\/policies\/deep\/q\.yaml:4$/)
  })
})

describe('an error', () => {
  /** Facts that break whoever looks at them. */
  const broken = (at: 'groups' | 'tags'): Facts => {
    const trap = {
      get: () => {
        throw new RangeError('boom about somebody')
      },
    }
    return at === 'groups'
      ? { ...signedIn, user: Object.defineProperty({}, 'groups', trap) }
      : { ...signedIn, app: Object.defineProperty({}, 'tags', trap) }
  }

  test('in a condition denies, and the trace says so without telling the fact', () => {
    const rules = [
      { name: 'looks', when: { 'app.tags': ['x'] }, deny: {} },
      { name: 'all', allow: {} },
    ]
    const decision = judge(rules, broken('tags'))
    expect(decision).toMatchObject({ outcome: 'deny', rule: 'looks' })
    expect(decision.trace).toMatchObject([
      { matched: 'error', conditions: [{ condition: 'app.tags', result: 'error', why: 'RangeError' }] },
    ])
    expect(JSON.stringify(decision)).not.toContain('somebody')
  })

  test('inside any and not denies too, also where the rest would allow', () => {
    const rules = [{ name: 'looks', when: { any: [{ not: { 'app.tags': ['x'] } }, { 'user.id': ['u1'] }] }, allow: {} }]
    const decision = judge(rules, broken('tags'))
    expect(decision.outcome).toBe('deny')
    expect(decision.trace[0]!.conditions[0]).toMatchObject({
      condition: 'any',
      result: 'error',
      conditions: [{ condition: 'not', result: 'error' }],
    })
  })

  test('in a rule that only reports has no effect', () => {
    const rules = [
      { name: 'tried', mode: 'report', when: { 'app.tags': ['x'] }, deny: {} },
      { name: 'all', allow: {} },
    ]
    const decision = judge(rules, broken('tags'))
    expect(decision).toMatchObject({ outcome: 'allow', rule: 'all', reported: [] })
    expect(decision.trace[0]).toMatchObject({ matched: 'error', mode: 'report' })
  })

  test('outside of any condition denies', () => {
    const hostile = { app: { policy: 'p' }, user: {}, session: { authenticated: 7 } } as unknown as Facts
    expect(judge([always('all', { allow: {} })], hostile)).toMatchObject({ outcome: 'deny', rule: null })
    expect(judge([always('all', { allow: {} })], null as unknown as Facts)).toMatchObject({
      outcome: 'deny',
      rule: null,
    })
  })
})

describe('a rule in report mode', () => {
  const rules = (mode: string) => [
    { name: 'tried', mode, when: staff, deny: {} },
    { name: 'stricter', mode, allow: { strength: 'hardware' } },
    { name: 'all', allow: {} },
  ]

  test('is judged and recorded, and the next rule goes on', () => {
    const decision = judge(rules('report'), signedIn)
    expect(decision).toMatchObject({ outcome: 'allow', rule: 'all', required: { strength: 'any' } })
    expect(decision.reported).toEqual([
      { policy: 'p', rule: 'tried', line: expect.any(String), matched: true, outcome: 'deny' },
      { policy: 'p', rule: 'stricter', line: expect.any(String), matched: true, outcome: 'challenge' },
    ])
  })

  test('records that it may have matched', () => {
    expect(judge(rules('report'), { ...signedIn, user: {} }).reported[0]).toMatchObject({
      rule: 'tried',
      matched: 'unknown',
    })
  })

  test('does not by itself allow or deny where nothing else matches', () => {
    expect(judge([{ name: 'tried', mode: 'report', allow: {} }], signedIn)).toMatchObject({
      outcome: 'deny',
      rule: null,
    })
  })
})

describe('nobody signed in', () => {
  const nobody: Facts = { app: { tags: ['store'] }, network: { ip: '192.0.2.1' } }

  test.each([
    ['a rule on the person could allow', [{ name: 'r', when: staff, allow: {} }], 'challenge', 'r'],
    [
      'every rule denies',
      [
        { name: 'r', when: staff, deny: {} },
        { name: 's', deny: {} },
      ],
      'deny',
      'r',
    ],
    [
      'a rule before denies for certain',
      [
        { name: 'r', when: { 'app.tags': ['store'] }, deny: {} },
        { name: 's', allow: {} },
      ],
      'deny',
      'r',
    ],
    [
      'a rule before may deny',
      [
        { name: 'r', when: staff, deny: {} },
        { name: 's', when: care, allow: {} },
      ],
      'challenge',
      's',
    ],
    [
      'the rules that allow do not match the place',
      [{ name: 'r', when: { ...staff, network: ['office'] }, allow: {} }],
      'deny',
      null,
    ],
    ['only a report would allow', [{ name: 'r', mode: 'report', allow: {} }], 'deny', null],
  ])('when %s', (_, rules, outcome, rule) => {
    expect(judge(rules, nobody)).toMatchObject({ outcome, rule })
  })

  test('is never let in, whatever the session says', () => {
    const facts: Facts = { ...nobody, at: signedIn.at, session: signedIn.session }
    expect(judge([always('all', { allow: {} })], facts)).toMatchObject({
      outcome: 'challenge',
      satisfied_by: [],
      missing: [['passkey'], ['password'], ['totp'], ['recovery-code']],
    })
  })

  test('is asked for what every rule that may allow asks', () => {
    const two = [
      { name: 'r', when: staff, allow: { strength: 'phishing-resistant' } },
      { name: 's', when: care, allow: { strength: 'phishing-resistant', within: '1h' } },
    ]
    expect(judge(two, nobody)).toMatchObject({ required: { strength: 'phishing-resistant' }, missing: [['passkey']] })
    expect(judge([...two, { name: 't', allow: {} }], nobody).required).toEqual({ strength: 'any' })
  })
})

describe('a client that asks for itself', () => {
  const machine = (more: object = {}): Facts => ({
    request: { kind: 'api' },
    client: { id: 'sync', authentication: 'private_key_jwt', ...more },
  })
  const rules = [
    { name: 'staff', when: staff, allow: {} },
    { name: 'machines', when: { 'request.kind': 'api', 'client.id': ['sync'] }, allow: {} },
  ]

  test('is let in by a rule of its own, and belongs to no group', () => {
    const decision = judge(rules, machine())
    expect(decision).toMatchObject({ outcome: 'allow', rule: 'machines', satisfied_by: ['client'], missing: [] })
    expect(decision.trace[0]).toMatchObject({ rule: 'staff', matched: false })
  })

  test('is refused, not challenged, when no rule is about it', () => {
    expect(judge(rules, machine({ id: 'other' }))).toMatchObject({ outcome: 'deny', rule: null })
  })

  test.each([{ strength: 'two-factors' }, { within: '1h' }, { within: '0s' }])(
    'has no factors to give where a rule asks %j',
    (allow) => {
      expect(judge([always('all', { allow })], machine()).outcome).toBe('deny')
    },
  )

  test('never meets a strength of people', () => {
    const wanting = { ...machine(), request: { kind: 'api' as const, wanted: { strength: ['two-factors', 'any'] } } }
    expect(judge([always('all', { allow: {} })], wanting).outcome).toBe('deny')
  })

  test.each([
    ['it proved nothing', machine({ authentication: 'none' })],
    ['it has a session, so that some person is behind it', { ...machine(), session: {} }],
    ['it does not ask for a token', { ...machine(), request: { kind: 'app' as const } }],
  ])('is nobody when %s', (_, facts) => {
    expect(judge([always('all', { allow: {} })], facts).outcome).toBe('challenge')
  })

  test('needs no audience', () => {
    expect(judge(rules, { ...machine(), app: { audience: [] } }).outcome).toBe('allow')
  })
})

describe('the baseline', () => {
  const baseline = (rules: object[]) => ({ 'base.yaml': { policy: 'base', baseline: true, rules } })
  const others = { name: 'others', allow: {} }

  test('holds where it denies', () => {
    const files = baseline([
      { name: 'leavers', when: { 'user.groups': ['leavers'] }, deny: { say: 'Goodbye.' } },
      others,
    ])
    const leaver = { ...signedIn, user: { groups: ['staff', 'leavers'] } }
    expect(judge([always('all', { allow: {} })], leaver, files)).toMatchObject({
      outcome: 'deny',
      policy: 'base',
      rule: 'leavers',
      deny: { say: 'Goodbye.' },
    })
    expect(judge([always('all', { allow: {} })], signedIn, files)).toMatchObject({ outcome: 'allow', policy: 'p' })
  })

  test('adds its parts where both allow', () => {
    const files = baseline([{ name: 'mfa', allow: { strength: 'two-factors', session: { max: '10h' } } }])
    expect(
      judge([always('all', { allow: { within: '1h', session: { idle: '15m', max: '12h' } } })], signedIn, files),
    ).toMatchObject({
      outcome: 'challenge',
      required: { strength: 'two-factors', within: '1h' },
      session: { idle: '15m', max: '10h' },
    })
  })

  test('without a matching rule denies everything', () => {
    const files = baseline([{ name: 'care', when: care, allow: {} }])
    expect(judge([always('all', { allow: {} })], signedIn, files)).toMatchObject({
      outcome: 'deny',
      policy: 'base',
      rule: null,
    })
  })

  test('does not loosen a policy that denies', () => {
    expect(judge([always('no', { deny: {} })], signedIn, baseline([others]))).toMatchObject({
      outcome: 'deny',
      policy: 'p',
      rule: 'no',
    })
  })

  test('stands in the trace behind the policy, and is judged once when it is itself asked', () => {
    const policies = policiesOf([always('all', { allow: {} })], baseline([others]))
    expect(decide(policies, signedIn, { policy: 'p' }).trace.map(({ policy }) => policy)).toEqual(['p', 'base'])
    expect(decide(policies, signedIn, { policy: 'base' }).trace.map(({ policy }) => policy)).toEqual(['base'])
  })

  test('keeps nobody out whom it could allow after signing in, and everybody whom it could not', () => {
    const rules = [always('all', { allow: {} })]
    expect(
      judge(rules, {}, baseline([{ name: 'staff', when: staff, allow: { strength: 'two-factors' } }])),
    ).toMatchObject({
      outcome: 'challenge',
      required: { strength: 'two-factors' },
    })
    expect(
      judge(
        rules,
        { network: { ip: '192.0.2.1' } },
        baseline([{ name: 'o', when: { network: ['office'] }, allow: {} }]),
      ).outcome,
    ).toBe('deny')
  })
})

describe('the audience of an app', () => {
  const rules = [always('all', { allow: {} })]
  const asked = (audience: string[], user: Facts['user'] = { groups: ['staff'] }) =>
    judge(rules, { ...signedIn, user, app: { audience } })

  test.each([
    [['*'], 'allow', 'all'],
    [['staff', 'care'], 'allow', 'all'],
    [['care'], 'deny', 'audience'],
    [[], 'deny', 'audience'],
  ])('%j for staff is %s', (audience, outcome, rule) => {
    expect(asked(audience)).toMatchObject({ outcome, rule })
  })

  test('takes groups that are not known for others', () => {
    expect(asked(['staff'], {})).toMatchObject({ outcome: 'deny', rule: 'audience', trace: [{ matched: 'unknown' }] })
  })

  test('does not keep anybody from signing in', () => {
    expect(judge(rules, { app: { audience: ['care'] } }).outcome).toBe('challenge')
  })
})

test('zones from one file serve policies in another', () => {
  expect(Object.keys(NETWORKS.networks)).toEqual(['stores', 'office'])
  expect(
    judge([{ name: 'r', when: { network: ['office'] }, allow: {} }], { ...signedIn, network: { ip: '198.51.100.1' } })
      .outcome,
  ).toBe('allow')
})
