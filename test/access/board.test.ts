/** The factory board: who opened what, from receipts, and what that says about an app. */
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { boardOf } from '#access/reports'
import type { App } from '#catalog'
import { allowed, inTurns, NINE, openStore, type Store, silent } from './house.ts'

const DAY = 86_400_000
const denied = { ...allowed(), outcome: 'deny' as const }

let store: Store
beforeEach(async () => {
  store = await openStore()
})
afterEach(() => store.storage.close())

const used = async (since = 0) =>
  (await store.receipts.appUses(since))
    .toSorted((a, b) => (a.app < b.app ? -1 : 1))
    .map(({ app, people }) => [app, people])

test('people are counted once for each app, and only where they got in', async () => {
  await store.receipts.add(silent(0, { person: 'sam', app: 'crm' }), allowed())
  await store.receipts.add(silent(1, { person: 'sam', app: 'crm' }), allowed('another rule'))
  await store.receipts.add(silent(2, { person: 'sam', app: 'crm', ip: '192.0.2.1' }), allowed())
  await store.receipts.add(silent(3, { person: 'kim', app: 'crm' }), allowed())
  await store.receipts.add(silent(4, { person: 'kim', app: 'till' }), denied)
  expect(await used()).toEqual([['crm', 2]])
  expect(await store.receipts.appUses(0)).toEqual([{ app: 'crm', people: 2, last: NINE + 3 * 60_000 }])
  expect(await used(NINE + 3 * 60_000)).toEqual([['crm', 1]])
  expect(await used(NINE + 4 * 60_000)).toEqual([])
})

test('whoever was removed since was there all the same', async () => {
  await store.receipts.add(silent(0, { person: 'sam', app: 'crm' }), allowed())
  await store.receipts.forget('sam')
  expect(await used()).toEqual([['crm', 1]])
})

test('many people, apps and pages are counted like a set counts them', async () => {
  const given = fc.sample(
    fc.record({ person: fc.integer({ min: 0, max: 2999 }), app: fc.integer({ min: 0, max: 8 }), yes: fc.boolean() }),
    { numRuns: 25_000, seed: 20261130 },
  )
  await inTurns(given, ({ person, app, yes }, i) =>
    store.receipts.add(silent(i / 100, { person: `p${person}`, app: `app${app}` }), yes ? allowed() : denied),
  )
  const sets = new Map<string, Set<number>>()
  for (const { person, app, yes } of given) {
    if (yes) sets.set(`app${app}`, (sets.get(`app${app}`) ?? new Set()).add(person))
  }
  const seen: number[] = []
  const found = await store.receipts.appUses(0, (done) => seen.push(done))
  expect(Object.fromEntries(found.map(({ app, people }) => [app, people]))).toEqual(
    Object.fromEntries([...sets].map(([app, people]) => [app, people.size])),
  )
  expect(seen.at(-1)).toBe(1)
  expect(seen).toEqual(seen.toSorted((a, b) => a - b))
})

const app = (id: string, more: object = {}): App =>
  ({ id, name: id, oidc: { grantTypes: ['authorization_code'] }, createdAt: NINE, ...more }) as unknown as App

test('each stage by its own signs, with the time that it took', () => {
  const apps = [
    app('new', { owner: 'Till team' }),
    app('tried', { firstOpenedAt: NINE + 2 * DAY }),
    app('used', { firstOpenedAt: NINE + 4 * DAY, saml: {} }),
    app('left', { firstOpenedAt: NINE + DAY }),
    app('broken', { firstOpenedAt: NINE + DAY }),
    app('robot', { oidc: { grantTypes: ['client_credentials'] } }),
    // registered anew under an id that was opened before
    app('again', { createdAt: NINE + 30 * DAY }),
  ]
  const uses = [
    { app: 'tried', people: 1, last: NINE + 3 * DAY },
    { app: 'used', people: 40, last: NINE + 9 * DAY },
    { app: 'again', people: 7, last: NINE + 29 * DAY },
    { app: 'broken', people: 9, last: NINE + 4 * DAY },
    { app: 'removed', people: 7, last: NINE },
  ]
  const board = boardOf(
    apps,
    uses,
    new Map([
      ['broken', NINE + 5 * DAY],
      ['used', NINE + 5 * DAY],
    ]),
  )
  expect(board.apps.map(({ id, stage, lead, people }) => [id, stage, lead, people])).toEqual([
    ['new', 'registered', undefined, 0],
    ['tried', 'first-sign-in', 2 * DAY, 1],
    ['used', 'in-use', 4 * DAY, 40],
    ['left', 'idle', DAY, 0],
    ['broken', 'failing', DAY, 9],
    ['again', 'registered', undefined, 0],
  ])
  expect(board.apps[0]!.owner).toBe('Till team')
  expect(board.apps[2]!.protocols).toEqual(['oidc', 'saml'])
  expect(board.months).toEqual([
    { month: '2026-12', registered: 1, opened: 0, lead: undefined },
    { month: '2026-11', registered: 5, opened: 4, lead: DAY },
  ])
})
