/** Rules on journeys and frequency, from the first page to the app: what counts, what does not, and for whom. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createReceipts, RECEIPT_KEY } from '#access'
import { allVerbs, runCommand } from '#cli'
import type { Counter } from '#context'
import { days, hours, minutes } from '#core/clock'
import type { Decision, Facts } from '#policy'
import { formOf, type Page } from '../../demo/browser.ts'
import { anApp, appAddress, type Browser, browserAt, giveTotp, movableClock, PROXIED, stepOf } from '../abuse/people.ts'
import { type Gateway, PASSWORD, startGateway } from '../support/gateway.ts'
import { city, writeMmdb } from '../support/mmdb.ts'
import { atCallback, typePassword } from '../support/relying-party.ts'
import { totpCode } from '../support/totp.ts'

const VERBS = await allVerbs()

const ACCOUNT = 'policy: account\nrules:\n  - { name: whoever has signed in, allow: {} }\n'
const PLAIN = 'policy: plain\nrules:\n  - { name: everybody, allow: {} }\n'
const TRAVEL = `policy: travel
rules:
  - name: impossible journey
    when: { travel.speed: { over: 900 } }
    allow: { strength: two-factors, within: 0s }
  - { name: everybody, allow: {} }
`
const LOW = `policy: low
rules:
  - name: impossible journey to something that matters
    when: { travel.speed: { over: 900 }, app.tags: [high-risk] }
    deny: {}
  - { name: everybody, allow: {} }
`
const LENIENT = `policy: lenient
rules:
  - name: impossible journey
    when: { travel.speed: { over: 900, unknown: false } }
    allow: { strength: two-factors, within: 0s }
  - { name: everybody, allow: {} }
`
const OFTEN = `policy: often
rules:
  - { name: signs in too often, when: { frequency.sign_ins: { over: 2, within: 5m } }, deny: { say: Too many sign-ins. } }
  - { name: opens too often, when: { frequency.app_opens: { over: 3, within: 5m } }, deny: { say: Too many openings. } }
  - { name: asked too often, when: { frequency.prompts: { over: 9, within: 1h } }, deny: {} }
  - { name: somebody guesses, when: { frequency.failures: { over: 2, within: 5m } }, allow: { strength: two-factors } }
  - { name: everybody, allow: {} }
`
const ABSENT = `policy: absent
rules:
  - { name: not seen for long, when: { frequency.absent: { over: 30d } }, allow: { strength: two-factors } }
  - { name: everybody, allow: {} }
`
const STRONG = `policy: strong
rules:
  - { name: twice, when: { frequency.prompts: { over: 50, within: 1h } }, deny: {} }
  - { name: everybody, allow: { strength: two-factors } }
`
const SITES = 'networks:\n  sites: { file: sites.csv }\n'
const CSV = 'cidr,site,latitude,longitude,country,zone\n10.0.0.0/8,utrecht-1,52.09,5.12,NL,Europe/Amsterdam\n'

const HOME = '203.0.113.9'
const STORE = '10.1.2.3'
const FAR = '198.18.1.1'
const NOWHERE = '192.0.2.77'

const clock = movableClock()
const folder = mkdtempSync(join(tmpdir(), 'portico-past-'))
const file = join(folder, 'places.mmdb')
writeFileSync(
  file,
  writeMmdb([
    { network: '203.0.113.0/24', data: city('NL', 52.37, 4.9) },
    { network: '198.18.1.0/24', data: city('US', 40.71, -74.01) },
  ]),
)

const policies = {
  'account.yaml': ACCOUNT,
  'plain.yaml': PLAIN,
  'travel.yaml': TRAVEL,
  'low.yaml': LOW,
  'lenient.yaml': LENIENT,
  'often.yaml': OFTEN,
  'absent.yaml': ABSENT,
  'strong.yaml': STRONG,
  'sites.yaml': SITES,
  'sites.csv': CSV,
}
const apps = [
  anApp('safe', 'travel'),
  anApp('weak', 'plain'),
  anApp('low', 'low'),
  anApp('lenient', 'lenient'),
  anApp('busy', 'often'),
  anApp('theirs', 'often', { first_party: false }),
  anApp('rare', 'absent'),
  anApp('strong', 'strong'),
]

let gateway: Gateway
let people = 0

beforeAll(async () => {
  gateway = await startGateway({ policies, apps, clock, settings: { ...PROXIED, geo: { file } } })
})
afterAll(async () => {
  await gateway.close()
  rmSync(folder, { recursive: true })
})

interface Hired {
  readonly id: string
  readonly username: string
  readonly secret: string
}

/** Somebody new, with an authenticator app whose present code is not spent. */
async function hire(): Promise<Hired> {
  const username = `person${++people}`
  const { id } = await gateway.server.house.people.add(
    { username, name: username, password: PASSWORD } as never,
    'test',
  )
  const secret = await giveTotp(gateway, id, clock.at)
  clock.at += minutes(1)
  return { id, username, secret }
}

/** Opens the app and types the password where it is asked. */
async function open(browser: Browser, app: string, { username }: Hired): Promise<Page> {
  const page = await browser.open(appAddress(gateway, app))
  return stepOf(page) === 'identifier' ? typePassword(browser, page, username) : page
}

const giveCode = (browser: Browser, page: Page, { secret }: Hired) =>
  browser.submit(formOf(page, 'totp'), { code: totpCode(secret, clock.at) })

async function often({ id }: Hired, counter: Counter, within = minutes(5)): Promise<number> {
  const counts = await gateway.server.house.history.counts(id, clock.at)
  return counts === 'unreadable' ? Number.NaN : counts(counter, within)
}
const pastOf = ({ id }: Hired) => gateway.server.house.history.past(id)

interface Decided {
  readonly facts: Facts
  readonly outcome: string
  readonly rule: string | null
}

/** The receipts of this person, the last one first. */
async function receiptsOf({ id }: Pick<Hired, 'id'>, { server } = gateway): Promise<Decided[]> {
  const receipts = createReceipts(server.house.storage, clock, server.house.keys.derive(RECEIPT_KEY))
  return (await receipts.ofPerson(id, 20)).map(({ facts, outcome, rule }) => ({
    facts: facts!,
    outcome,
    rule: rule ?? null,
  }))
}
const lastReceipt = async (hired: Pick<Hired, 'id'>, of = gateway) => (await receiptsOf(hired, of))[0]!

describe('a rule on journeys', () => {
  test('lets a first sign-in be, wherever it is', async () => {
    expect(atCallback(await open(browserAt(FAR), 'safe', await hire()))).toBe(true)
  })

  test('asks for more where nobody can have come from, once, and then knows them there', async () => {
    const sam = await hire()
    expect(atCallback(await open(browserAt(HOME), 'safe', sam))).toBe(true)
    clock.at += minutes(10)
    const away = browserAt(FAR)
    const asked = await open(away, 'safe', sam)
    expect(stepOf(asked)).toBe('totp')
    expect((await lastReceipt(sam)).facts.history).toEqual({
      previous: { at: expect.any(Number), country: 'NL', latitude: 52.37, longitude: 4.9 },
    })
    expect(atCallback(await giveCode(away, asked, sam))).toBe(true)
    expect(atCallback(await open(away, 'safe', sam))).toBe(true)
    expect(atCallback(await open(browserAt(FAR), 'safe', sam))).toBe(true)
  })

  test('and leaves alone who took the time, or moved next door', async () => {
    const sam = await hire()
    await open(browserAt(HOME), 'safe', sam)
    clock.at += minutes(10)
    expect(atCallback(await open(browserAt(STORE), 'safe', sam))).toBe(true)
    clock.at += hours(7)
    expect(atCallback(await open(browserAt(FAR), 'safe', sam))).toBe(true)
  })

  test('also looks at whoever holds a stolen cookie somewhere else', async () => {
    const sam = await hire()
    const browser = browserAt(HOME)
    await open(browser, 'safe', sam)
    const thief = browserAt(FAR)
    for (const [name, value] of browser.jar) thief.jar.set(name, value)
    expect(stepOf(await thief.open(appAddress(gateway, 'safe')))).toBe('totp')
    expect(atCallback(await open(browser, 'safe', sam))).toBe(true)
  })

  test('is judged both ways where a place is not known: it never lets in more easily', async () => {
    const sam = await hire()
    await open(browserAt(HOME), 'safe', sam)
    expect(stepOf(await open(browserAt(NOWHERE), 'safe', sam))).toBe('totp')
  })

  test('is not led astray by somebody who fails, with a wrong password or without the second factor', async () => {
    const sam = await hire()
    await open(browserAt(HOME), 'safe', sam)
    const before = await pastOf(sam)
    clock.at += minutes(10)
    const thief = browserAt(FAR)
    const form = formOf(
      await thief.submit(formOf(await thief.open(appAddress(gateway, 'safe')), 'identifier'), sam as never),
      'password',
    )
    for (const password of ['wrong', 'wrong too']) await thief.submit(form, { password })
    const asked = await thief.submit(form, { password: PASSWORD })
    expect(stepOf(asked)).toBe('totp')
    await thief.submit(formOf(asked, 'totp'), { code: '000000' })
    expect(await pastOf(sam)).toEqual(before)
    expect(atCallback(await open(browserAt(HOME), 'safe', sam))).toBe(true)
  })

  test.each(['weak', 'low'])('is not led astray by a sign-in to an app that asks for nothing: %s', async (app) => {
    const sam = await hire()
    await open(browserAt(HOME), 'safe', sam)
    clock.at += minutes(10)
    const thief = browserAt(FAR)
    expect(atCallback(await open(thief, app, sam))).toBe(true)
    const asked = await open(thief, 'safe', sam)
    expect(stepOf(asked)).toBe('totp')
    expect((await lastReceipt(sam)).facts.history?.previous).toMatchObject([{ country: 'US' }, { country: 'NL' }])
    // and the person at home is told from the thief by now, too
    expect(stepOf(await open(browserAt(HOME), 'safe', sam))).toBe('totp')
    expect(atCallback(await giveCode(thief, asked, sam))).toBe(true)
    expect(atCallback(await open(thief, 'safe', sam))).toBe(true)
  })

  test('that takes an unknown place for no journey still knows where somebody was before it', async () => {
    const sam = await hire()
    await open(browserAt(HOME), 'lenient', sam)
    clock.at += minutes(10)
    expect(atCallback(await open(browserAt(NOWHERE), 'lenient', sam))).toBe(true)
    expect(stepOf(await open(browserAt(FAR), 'lenient', sam))).toBe('totp')
  })

  test('knows only the place where something was given: a page left open somewhere else is no sign-in', async () => {
    const sam = await hire()
    const browser = browserAt(HOME)
    const forgotten = await browser.open(appAddress(gateway, 'safe'))
    await open(browser, 'safe', sam)
    const before = await pastOf(sam)
    clock.at += minutes(30)
    const elsewhere = browserAt(STORE)
    for (const [name, value] of browser.jar) elsewhere.jar.set(name, value)
    const page = await elsewhere.open(forgotten.url.href)
    // it leads on at once, for somebody has signed in since
    expect(page.url.pathname).not.toContain('/signin/')
    expect(await pastOf(sam)).toEqual(before)
  })

  test('takes nobody for a traveller because of what they write into headers', async () => {
    const bare = await startGateway({ policies, apps, clock, settings: { geo: { file } } })
    try {
      const { id } = await bare.server.house.people.add(
        { username: 'sam', name: 'Sam', password: PASSWORD } as never,
        'test',
      )
      for (const address of [HOME, FAR, STORE]) {
        const browser = browserAt(address, { forwarded: `for=${address}`, 'x-real-ip': address })
        await typePassword(browser, await browser.open(appAddress(bare, 'weak')), 'sam')
        await browser.open(appAddress(bare, 'safe'))
        expect(await bare.server.house.history.past(id)).toMatchObject({ last: { address: '127.0.0.1' } })
        expect((await lastReceipt({ id }, bare)).facts.network).toEqual({ ip: '127.0.0.1' })
      }
    } finally {
      await bare.close()
    }
  })
})

describe('a rule on frequency', () => {
  test('counts sign-ins, the one in progress with them, and lets go when the window is over', async () => {
    const sam = await hire()
    for (const count of [1, 2]) {
      expect(atCallback(await open(browserAt(), 'busy', sam))).toBe(true)
      expect(await often(sam, 'sign_ins')).toBe(count)
    }
    expect((await open(browserAt(), 'busy', sam)).text).toContain('Too many sign-ins.')
    clock.at += minutes(6)
    expect(atCallback(await open(browserAt(), 'busy', sam))).toBe(true)
  })

  test('counts each opening of an app once: not the way to it, not a consent, not a question without a page', async () => {
    const sam = await hire()
    const browser = browserAt()
    expect(atCallback(await open(browser, 'busy', sam))).toBe(true)
    expect(await often(sam, 'app_opens')).toBe(1)
    await browser.open(`${gateway.issuer}/`)
    await browser.open(`${gateway.issuer}/account`)
    expect(await often(sam, 'app_opens')).toBe(1)
    const consent = await browser.open(appAddress(gateway, 'theirs'))
    expect(atCallback(await browser.submit(formOf(consent, 'consent'), { answer: 'allow' }))).toBe(true)
    expect([await often(sam, 'app_opens'), await often(sam, 'prompts')]).toEqual([2, 0])
    for (const app of ['weak', 'strong']) await browser.open(appAddress(gateway, app))
    expect(await often(sam, 'app_opens')).toBe(3)
    await browser.open(appAddress(gateway, 'weak', { prompt: 'none' }))
    expect(await often(sam, 'app_opens')).toBe(4)
    expect((await open(browser, 'busy', sam)).text).toContain('Too many openings.')
    expect(await often(sam, 'app_opens')).toBe(4)
  })

  test('counts each prompt once, however often its page is shown', async () => {
    const sam = await hire()
    const browser = browserAt()
    const asked = await open(browser, 'strong', sam)
    expect([stepOf(asked), await often(sam, 'prompts')]).toEqual(['totp', 1])
    for (const more of ['', '&other', '']) await browser.open(asked.url.href + more)
    await browser.submit(formOf(asked, 'totp'), { code: '000000' })
    expect(await often(sam, 'prompts')).toBe(1)
    // a question without a page is none
    await browser.open(appAddress(gateway, 'strong', { prompt: 'none' }))
    expect(await often(sam, 'prompts')).toBe(1)
    await browser.open(appAddress(gateway, 'strong'))
    expect(await often(sam, 'prompts')).toBe(2)
    expect(atCallback(await giveCode(browser, asked, sam))).toBe(true)
    expect(atCallback(await open(browser, 'strong', sam))).toBe(true)
    expect(await often(sam, 'prompts')).toBe(2)
  })

  test('counts failures for whoever they were tried as, and nothing for a name that nobody has', async () => {
    const [sam, lena] = [await hire(), await hire()]
    const browser = browserAt()
    const wrong = async (username: string) => {
      const page = await browser.submit(formOf(await browser.open(appAddress(gateway, 'busy')), 'identifier'), {
        username,
      })
      await browser.submit(formOf(page, 'password'), { password: 'wrong' })
    }
    for (const username of [sam.username, ` ${sam.username.toUpperCase()}`, sam.username]) await wrong(username)
    await wrong('nobody-at-all')
    expect([await often(sam, 'failures'), await often(lena, 'failures')]).toEqual([3, 0])
    const asked = await open(browserAt(), 'busy', sam)
    expect(stepOf(asked)).toBe('totp')
    expect(atCallback(await open(browserAt(), 'busy', lena))).toBe(true)
    clock.at += minutes(6)
    expect(atCallback(await open(browserAt(), 'busy', sam))).toBe(true)
  })

  test('counts a wrong second factor as well, and nothing that was right', async () => {
    const sam = await hire()
    const browser = browserAt()
    const asked = await open(browser, 'strong', sam)
    await browser.submit(formOf(asked, 'totp'), { code: '000000' })
    await giveCode(browser, asked, sam)
    expect(await often(sam, 'failures')).toBe(1)
  })

  test('knows who was not seen for long, until they are', async () => {
    const sam = await hire()
    const opens = async () => {
      const browser = browserAt()
      const page = await open(browser, 'rare', sam)
      if (stepOf(page) !== 'totp') return atCallback(page) && 'at once'
      expect(await lastReceipt(sam)).toMatchObject({ rule: 'not seen for long', outcome: 'challenge' })
      return atCallback(await giveCode(browser, page, sam)) && 'with a code'
    }
    // whoever was never here was not seen for long either
    expect(await opens()).toBe('with a code')
    clock.at += days(29)
    expect(await opens()).toBe('at once')
    clock.at += days(30) + minutes(1)
    expect(await opens()).toBe('with a code')
    expect(await opens()).toBe('at once')
  })
})

describe('policy explain --user --app --ip', () => {
  async function explain(words: string): Promise<Decision> {
    const lines: string[] = []
    const code = await runCommand({
      words: [
        ...`policy explain --config ${join(gateway.folder, 'portico.yaml')} --json`.split(' '),
        ...words.split(' '),
      ],
      verbs: VERBS,
      openHouse: async () => ({ ...gateway.server.house, close: async () => {} }) as never,
      clock,
      out: (line) => lines.push(line),
      err: (line) => lines.push(line),
    })
    expect([code, lines.length]).toEqual([0, 1])
    return JSON.parse(lines[0]!)
  }

  test.each([
    ['safe', HOME],
    ['safe', FAR],
    ['safe', STORE],
    ['safe', NOWHERE],
    ['busy', FAR],
    ['weak', HOME],
  ])('knows what the gate knows: %s from %s', async (app, address) => {
    const sam = await hire()
    const browser = browserAt(HOME)
    await open(browser, 'weak', sam)
    await open(browser, 'safe', sam)
    clock.at += minutes(3)
    const moved = browserAt(address)
    for (const [name, value] of browser.jar) moved.jar.set(name, value)
    const [device] = await gateway.server.house.devices.ofPerson(sam.id)
    // before the gate is asked: an opening that is counted is one more for whoever asks next
    const told = await explain(`--user ${sam.username} --app ${app} --ip ${address} --device ${device!.id}`)
    await moved.open(appAddress(gateway, app))
    const { outcome, rule, facts } = await lastReceipt(sam)
    expect([told.outcome, told.rule]).toEqual([outcome, rule])
    const seen = told.trace.flatMap(({ conditions }) => conditions.map(({ condition, seen }) => [condition, seen]))
    expect(facts.network?.ip).toBe(address)
    expect(seen.length > 0).toBe(app !== 'weak')
  })
})

test('what is kept of somebody goes with them', async () => {
  const sam = await hire()
  await open(browserAt(HOME), 'busy', sam)
  const { house } = gateway.server
  expect(await house.history.past(sam.id)).toBeDefined()
  await house.people.remove(sam.id, 'test')
  expect(await house.history.past(sam.id)).toBeUndefined()
  expect(await often(sam, 'sign_ins')).toBe(0)
})

describe('where no rule looks at journeys or frequency', () => {
  test('nothing is counted, no place is looked up, and the last sign-in is kept for the day that one does', async () => {
    const { cache, resolve } = createRequire(import.meta.url)
    const quiet = { 'account.yaml': ACCOUNT, 'plain.yaml': PLAIN }
    const plain = await startGateway({ policies: quiet, apps: [anApp('weak', 'plain')], clock, settings: PROXIED })
    try {
      const { house } = plain.server
      const { id } = await house.people.add({ username: 'sam', name: 'Sam', password: PASSWORD } as never, 'test')
      const browser = browserAt(HOME)
      await typePassword(browser, await browser.open(appAddress(plain, 'weak')), 'sam')
      for (let i = 0; i < 3; i++) expect(atCallback(await browser.open(appAddress(plain, 'weak')))).toBe(true)
      const last = { at: expect.any(Number), address: HOME }
      expect(await house.history.past(id)).toEqual({ last, trusted: {} })
      expect(await house.storage.state.get(`history-counts:${id}`)).toBeUndefined()
      expect(resolve('geoip-lite') in cache).toBe(false)

      // now a rule is switched on, and knows where they were before it
      writeFileSync(join(plain.folder, 'policies/plain.yaml'), TRAVEL.replace('policy: travel', 'policy: plain'))
      await plain.server.reload()
      clock.at += minutes(10)
      const away = browserAt('193.0.6.139')
      await typePassword(away, await away.open(appAddress(plain, 'weak')), 'sam')
      expect((await lastReceipt({ id }, plain)).facts).toMatchObject({
        network: { country: 'NL' },
        history: { previous: { at: last.at } },
      })
      expect(resolve('geoip-lite') in cache).toBe(true)
    } finally {
      await plain.close()
    }
  })
})
