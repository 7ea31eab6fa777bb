/** Receipts are kept for as long as the setting says; a running server sees to it. */
import { expect, test } from 'vitest'
import { startGateway } from '../support/gateway.ts'
import { allowed, NINE, silent } from './house.ts'

const DAY = 86_400_000

test('a server removes what is older than `receipts.keep`, day by day, and the rest stays', async () => {
  const clock = { at: NINE, now: () => clock.at }
  const gateway = await startGateway({ clock, settings: { receipts: { keep: '30d' } } })
  try {
    const { receipts, seals } = gateway.server.house
    const references: string[] = []
    for (let day = 0; day < 40; day++) references.push(await receipts.add(silent(day * 1440), allowed()))
    const kept = async () => {
      const found = await Promise.all(references.map((reference) => receipts.find(reference)))
      return found.filter((receipt) => receipt !== undefined).length
    }
    clock.at = NINE + 30 * DAY
    await gateway.server.tick()
    expect(await kept()).toBe(40)
    clock.at = NINE + 35 * DAY + 1
    await gateway.server.tick()
    expect(await kept()).toBe(34)
    // the last one is of a day to come, and waits for company
    expect(await seals.check({})).toMatchObject({ findings: [], receipts: 33, unsealed: { receipts: 1 } })
    clock.at = NINE + 300 * DAY
    await gateway.server.tick()
    expect(await kept()).toBe(0)
    expect(await seals.check({})).toMatchObject({ findings: [], receipts: 0 })
    // the number of the newest is not given again
    expect(references).not.toContain(await receipts.add(silent(300 * 1440), allowed()))
  } finally {
    await gateway.close()
  }
})
