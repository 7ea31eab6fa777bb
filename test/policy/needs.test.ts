/** What policies say they need to know: the rest is neither looked up nor kept. */
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { loadPolicies, type Needs } from '#policy'
import { CONDITIONS } from '../../src/policy/conditions/list.ts'
import { policiesOf } from './house.ts'

const HOME = { 'home.yaml': { networks: { home: { countries: ['NL'] } } } }
const rule = (when: object, more: object = {}) => ({ name: JSON.stringify(when), when, allow: {}, ...more })
const signals = (needs: Needs) => [...needs.keys()].sort()
const needed = (when: object) => signals(policiesOf([rule(when)], HOME).needs)

describe('a policy needs', () => {
  test.each<[object, string[]]>([
    [{ 'user.groups': ['a'], 'device.known': true, network: ['stores'], 'session.age': { over: '1h' } }, []],
    [{ time: { days: 'mon', zone: 'Europe/Amsterdam' } }, []],
    [{ time: { days: 'mon', zone: 'site' } }, ['enrolment']],
    [{ 'device.enrolled': true }, ['enrolment']],
    [{ 'device.kind': 'shared' }, ['enrolment']],
    [{ 'device.site': '0001' }, ['enrolment']],
    [{ country: ['NL'] }, ['place']],
    [{ network: ['home'] }, ['place']],
    [{ network: { outside: ['stores', 'home'] } }, ['place']],
    [{ 'travel.speed': { over: 900 } }, ['travel']],
    [{ 'travel.distance': { over: 900 } }, ['travel']],
    [{ 'travel.new_country': { over: '90d' } }, ['countries', 'travel']],
    [{ 'frequency.sign_ins': { over: 1, within: '5m' } }, ['sign_ins']],
    [{ 'frequency.failures': { over: 1, within: '5m' } }, ['failures']],
    [{ 'frequency.app_opens': { over: 1, within: '5m' } }, ['app_opens']],
    [{ 'frequency.prompts': { over: 1, within: '5m' } }, ['prompts']],
    [{ 'frequency.absent': { over: '30d' } }, ['absence']],
    [{ 'upstream.assurance': 'any' }, ['upstream']],
    [{ 'device.platform': 'android' }, ['platform']],
    [{ not: { any: [{ all: [{ country: ['NL'] }] }, { 'frequency.absent': { over: '1d' } }] } }, ['absence', 'place']],
  ])('for %j %j', (when, expected) => {
    expect(needed(when)).toEqual(expected)
  })

  test('the kind of the device, where a rule would remember it', () => {
    const allow = { strength: 'two-factors', remember_device: '30d' }
    expect(signals(policiesOf([{ name: 'a', allow }]).needs)).toEqual(['enrolment'])
  })

  test('the windows of its counters, each once, the longest first', () => {
    const often = (within: string) => rule({ 'frequency.failures': { over: 1, within } })
    const { needs } = policiesOf([often('5m'), often('1h'), often('60m'), often('10m')], HOME)
    expect(needs.get('failures')!.windows.map(({ ms }) => ms)).toEqual([3_600_000, 600_000, 300_000])
  })

  test('also what rules in report mode look at, and says that none in force does', () => {
    const speed = { 'travel.speed': { over: 900 } }
    expect(policiesOf([rule(speed, { mode: 'report' })]).needs.get('travel')).toMatchObject({ enforced: false })
    const both = policiesOf([rule(speed, { mode: 'report' }), rule({ 'travel.distance': { over: 1 } })])
    expect(both.needs.get('travel')).toMatchObject({ enforced: true })
  })

  test('its own things and those of the baseline, and nothing that other policies look at', () => {
    const policies = policiesOf([rule({ country: ['NL'] })], {
      'q.yaml': { policy: 'q', rules: [rule({ 'frequency.absent': { over: '30d' } })] },
      'b.yaml': { policy: 'b', baseline: true, rules: [rule({ 'frequency.prompts': { over: 5, within: '10m' } })] },
    })
    expect(signals(policies.needsOf('p'))).toEqual(['place', 'prompts'])
    expect(signals(policies.needsOf('q'))).toEqual(['absence', 'prompts'])
    expect(signals(policies.needsOf('b'))).toEqual(['prompts'])
    expect(signals(policies.needsOf('none'))).toEqual([])
    expect(signals(policies.needsOf(undefined))).toEqual([])
    expect(signals(policies.needs)).toEqual(['absence', 'place', 'prompts'])
  })
})

test('the shipped policies need no place, and the store floor nothing but the kind of the device that it would remember', () => {
  const { policies } = loadPolicies(join(import.meta.dirname, '../../policies'))
  const { needs } = policies!
  expect(
    ['place', 'travel', 'countries', 'app_opens', 'prompts'].filter((signal) => needs.has(signal as never)),
  ).toEqual([])
  expect(signals(policies!.needsOf('store-apps'))).toEqual(['enrolment'])
  for (const name of ['account', 'default']) expect(policies!.needsOf(name).size).toBe(0)
})

test('every condition on what is not in the request itself says so', () => {
  const told = /^(travel|frequency|upstream)\.|^country$|^device\.(platform|enrolled|kind|site)$|^time$|^network$/
  const silent = CONDITIONS.filter(({ name, needs }) => told.test(name) && !needs).map(({ name }) => name)
  expect(silent).toEqual([])
})
