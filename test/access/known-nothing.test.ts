/** What is known to be nothing is not unknown: a rule about it is not judged both ways. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Question } from '#access'
import type { App } from '#catalog'
import { hours } from '#core/clock'
import type { Session } from '#sessions'
import { openRooms } from './rooms.ts'

const NOW = Date.parse('2026-11-23T09:00:00Z')
const clock = { now: () => NOW }
const POLICIES = {
  'mixed.yaml': {
    policy: 'mixed',
    rules: [
      { name: 'no secrets', when: { 'client.authentication': ['client_secret_basic'] }, deny: {} },
      { name: 'not this one', when: { 'client.id': ['sync'] }, deny: {} },
      { name: 'partners', when: { 'client.organisation': ['northwind'] }, allow: { scopes: ['orders:read'] } },
      { name: 'everybody', allow: {} },
    ],
  },
  'own.yaml': { policy: 'account', rules: [{ name: 'everybody', allow: {} }] },
  'base.yaml': {
    policy: 'base',
    baseline: true,
    rules: [
      { name: 'risky', when: { 'app.tags': ['high-risk'] }, deny: {} },
      { name: 'critical', when: { 'app.tier': ['critical'] }, deny: {} },
      { name: 'closed', when: { 'app.id': ['old'] }, deny: {} },
      { name: 'not probed', when: { 'app.probed': { within: '90d' }, 'app.tags': { none: ['x'] } }, deny: {} },
      { name: 'everything else', allow: {} },
    ],
  },
}

let rooms: Awaited<ReturnType<typeof openRooms>>
let session: Session
beforeEach(async () => {
  rooms = await openRooms({
    clock,
    policies: POLICIES,
    defaults: { idle: hours(2), max: hours(12) },
    people: ['sam'],
  })
  const proofs = [{ factor: 'password', at: NOW, amr: [] }] as const
  session = (await rooms.sessions.start({ personId: 'sam', proofs, address: '192.0.2.1' })).session
})
afterEach(() => rooms.close())

const appOf = (more: object = {}) =>
  ({ id: 'crm', policy: 'mixed', tags: [], tier: 'standard', ...more }) as unknown as App
const ask = async (question: Partial<Question>) => {
  const verdict = await rooms.access.ask({ kind: 'app', address: '192.0.2.1', startedAt: NOW, ...question })
  const { facts, gathered, ...receipt } = (await rooms.access.receipts.find(verdict.reference!))!
  // and the receipt says the same
  expect(facts).toEqual(verdict.facts)
  return { ...verdict, receipt }
}

test('where a person opens an app no program asks: rules about programs are not about them', async () => {
  const { outcome, decision } = await ask({ app: appOf({ audience: ['*'] }), session })
  expect([outcome, decision.rule, decision.scopes]).toEqual(['allow', 'everybody', undefined])
  expect(decision.trace.filter(({ matched }) => matched === 'unknown')).toEqual([])
})

test('the own pages are no app: rules about apps are not about them, in the baseline either', async () => {
  for (const kind of ['app', 'account'] as const) {
    const { outcome, decision, receipt } = await ask({ kind, policy: 'account', session })
    expect([outcome, decision.rule, receipt.app]).toEqual(['allow', 'everybody', undefined])
    expect(decision.trace.filter(({ matched }) => matched === 'unknown')).toEqual([])
  }
})

test('a program belongs to the organisation of its manifest, or is known to belong to none', async () => {
  const client = { id: 'orders', authentication: 'private_key_jwt' }
  const of = async (organisation?: string) => {
    const app = appOf({ id: 'orders', ...(organisation && { organisation }) })
    const { decision } = await ask({ kind: 'api', app, client })
    return [decision.rule, decision.scopes]
  }
  expect(await of('northwind')).toEqual(['partners', ['orders:read']])
  expect(await of('contoso')).toEqual(['everybody', undefined])
  expect(await of()).toEqual(['everybody', undefined])
})
