import { describe, expect, test } from 'vitest'
import { parseFacts, readFacts } from '#policy'

/** The example of POLICY.md, with its gaps filled. */
const COMPLETE = {
  at: '2026-11-22T09:00:00Z',
  request: { kind: 'app' },
  user: { id: 'u', username: 'sam', groups: ['staff'], organisation: 'retail/nl', directory: 'staff', attributes: {} },
  app: { id: 'crm', policy: 'store-apps', tags: ['store'], tier: 'standard' },
  network: { ip: '203.0.113.9', country: 'NL', latitude: 52.1, longitude: 5.1 },
  device: { id: 'd', known: true, enrolled: false, kind: 'personal', platform: 'android' },
  session: {
    started: '2026-11-22T08:00:00+01:00',
    authenticated: [{ factor: 'password', at: 1_795_000_000_000 }],
    upstream: { assurance: 'two-factors', at: '2026-11-22T08:00:00Z' },
  },
  history: {
    previous: { at: '2026-11-21T08:00:00Z', country: 'NL', latitude: 52.1, longitude: 5.1 },
    countries: [{ country: 'NL', at: '2026-11-21T08:00:00Z' }],
    sign_ins: [{ within: '5m', count: 3 }],
    failures: [],
  },
  client: { id: 'c', authentication: 'private_key_jwt', scopes: ['orders:read'] },
}

describe('facts', () => {
  test('are taken as POLICY.md shows them, and all of them may be left out', () => {
    expect(parseFacts(COMPLETE, 'f').problems).toEqual([])
    expect(parseFacts({}, 'f')).toEqual({ facts: {}, problems: [] })
    expect(parseFacts({ history: { previous: null } }, 'f').problems).toEqual([])
    expect(parseFacts({ history: { previous: [{ at: 0 }, {}] }, session: { upstream: null } }, 'f').problems).toEqual(
      [],
    )
  })

  test.each([
    [{ usr: {} }, 'unknown-key', 'did you mean `user`?'],
    [{ user: { grups: [] } }, 'unknown-key', 'did you mean `groups`?'],
    [{ session: { authenticated: [{ factor: 'pasword' }] } }, 'invalid', 'password'],
    [{ at: 'yesterday' }, 'invalid', '`at`'],
    [{ at: '2026-11-22T09:00:00' }, 'invalid', '`at`'],
    [{ network: { ip: '010.0.0.1' } }, 'invalid', 'expected an IPv4 or IPv6 address'],
    [{ user: { groups: 'staff' } }, 'invalid', '`user.groups`'],
    [{ request: { kind: 'login' } }, 'invalid', '`request.kind`'],
    [{ request: { wanted: { max_age: -1 } } }, 'invalid', '`request.wanted.max_age`'],
    [{ network: { country: 'nl' } }, 'invalid', '`network.country`'],
    [{ network: { latitude: 91 } }, 'invalid', '`network.latitude`'],
    [{ history: { previus: null } }, 'unknown-key', 'did you mean `previous`?'],
    [{ history: { previous: 'never' } }, 'invalid', '`history.previous`'],
    [{ history: { previous: [] } }, 'invalid', '`history.previous`'],
    [{ history: { previous: { at: 'yesterday' } } }, 'invalid', '`history.previous.at`'],
    [{ history: { previous: [{ longitude: 200 }] } }, 'invalid', '`history.previous.0.longitude`'],
    [{ history: { countries: ['NL'] } }, 'invalid', '`history.countries.0`'],
    [{ history: { countries: [{ at: 0 }] } }, 'missing', '`history.countries.0.country`'],
    [{ history: { sign_ins: 3 } }, 'invalid', '`history.sign_ins`'],
    [{ history: { sign_ins: [{ within: '5 minutes', count: 3 }] } }, 'invalid', '`history.sign_ins.0.within`'],
    [{ history: { failures: [{ within: '0s', count: 3 }] } }, 'invalid', 'expected a duration like `5m`'],
    [{ history: { prompts: [{ within: '5m', count: -1 }] } }, 'invalid', '`history.prompts.0.count`'],
    [{ history: { app_opens: [{ within: '5m' }] } }, 'missing', '`history.app_opens.0.count`'],
    [[], 'invalid', 'document'],
    ['sam', 'invalid', 'document'],
  ])('%j are refused', (json, code, message) => {
    const { facts, problems } = parseFacts(json, 'f.json')
    expect(facts).toBeUndefined()
    expect(problems).toHaveLength(1)
    expect(problems[0]).toMatchObject({ file: 'f.json', code })
    expect(problems[0]!.message).toContain(message)
  })

  test('read from a text carry the line of each problem', () => {
    const text = '[\n  {},\n  { "user": {\n    "grups": [],\n    "id": 7 } }\n]'
    const { facts, problems } = readFacts(text, 'f.json')
    expect(facts).toBeUndefined()
    expect(problems.map(({ line, code }) => [line, code])).toEqual([
      [4, 'unknown-key'],
      [5, 'invalid'],
    ])
  })

  test.each(['', '{', '{ "at": }', 'at: 2026-11-22T09:00:00Z'])('that are no JSON are refused: %j', (text) => {
    expect(readFacts(text, 'f.json').problems).toMatchObject([{ file: 'f.json', code: 'json-invalid' }])
  })

  test('may be one object or an array of them', () => {
    expect(readFacts('{}', 'f').facts).toEqual({})
    expect(readFacts('[{},{"at":0}]', 'f').facts).toEqual([{}, { at: 0 }])
  })
})
