/** `kill -9` while tablets are set up, two with each code: what was answered holds, and no code makes two devices. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { loadSettings } from '#config'
import { systemClock } from '#core/clock'
import { silentLog } from '#core/log'
import { openHouse } from '../../src/house.ts'
import { makePlace, type Place, portico, type Serving, serve } from '../support/serve.ts'

const CODES = 60
const ENOUGH = 15

let place: Place
let serving: Serving
/** Codes by the name of the device that each makes. */
const codes = new Map<string, string>()

beforeAll(async () => {
  place = await makePlace({ settings: { proxies: ['127.0.0.0/8'] }, people: [] })
  const { settings } = loadSettings(place.config, {})
  const house = await openHouse({ settings: settings!, folder: place.folder, clock: systemClock, log: silentLog })
  for (let n = 0; n < CODES; n++) {
    const name = `Tablet ${n}`
    codes.set(name, (await house.devices.enrolment.begin({ kind: 'shared', name }, 'cli')).code)
  }
  await house.close()
  serving = await serve(place.config)
}, 60_000)
afterAll(async () => {
  await serving?.stop()
  await place?.remove()
})

let addresses = 0
/** The cookie, where there was an answer that gives one; `refused` or `lost`. */
async function redeem(code: string): Promise<string> {
  try {
    const response = await fetch(`${place.issuer}/device`, {
      method: 'POST',
      redirect: 'manual',
      headers: { 'x-forwarded-for': `198.51.100.${++addresses}` },
      body: new URLSearchParams({ step: 'enrol-device', code }),
    })
    return response.status === 303 ? response.headers.getSetCookie()[0]!.split(';')[0]! : 'refused'
  } catch {
    return 'lost'
  }
}

async function enrolled(): Promise<string[]> {
  const list = portico(['devices', 'list', '--enrolled', '--json', '--config', place.config])
  expect(await list.exited).toBe(0)
  return (JSON.parse(list.out()) as { name: string }[]).map(({ name }) => name)
}

test('whatever was answered is a device after it, each code is spent with its device or not at all, and once', async () => {
  const told = new Map<string, string[]>()
  let answered = 0
  await Promise.all(
    [...codes].flatMap(([name, code]) =>
      [0, 1].map(async () => {
        const cookie = await redeem(code)
        if (!cookie.startsWith('portico-')) return
        told.set(name, [...(told.get(name) ?? []), cookie])
        if (++answered === ENOUGH) await serving.stop('SIGKILL')
      }),
    ),
  )
  expect(answered).toBeGreaterThanOrEqual(ENOUGH)
  expect([...told.values()].filter((cookies) => cookies.length > 1)).toEqual([])

  serving = await serve(place.config)
  const before = await enrolled()
  expect(new Set(before).size).toBe(before.length)
  for (const [name, [cookie]] of told) {
    expect(before).toContain(name)
    const shown = await fetch(`${place.issuer}/device`, { headers: { cookie: cookie! } })
    expect(await shown.text()).toContain(name)
  }
  for (const [name, code] of codes)
    expect([name, await redeem(code)]).toEqual([
      name,
      before.includes(name) ? 'refused' : expect.stringMatching(/^portico-enrolled=/),
    ])
  expect((await enrolled()).toSorted()).toEqual([...codes.keys()].toSorted())
}, 120_000)
