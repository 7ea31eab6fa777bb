/** Somebody with a stolen password who lets one app vouch for the next. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { hours, minutes } from '#core/clock'
import { PASSWORD, startGateway } from '../support/gateway.ts'
import { city, writeMmdb } from '../support/mmdb.ts'
import { atCallback, type Browser, typePassword } from '../support/relying-party.ts'
import { anApp, appAddress, browserAt, giveTotp, movableClock, PROXIED, stepOf } from './people.ts'

const HOME = '203.0.113.9'
const FAR = '198.18.1.1'

const policy = (name: string, journey: string) => `policy: ${name}
rules:
  - { name: a journey, when: { ${journey} }, allow: { strength: two-factors, within: 0s } }
  - { name: everybody, allow: {} }
`

test.each([
  ['a longer distance', 'travel.distance: { over: 500 }'],
  ['a new country', 'travel.new_country: { over: 90d }'],
  ['a lower speed', 'travel.speed: { over: 300 }'],
])(
  'ATTACK: an app that minds only high speed does not vouch for the thief at one that minds %s',
  async (_, journey) => {
    const clock = movableClock()
    const folder = mkdtempSync(join(tmpdir(), 'portico-journeys-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const file = join(folder, 'places.mmdb')
    const places = [
      { network: '203.0.113.0/24', data: city('NL', 52.37, 4.9) },
      { network: '198.18.1.0/24', data: city('US', 40.71, -74.01) },
    ]
    writeFileSync(file, writeMmdb(places))
    const gateway = await startGateway({
      policies: {
        'account.yaml': 'policy: account\nrules:\n  - { name: whoever has signed in, allow: {} }\n',
        'lenient.yaml': policy('lenient', 'travel.speed: { over: 900 }'),
        'strict.yaml': policy('strict', journey),
      },
      apps: [anApp('low', 'lenient'), anApp('high', 'strict')],
      clock,
      settings: { ...PROXIED, geo: { file } },
    })
    onTestFinished(() => gateway.close())
    const sam = { username: 'sam', name: 'Sam', password: PASSWORD }
    const { id } = await gateway.server.house.people.add(sam as never, 'test')
    await giveTotp(gateway, id, clock.at)
    clock.at += minutes(1)
    const open = async (browser: Browser, app: string) => {
      const page = await browser.open(appAddress(gateway, app))
      return stepOf(page) === 'identifier' ? typePassword(browser, page, 'sam') : page
    }
    expect(atCallback(await open(browserAt(HOME), 'high'))).toBe(true)
    clock.at += hours(10)
    expect(stepOf(await open(browserAt(FAR), 'high'))).toBe('totp')
    // 590 km/h: nothing that this one minds
    expect(atCallback(await open(browserAt(FAR), 'low'))).toBe(true)
    expect(stepOf(await open(browserAt(FAR), 'high'))).toBe('totp')
  },
)
