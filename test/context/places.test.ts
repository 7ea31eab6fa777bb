import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { createLog } from '#audit'
import { openPlaces } from '#context'
import { silentLog } from '#core/log'
import { city, writeMmdb } from '../support/mmdb.ts'

const folder = mkdtempSync(join(tmpdir(), 'portico-places-'))
afterAll(() => rmSync(folder, { recursive: true }))

let files = 0
function fileWith(bytes: Buffer | string): string {
  const file = join(folder, `${++files}.mmdb`)
  writeFileSync(file, bytes)
  return file
}

const FILE = fileWith(
  writeMmdb([
    { network: '203.0.113.0/24', data: city('NL', 52.09, 5.12) },
    { network: '203.0.113.128/25', data: city('BE', 51.05, 3.72) },
    { network: '198.51.100.0/24', data: city('DE') },
    { network: '192.0.2.0/24', data: city(undefined, -33.9, 18.4) },
    { network: '192.88.99.0/24', data: city('NL', 0, 0) },
    { network: '2001:db8:20::/48', data: city('RU', 55.75, 37.62) },
    { network: '10.1.0.0/16', data: { country: { iso_code: 'nowhere' }, location: { latitude: 500, longitude: 5 } } },
    { network: '10.2.0.0/16', data: { country: 'NL', location: ['a', 'b'] } },
  ]),
)

/** An error log, and what was said in it. */
function listening() {
  const lines: string[] = []
  const log = createLog({ level: 'info', stream: { write: (line: string) => void lines.push(line) } })
  return { log, events: () => lines.map((line) => JSON.parse(line).event) }
}

describe('a file in the MaxMind DB format', () => {
  const { find } = openPlaces({ file: FILE, log: silentLog })

  test.each([
    ['203.0.113.9', { country: 'NL', latitude: 52.09, longitude: 5.12 }],
    ['203.0.113.200', { country: 'BE', latitude: 51.05, longitude: 3.72 }],
    ['2001:db8:20::1', { country: 'RU', latitude: 55.75, longitude: 37.62 }],
    ['2001:DB8:0020:0::1', { country: 'RU', latitude: 55.75, longitude: 37.62 }],
    // the same address in the forms that a dual-stack socket gives
    ['::ffff:203.0.113.9', { country: 'NL', latitude: 52.09, longitude: 5.12 }],
    ['::ffff:cb00:7109', { country: 'NL', latitude: 52.09, longitude: 5.12 }],
    // as far as it knows
    ['198.51.100.1', { country: 'DE' }],
    ['192.0.2.1', { latitude: -33.9, longitude: 18.4 }],
  ])('tells where %s is', (address, place) => {
    expect(find(address)).toEqual(place)
  })

  test.each([
    ['203.0.114.1', 'an address that is not in it'],
    ['2001:db8:21::1', 'an address that is not in it'],
    ['10.0.0.1', 'a private address'],
    ['10.1.2.3', 'a record that makes no sense'],
    ['10.2.2.3', 'a record of another form'],
    ['203.0.113', 'what is no address'],
    ['', 'nothing'],
  ])('says nothing of %s: %s', (address) => {
    expect(find(address)).toBeUndefined()
  })

  test('takes 0° 0°, which is sea, for a place that is not known', () => {
    expect(find('192.88.99.1')).toEqual({ country: 'NL' })
  })

  test.each([
    ['is not there', join(folder, 'none.mmdb')],
    ['is a folder', folder],
    ['is empty', fileWith('')],
    ['is something else', fileWith('these are no places')],
    [
      'was cut off in its middle',
      fileWith(writeMmdb([{ network: '203.0.113.0/24', data: city('NL') }]).subarray(0, -40)),
    ],
  ])('that %s makes places unknown, is said once, and throws nothing', (_, file) => {
    const { log, events } = listening()
    const places = openPlaces({ file, log })
    for (const address of ['203.0.113.9', '2001:db8::1', '203.0.113.10']) expect(places.find(address)).toBeUndefined()
    expect(events()).toHaveLength(1)
    expect(events()[0]).toMatch(/^places-(unavailable|damaged)$/)
  })

  test('with bytes flipped anywhere throws nothing', () => {
    const bytes = writeMmdb([{ network: '203.0.113.0/24', data: city('NL', 52.09, 5.12) }])
    for (let at = 0; at < bytes.length; at++) {
      const flipped = Buffer.from(bytes)
      flipped[at] = flipped[at]! ^ 0xff
      const place = openPlaces({ file: fileWith(flipped), log: silentLog }).find('203.0.113.9')
      if (place?.country !== undefined) expect(place.country).toMatch(/^[A-Z]{2}$/)
      if (place?.latitude !== undefined) expect(Math.abs(place.latitude)).toBeLessThanOrEqual(90)
    }
  })
})

describe('the database that comes along', () => {
  const { cache, resolve } = createRequire(import.meta.url)
  const loaded = () => resolve('geoip-lite') in cache

  test('is loaded by the first question, not before, and knows public addresses', () => {
    const places = openPlaces({ log: silentLog })
    expect(loaded()).toBe(false)
    expect(places.find('not an address')).toBeUndefined()
    expect(loaded()).toBe(false)
    expect(places.find('193.0.6.139')).toEqual({
      country: 'NL',
      latitude: expect.closeTo(52.4, 0),
      longitude: expect.closeTo(4.9, 0),
    })
    expect(loaded()).toBe(true)
    expect(places.find('2001:4860:4860::8888')).toMatchObject({ country: 'US' })
    expect(places.find('::ffff:193.0.6.139')).toMatchObject({ country: 'NL' })
  })

  test.each(['10.0.0.1', '192.168.1.1', '127.0.0.1', '192.0.2.1', '::1', 'fd00::1', '2001:db8::1'])(
    'does not know where %s is',
    (address) => {
      expect(openPlaces({ log: silentLog }).find(address)).toBeUndefined()
    },
  )
})
