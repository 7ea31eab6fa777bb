/** Somebody with a stolen password who lets one app vouch for the next. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { hours, minutes } from '#core/clock'
import { formOf, type Page } from '../../demo/browser.ts'
import { PASSWORD, startGateway } from '../support/gateway.ts'
import { city, writeMmdb } from '../support/mmdb.ts'
import { atCallback, type Browser, typePassword } from '../support/relying-party.ts'
import { totpCode } from '../support/totp.ts'
import { anApp, appAddress, browserAt, giveTotp, movableClock, PROXIED, stepOf } from './people.ts'

const HOME = '203.0.113.9'
const FAR = '198.18.1.1'

/** `low` minds journeys as `lenient` says, `high` as `strict` does. */
async function world(policies: Readonly<Record<string, string>>, apps: Parameters<typeof anApp>[] = []) {
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
      ...Object.fromEntries(
        Object.entries(policies).map(([name, rules]) => [`${name}.yaml`, `policy: ${name}\nrules:\n${rules}`]),
      ),
    },
    apps: [anApp('low', 'lenient'), anApp('high', 'strict'), ...apps.map((app) => anApp(...app))],
    clock,
    settings: { ...PROXIED, geo: { file } },
  })
  onTestFinished(() => gateway.close())
  const sam = { username: 'sam', name: 'Sam', groups: ['staff'], password: PASSWORD }
  const { id } = await gateway.server.house.people.add(sam as never, 'test')
  const secret = await giveTotp(gateway, id, clock.at)
  clock.at += minutes(1)
  return {
    clock,
    async open(browser: Browser, app: string) {
      const page = await browser.open(appAddress(gateway, app))
      return stepOf(page) === 'identifier' ? typePassword(browser, page, 'sam') : page
    },
    async giveCode(browser: Browser, page: Page) {
      clock.at += 30_000
      return browser.submit(formOf(page, 'totp'), { code: totpCode(secret, clock.at) })
    },
  }
}

const rule = (name: string, when: string, allow: string) =>
  `  - { name: ${name}, when: { ${when} }, allow: { ${allow} } }\n`
const EVERYBODY = '  - { name: everybody, allow: {} }\n'
const FAST = 'travel.speed: { over: 900 }'
const NEW = 'strength: two-factors, within: 0s'

test.each([
  ['a longer distance', FAST, 'travel.distance: { over: 500 }'],
  ['a new country', FAST, 'travel.new_country: { over: 90d }'],
  ['a lower speed', FAST, 'travel.speed: { over: 300 }'],
])(
  'ATTACK: an app that minds only high speed does not vouch for the thief at one that minds %s',
  async (_, low, high) => {
    const { clock, open } = await world({
      lenient: rule('a journey', low, NEW) + EVERYBODY,
      strict: rule('a journey', high, NEW) + EVERYBODY,
    })
    expect(atCallback(await open(browserAt(HOME), 'high'))).toBe(true)
    clock.at += hours(10)
    expect(stepOf(await open(browserAt(FAR), 'high'))).toBe('totp')
    // 590 km/h: nothing that this one minds
    expect(atCallback(await open(browserAt(FAR), 'low'))).toBe(true)
    expect(stepOf(await open(browserAt(FAR), 'high'))).toBe('totp')
  },
)

test('ATTACK: an app that is content with a password after the same journey does not vouch for the thief', async () => {
  const { clock, open } = await world({
    lenient: rule('a journey', FAST, 'strength: any') + EVERYBODY,
    strict: rule('a journey', FAST, NEW) + EVERYBODY,
  })
  expect(atCallback(await open(browserAt(HOME), 'high'))).toBe(true)
  clock.at += hours(1)
  expect(atCallback(await open(browserAt(FAR), 'low'))).toBe(true)
  expect(stepOf(await open(browserAt(FAR), 'high'))).toBe('totp')
})

test('ATTACK: a harmless app does not vouch for the thief at a risky one of the same policy', async () => {
  const { clock, open } = await world(
    {
      lenient:
        rule('a journey to a risky app', `app.tags: [risky], ${FAST}`, NEW) +
        rule('a long one', 'travel.distance: { over: 9000 }', NEW) +
        EVERYBODY,
      strict: EVERYBODY,
    },
    [['risky', 'lenient', { tags: ['risky'] }]],
  )
  expect(atCallback(await open(browserAt(HOME), 'risky'))).toBe(true)
  clock.at += hours(1)
  expect(atCallback(await open(browserAt(FAR), 'low'))).toBe(true)
  expect(stepOf(await open(browserAt(FAR), 'risky'))).toBe('totp')
})

test('whoever proved it as strongly as any rule about them would ask is not asked there again', async () => {
  const { clock, open, giveCode } = await world({
    lenient:
      // about somebody else: it has no say, in whatever order it is written
      rule('administrators', `${FAST}, "user.groups": [administrators]`, 'strength: hardware') +
      rule('a journey', FAST, NEW) +
      EVERYBODY,
    strict: rule('a journey', 'travel.distance: { over: 500 }', NEW) + EVERYBODY,
  })
  expect(atCallback(await open(browserAt(HOME), 'low'))).toBe(true)
  clock.at += hours(1)
  const abroad = browserAt(FAR)
  expect(atCallback(await giveCode(abroad, await open(abroad, 'low')))).toBe(true)
  expect(atCallback(await open(browserAt(FAR), 'low'))).toBe(true)
  expect(atCallback(await open(browserAt(FAR), 'high'))).toBe(true)
})
