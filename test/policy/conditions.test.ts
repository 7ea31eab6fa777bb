import { describe, expect, test } from 'vitest'
import type { Facts } from '#policy'
import { judge } from './house.ts'

/** What a single condition says: the rule denies, so a match is seen in the trace alone. */
function ask(condition: string, wanted: unknown, facts: Facts) {
  const decision = judge([{ name: 'r', when: { [condition]: wanted }, deny: {} }], facts)
  return decision.trace[0]!.conditions[0]!
}

const user = (fields: object): Facts => ({ user: fields })
const app = (fields: object): Facts => ({ app: fields })
const device = (fields: object): Facts => ({ device: fields }) as Facts
const ip = (address: string): Facts => ({ network: { ip: address } })

const TABLE: [condition: string, wanted: unknown, facts: Facts, result: true | false | 'unknown'][] = [
  ['user.groups', ['staff', 'care'], user({ groups: ['care'] }), true],
  ['user.groups', 'care', user({ groups: ['care'] }), true],
  ['user.groups', ['staff'], user({ groups: ['care'] }), false],
  ['user.groups', ['staff'], user({ groups: [] }), false],
  ['user.groups', ['staff'], user({}), 'unknown'],
  ['user.groups', ['staff'], {}, 'unknown'],
  ['user.groups', { all: ['a', 'b'] }, user({ groups: ['b', 'a', 'c'] }), true],
  ['user.groups', { all: ['a', 'b'] }, user({ groups: ['a'] }), false],
  ['user.groups', { none: ['a', 'b'] }, user({ groups: ['c'] }), true],
  ['user.groups', { none: ['a', 'b'] }, user({ groups: ['b', 'c'] }), false],
  ['user.groups', { none: ['a'] }, user({}), 'unknown'],
  ['user.groups', { in: ['a'], none: ['b'] }, user({ groups: ['a', 'b'] }), false],
  ['user.groups', { in: ['a'], none: ['b'] }, user({ groups: ['a'] }), true],
  ['user.id', ['u1'], user({ id: 'u1' }), true],
  ['user.id', ['u1'], user({ id: 'u2', username: 'u1' }), false],
  ['user.id', ['u1'], user({}), 'unknown'],
  ['user.directory', ['staff'], user({ directory: 'staff' }), true],
  ['user.directory', { in: ['staff'] }, user({ directory: 'partners' }), false],
  ['user.directory', ['staff'], user({}), 'unknown'],
  ['user.organisation', ['retail'], user({ organisation: 'retail' }), true],
  ['user.organisation', ['retail'], user({ organisation: 'retail/nl' }), false],
  ['user.organisation', { under: ['retail'] }, user({ organisation: 'retail/nl' }), true],
  ['user.organisation', { under: ['retail'] }, user({ organisation: 'retail' }), true],
  ['user.organisation', { under: ['retail'] }, user({ organisation: 'retailer' }), false],
  ['user.organisation', { under: ['retail'] }, user({ organisation: null }), false],
  ['user.organisation', { under: ['retail'] }, user({}), 'unknown'],
  ['user.attribute.cost-centre', ['4711'], user({ attributes: { 'cost-centre': '4711' } }), true],
  ['user.attribute.cost-centre', ['4711'], user({ attributes: { 'cost-centre': ['1', '4711'] } }), true],
  ['user.attribute.cost-centre', ['4711'], user({ attributes: {} }), false],
  ['user.attribute.cost-centre', ['4711'], user({}), 'unknown'],
  ['user.attribute.badge', { exists: true }, user({ attributes: { badge: ['x'] } }), true],
  ['user.attribute.badge', { exists: true }, user({ attributes: { badge: [] } }), false],
  ['user.attribute.badge', { exists: true }, user({ attributes: { badge: null } }), false],
  ['user.attribute.badge', { exists: false }, user({ attributes: {} }), true],
  ['user.attribute.badge', { exists: true }, user({}), 'unknown'],
  ['user.attribute.constructor', { exists: true }, user({ attributes: {} }), false],
  ['app.id', ['crm'], app({ id: 'crm' }), true],
  ['app.id', ['crm'], app({ id: 'sim-swap' }), false],
  ['app.id', ['crm'], {}, 'unknown'],
  ['app.tags', ['high-risk'], app({ tags: ['store', 'high-risk'] }), true],
  ['app.tags', { all: ['store', 'high-risk'] }, app({ tags: ['store'] }), false],
  ['app.tags', { none: ['high-risk'] }, app({ tags: [] }), true],
  ['app.tags', ['high-risk'], app({}), 'unknown'],
  ['app.tier', ['critical'], app({ tier: 'critical' }), true],
  ['app.tier', ['critical'], app({ tier: null }), false],
  ['app.tier', ['critical'], app({}), 'unknown'],
  ['app.probed', { within: '90d' }, { at: '2026-11-22T09:00:00Z', ...app({ probed: '2026-09-01T09:00:00Z' }) }, true],
  ['app.probed', { within: '7d' }, { at: '2026-11-22T09:00:00Z', ...app({ probed: '2026-11-15T08:59:59Z' }) }, false],
  ['app.probed', { within: '7d' }, { at: '2026-11-22T09:00:00Z', ...app({ probed: '2026-11-15T09:00:00Z' }) }, true],
  ['app.probed', { within: '90d' }, { at: '2026-11-22T09:00:00Z', ...app({ probed: null }) }, false],
  ['app.probed', { within: '90d' }, { at: '2026-11-22T09:00:00Z', ...app({}) }, 'unknown'],
  ['app.probed', { within: '90d' }, { at: undefined, ...app({ probed: '2026-09-01T09:00:00Z' }) }, 'unknown'],
  ['network', ['stores'], ip('192.0.2.255'), true],
  ['network', 'stores', ip('192.0.3.0'), false],
  ['network', ['office', 'stores'], ip('198.51.100.127'), true],
  ['network', ['office'], ip('198.51.100.128'), false],
  ['network', ['stores'], ip('2001:db8:20:ffff::1'), true],
  ['network', ['stores'], ip('2001:db8:21::1'), false],
  ['network', { outside: ['stores', 'office'] }, ip('203.0.113.9'), true],
  ['network', { outside: ['stores', 'office'] }, ip('192.0.2.1'), false],
  ['network', { outside: ['stores'] }, {}, 'unknown'],
  ['network', ['stores'], {}, 'unknown'],
  // the same address in the forms that a dual-stack socket gives
  ['network', ['stores'], ip('::ffff:192.0.2.7'), true],
  ['network', ['stores'], ip('::ffff:c000:207'), true],
  ['network', ['stores'], ip('0:0:0:0:0:FFFF:C000:0207'), true],
  ['network', { outside: ['stores'] }, ip('::ffff:c000:207'), false],
  ['network', ['stores'], ip('::ffff:0:c000:207'), false],
  // what is no address says nothing
  ['network', ['stores'], ip('192.0.2.07'), 'unknown'],
  ['network', { outside: ['stores'] }, ip('garbage'), 'unknown'],
  ['device.known', true, device({ known: true }), true],
  ['device.known', true, device({ known: false }), false],
  ['device.known', { is: false }, device({ known: false }), true],
  ['device.known', false, device({}), 'unknown'],
  ['device.enrolled', true, device({ enrolled: true }), true],
  ['device.enrolled', true, {}, 'unknown'],
  ['device.kind', 'shared', device({ kind: 'shared' }), true],
  ['device.kind', ['shared'], device({ kind: 'personal' }), false],
  ['device.kind', 'shared', device({}), 'unknown'],
  ['device.site', ['utrecht-1'], device({ site: 'utrecht-1' }), true],
  ['device.site', ['utrecht-1'], device({ site: null }), false],
  ['device.platform', ['android', 'ios'], device({ platform: 'ios' }), true],
  ['device.platform', ['android'], {}, 'unknown'],
  ['session.age', { over: '8h' }, { at: 8 * 3_600_000 + 1, session: { started: 0 } }, true],
  ['session.age', { over: '8h' }, { at: 8 * 3_600_000, session: { started: 0 } }, false],
  ['session.age', { over: '8h' }, { at: 8 * 3_600_000 }, 'unknown'],
  ['session.age', { over: '8h' }, { session: { started: 0 } }, 'unknown'],
  [
    'session.age',
    { over: '8h' },
    { at: '2026-11-22T09:00:01Z', session: { started: '2026-11-22T02:00:00+01:00' } },
    true,
  ],
  ['request.kind', ['admin', 'helpdesk'], { request: { kind: 'admin' } }, true],
  ['request.kind', 'admin', { request: { kind: 'app' } }, false],
  ['request.kind', 'admin', {}, 'unknown'],
  // of a client that asks for itself it is known that there is no person
  ['user.groups', ['staff'], { request: { kind: 'api' }, client: { id: 'x' } }, false],
  ['user.groups', { none: ['staff'] }, { request: { kind: 'api' }, client: { id: 'x' } }, true],
  ['user.id', ['u1'], { request: { kind: 'api' }, client: { id: 'x' } }, false],
  ['user.directory', ['staff'], { request: { kind: 'api' }, client: { id: 'x' } }, false],
  ['user.organisation', { under: ['retail'] }, { request: { kind: 'api' }, client: { id: 'x' } }, false],
  ['user.attribute.badge', { exists: true }, { request: { kind: 'api' }, client: { id: 'x' } }, false],
  ['client.id', ['orders'], { client: { id: 'orders' } }, true],
  ['client.organisation', ['acme'], { client: { organisation: 'other' } }, false],
  ['client.authentication', ['private_key_jwt'], {}, 'unknown'],
  ['client.network_known', false, { client: { network_known: false } }, true],
  ['client.network_known', true, { client: { network_known: false } }, false],
  ['client.network_known', false, { client: {} }, 'unknown'],
  ['client.network_known', true, { client: {} }, 'unknown'],
  ['client.network_known', false, { client: null }, false],
  ['client.network_known', true, { client: null }, false],
  ['client.failures', { over: 5 }, { client: { failures: 6 } }, true],
  ['client.failures', { over: 5 }, { client: { failures: 5 } }, false],
  ['client.failures', { over: 5 }, { client: {} }, 'unknown'],
  ['client.failures', { over: 0 }, { client: null }, false],
  ['client.volume', { over: 2.5 }, { client: { volume: 2.6 } }, true],
  ['client.volume', { over: 2.5 }, { client: { volume: 2.5 } }, false],
  ['client.volume', { over: 2.5 }, {}, 'unknown'],
]

describe('a condition', () => {
  test.each(TABLE)('%s wanting %j of %j is %s', (condition, wanted, facts, result) => {
    expect(ask(condition, wanted, facts).result).toBe(result)
  })

  test('tells what it wanted and what it saw', () => {
    expect(ask('app.tags', ['high-risk'], app({ tags: ['store'] }))).toEqual({
      condition: 'app.tags',
      wanted: ['high-risk'],
      seen: ['store'],
      result: false,
    })
  })

  test('tells why it is unknown', () => {
    expect(ask('network', ['stores'], {})).toEqual({
      condition: 'network',
      wanted: ['stores'],
      seen: 'unknown',
      result: 'unknown',
      why: 'the address is not known',
    })
  })

  test.each([
    [true, true],
    [false, false],
  ])('takes what is unknown as %s where the file says so', (told, result) => {
    const entry = ask('user.groups', { in: ['staff'], unknown: told }, {})
    expect(entry.result).toBe(result)
    expect(entry.why).toContain(`takes that as ${told}`)
  })

  test('does not let the file overrule what is known', () => {
    expect(ask('user.groups', { in: ['staff'], unknown: true }, user({ groups: [] })).result).toBe(false)
    expect(ask('device.known', { is: true, unknown: false }, device({ known: true })).result).toBe(true)
    expect(ask('network', { outside: ['stores'], unknown: false }, ip('203.0.113.1')).result).toBe(true)
    expect(ask('session.age', { over: '1h', unknown: true }, {}).result).toBe(true)
  })
})
