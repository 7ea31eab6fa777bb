/** What the bench fills a server with is what the real code finds there: copies that are read as people, sessions and receipts. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { createLog } from '#audit'
import { loadSettings } from '#config'
import { systemClock } from '#core/clock'
import { fillPlace } from '../../bench/filled/place.ts'
import { PASSWORD, PEOPLE } from '../../bench/subjects.ts'
import { startPortico } from '../../bench/throughput.ts'
import { openHouse } from '../../src/house.ts'

const folder = mkdtempSync(join(tmpdir(), 'portico-fill-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('copied people are found and know their password, copied sessions live, copied receipts tell whose they are and count as sealed', async () => {
  const place = await startPortico(folder)
  await fillPlace(place, { people: 20, sessions: 60, receipts: 240, apps: 0 })
  const { settings, folder: own } = loadSettings(place.file, {})
  const house = await openHouse({
    settings: settings!,
    folder: own,
    clock: systemClock,
    log: createLog({ level: 'silent' }),
  })
  try {
    const person = (await house.people.find(`user${PEOPLE + 7}`))!
    expect(person).toMatchObject({ name: 'Given7 Family7', groups: ['staff', 'store'] })
    expect((await house.people.list({ search: 'Family7' })).map(({ id }) => id)).toEqual([person.id])
    expect(await house.people.verifyPassword(person.username, PASSWORD)).toMatchObject({ id: person.id })
    const sessions = await house.sessions.ofPerson(person.id)
    expect(sessions).toHaveLength(3)
    expect(sessions[0]!.apps).toMatchObject([{ app: 'web' }])
    expect(new Set(sessions.map(({ deviceId }) => deviceId)).size).toBe(3)
    expect(await house.devices.ofPerson(person.id)).toHaveLength(3)
    const receipts = await house.receipts.ofPerson(person.id, 100)
    expect(receipts).toHaveLength(12)
    expect(receipts[0]).toMatchObject({ facts: { user: { id: person.id } } })
    // only what the sample did after it was sealed
    expect(await house.seals.seal(true)).toBe(0)
  } finally {
    await house.close()
  }
})
