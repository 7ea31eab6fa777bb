import { expect, test } from 'vitest'
import { storeDay } from '../../bench/store-day.ts'

test('65 openings of eight apps in nine hours need one sign-in and one step-up', { timeout: 60_000 }, async () => {
  const day = await storeDay()
  expect(day.openings).toBe(65)
  expect(day.prompts.map(({ kind, app, asked, rule }) => ({ kind, app, asked, rule }))).toEqual([
    { kind: 'sign-in', app: 'crm', asked: ['identifier', 'password'], rule: expect.any(String) },
    { kind: 'step-up', app: 'sim-swap', asked: ['passkey'], rule: 'high-risk app' },
  ])
  // and the receipts alone tell the same: one row for each page that decided, 65 openings, two prompts with their causes
  const { friction, replayed } = day.seen
  expect(friction).toMatchObject({ prompts: { count: 1, total: 2 }, unanswered: 0 })
  expect(friction.causes.map(({ app, rule, because, of }) => ({ app, rule, because, of }))).toEqual([
    { app: 'crm', rule: expect.any(String), because: 'no-session', of: null },
    { app: 'sim-swap', rule: 'high-risk app', because: 'strength', of: 'two-factors' },
  ])
  expect(replayed).toMatchObject({
    total: { openings: 65, unchanged: 65 },
    prompts: { before: { total: 2 }, after: { total: 2 } },
  })
})
