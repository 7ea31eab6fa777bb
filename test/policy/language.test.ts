/** The example with which the policy language was laid down: it loads as it stands, and means what its rules say. */
import { describe, expect, test } from 'vitest'
import { type Decision, decide, type Facts, runPolicyTests } from '#policy'
import { load, NINE, nine } from './house.ts'

const NETWORKS = `networks:
  head-office: { ranges: [192.0.2.0/24, '2001:db8:10::/48'] }
  stores:      { file: networks/stores.csv }
  home-market: { countries: [NL, BE] }
`
const STRENGTHS = `strengths:
  store-floor: [[passkey], [badge, pin], [password]]
`
const STORE_APPS = `policy: store-apps
title: Store and care apps
owner: it-care@kestrel.example
rules:
  - name: closed outside stores
    when:
      app.tags: [high-risk]
      network: { outside: [stores, head-office] }
    deny: { say: This app only opens inside a store or at head office., do: Use a store tablet. }

  - name: impossible journey
    when: { travel.speed: { over: 900 } }           # km/h between this and the previous sign-in
    allow: { strength: phishing-resistant, within: 0s }

  - name: shared tablet in a store
    when: { device.kind: shared, device.enrolled: true, network: [stores] }
    allow: { strength: store-floor, session: { idle: 15m, max: 10h } }

  - name: signs in unusually often
    when: { frequency.sign_ins: { over: 10, within: 5m } }
    allow: { strength: two-factors, within: 0s }

  - name: known device
    when: { device.known: true, user.groups: [staff] }
    allow: { strength: two-factors, within: 12h, remember_device: 30d }

  - name: everyone else on the staff
    when: { user.groups: [staff] }
    allow: { strength: two-factors, within: 1h }

tests:
  - name: a care agent at home cannot open SIM swap
    given: { user: { groups: [staff, care] }, app: { id: sim-swap, tags: [high-risk] }, network: { ip: 198.51.100.7 } }
    expect: { outcome: deny, rule: closed outside stores }
`
const { policies, problems } = load({
  'networks.yaml': NETWORKS,
  'networks/stores.csv': 'cidr,site,latitude,longitude\n203.0.113.0/25,utrecht-1,52.09,5.12\n',
  'strengths.yaml': STRENGTHS,
  'store-apps.yaml': STORE_APPS,
})

const known: Facts = {
  at: NINE,
  user: { id: 'u1', groups: ['staff'] },
  app: { id: 'crm', policy: 'store-apps', tags: ['store'] },
  network: { ip: '192.0.2.9', country: 'NL', latitude: 52.37, longitude: 4.9 },
  device: { known: false, enrolled: false, kind: 'personal' },
  session: { started: nine, authenticated: [{ factor: 'password', at: nine }] },
  history: { previous: { at: nine - 3_600_000, country: 'NL', latitude: 52.1, longitude: 5.1 }, sign_ins: [] },
}
const decided = (more: Partial<Facts>): Decision => decide(policies!, { ...known, ...more })

test('the example of the policy language loads as it stands, and its test passes', () => {
  expect(problems).toEqual([])
  expect(policies!.find('store-apps')).toMatchObject({ title: 'Store and care apps', owner: 'it-care@kestrel.example' })
  expect(runPolicyTests(policies!).map(({ ok }) => ok)).toEqual([true])
})

describe('each rule of the example decides:', () => {
  const [store, office] = [{ ip: '203.0.113.7' }, { ip: '192.0.2.9' }]
  test.each<[string, Partial<Facts>, Partial<Decision>]>([
    [
      'closed outside stores',
      { app: { policy: 'store-apps', tags: ['high-risk'] }, network: { ip: '198.51.100.7' } },
      {
        outcome: 'deny',
        deny: { say: 'This app only opens inside a store or at head office.', do: 'Use a store tablet.' },
      },
    ],
    [
      'impossible journey',
      { network: { ...office, latitude: 40.7, longitude: -74 } },
      { outcome: 'challenge', required: { strength: 'phishing-resistant', within: '0s' } },
    ],
    [
      'shared tablet in a store',
      { device: { kind: 'shared', enrolled: true }, network: store },
      { outcome: 'allow', required: { strength: 'store-floor' }, session: { idle: '15m', max: '10h' } },
    ],
    [
      'signs in unusually often',
      { history: { ...known.history!, sign_ins: [{ within: '5m', count: 11 }] } },
      { outcome: 'challenge', required: { strength: 'two-factors', within: '0s' } },
    ],
    [
      'known device',
      { device: { known: true, enrolled: false, kind: 'personal' } },
      { outcome: 'challenge', required: { strength: 'two-factors', within: '12h' }, remember_device: '30d' },
    ],
    ['everyone else on the staff', {}, { outcome: 'challenge', required: { strength: 'two-factors', within: '1h' } }],
  ])('%s', (rule, more, expected) => {
    expect(decided(more)).toMatchObject({ policy: 'store-apps', rule, ...expected })
  })

  test('and nobody else is let in', () => {
    expect(decided({ user: { groups: ['partners'] } })).toMatchObject({ outcome: 'deny', rule: null })
  })
})

describe('the answer', () => {
  test('has the parts of the language, and is there at once', () => {
    const answer = decided({ device: { known: true, enrolled: false, kind: 'personal' } })
    expect(answer).not.toBeInstanceOf(Promise)
    for (const part of [
      'outcome',
      'policy',
      'rule',
      'line',
      'required',
      'satisfied_by',
      'missing',
      'reported',
      'trace',
    ])
      expect(answer).toHaveProperty(part)
    expect(answer.line).toMatch(/store-apps\.yaml:23$/)
    expect(answer.versions).toEqual({ policies: expect.stringMatching(/^sha256:[0-9a-f]{64}$/), facts: 1 })
    expect(answer.trace[0]).toEqual({
      policy: 'store-apps',
      rule: 'closed outside stores',
      line: expect.stringMatching(/store-apps\.yaml:5$/),
      matched: false,
      conditions: [{ condition: 'app.tags', wanted: ['high-risk'], seen: ['store'], result: false }],
    })
  })

  test('of a first sign-in: no journey and no count, and not "seen not long ago"', () => {
    const first = decided({ history: { previous: null } })
    expect(first.rule).toBe('everyone else on the staff')
    const results = first.trace.flatMap(({ conditions }) => conditions)
    for (const condition of ['travel.speed', 'frequency.sign_ins'])
      expect(results.find((one) => one.condition === condition)).toMatchObject({ result: false })
  })
})
