import { expect, test } from 'vitest'
import { storeDay } from '../../bench/store-day.ts'

test('65 openings of eight apps in nine hours need one sign-in and one step-up', { timeout: 60_000 }, async () => {
  const day = await storeDay()
  expect(day.openings).toBe(65)
  expect(day.prompts.map(({ kind, app, asked, rule }) => ({ kind, app, asked, rule }))).toEqual([
    { kind: 'sign-in', app: 'crm', asked: ['identifier', 'password'], rule: expect.any(String) },
    { kind: 'step-up', app: 'sim-swap', asked: ['passkey'], rule: 'high-risk app' },
  ])
})
