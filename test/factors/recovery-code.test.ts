import { afterEach, beforeEach, expect, test } from 'vitest'
import { type FactorsHouse, openHouse } from './house.ts'

let house: FactorsHouse
let codes: readonly string[]
const make = async () => (await house.factors.finishEnrolment('recovery-code', {}, house.about())).codes!
const verify = (code: string, conversation: string) =>
  house.refusalOf(house.factors.verify('recovery-code', code, house.attempt({ conversation })))
beforeEach(async () => {
  house = await openHouse()
  codes = await make()
})
afterEach(() => house.storage.close())

test('ten different codes of 80 bits are given out, and none of them is in the store', async () => {
  expect(new Set(codes).size).toBe(10)
  for (const code of codes) expect(code).toMatch(/^([0-9A-HJKMNP-TV-Z]{4}-){3}[0-9A-HJKMNP-TV-Z]{4}$/)
  const stored = JSON.stringify(await house.storage.records.selectFrom('factor_recovery_codes').selectAll().execute())
  for (const code of codes) expect(stored).not.toContain(code.replaceAll('-', ''))
})

test('each works once, and the list says how many are left', async () => {
  for (const [index, code] of codes.entries()) {
    expect(await verify(code, `c-${index}`)).toBe('accepted')
    expect(await verify(code, `again-${index}`)).toBe('code-invalid')
    house.time.now += 15 * 60_000
    const [left] = (await house.factors.enrolled('p-sam')).filter((factor) => factor.kind === 'recovery-code')
    expect(left).toMatchObject({ left: 9 - index, lastUsedAt: house.time.now - 15 * 60_000 })
  }
})

test('a code is read as people write it down', async () => {
  const written = codes[0]!.toLowerCase().replaceAll('-', ' ').replaceAll('0', 'o').replaceAll('1', 'l')
  expect(await verify(` ${written} `, 'c-1')).toBe('accepted')
  expect(await verify(codes[1]!.replaceAll('-', ''), 'c-2')).toBe('accepted')
})

test('new codes replace the old ones', async () => {
  const fresh = await make()
  expect(await verify(codes[0]!, 'c-1')).toBe('code-invalid')
  expect(await verify(fresh[0]!, 'c-2')).toBe('accepted')
  expect((await house.events('recovery-code')).filter((event) => event === 'recovery-codes-made')).toHaveLength(2)
})
