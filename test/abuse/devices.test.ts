/** Enrolling a device: nobody does it without a code, twice with one, by guessing, or from another site. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { days, minutes } from '#core/clock'
import { ENROLMENT_LIMIT } from '#sessions'
import { formOf, headingOf } from '../../demo/browser.ts'
import { type Gateway, PASSWORD, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { atCallback, typePassword } from '../support/relying-party.ts'
import {
  anApp,
  appAddress,
  type Browser,
  browserAt,
  cookiesOf,
  movableClock,
  newAddress,
  PROXIED,
  post,
} from './people.ts'

const TABLETS = `policy: tablets
rules:
  - { name: on a tablet, when: { device.enrolled: true, device.kind: shared }, allow: {} }
  - { name: not here, deny: {} }
`
const clock = movableClock()
let gateway: Gateway
let people = 0

beforeAll(async () => {
  gateway = await startGateway({
    clock,
    settings: { ...PROXIED, sessions: { idle: '12h', max: '24h' } },
    policies: { ...POLICIES, 'tablets.yaml': TABLETS },
    apps: [anApp('tablet', 'tablets'), anApp('web', 'plain')],
  })
})
afterAll(() => gateway.close())
beforeEach(() => {
  // what one test guessed is no other test's
  clock.at += ENROLMENT_LIMIT.within
})

const devices = () => gateway.server.house.devices
const page = () => `${gateway.issuer}/device`
const begin = async (life?: number) =>
  (await devices().enrolment.begin({ kind: 'shared', site: '0001', name: 'Till' }, 'cli', life)).code
/** Sends the form as a browser at this address does. */
const send = (code: string, browser: Browser = browserAt(), headers: Record<string, string> = {}) =>
  post(browser, page(), { step: 'enrol-device', code }, { 'x-forwarded-for': newAddress(), ...headers })
const cookieOf = ({ cookies }: { cookies: string[] }) =>
  cookies.flatMap((line) => /^portico-enrolled=([^;]+)/.exec(line)?.[1] ?? [])[0]
const isEnrolled = async (cookie: string | undefined) => (await devices().enrolled.find(cookie)) !== null
/** What the page says to a browser that brings this cookie. */
const shownTo = async (cookie: string) =>
  headingOf({
    url: new URL(page()),
    status: 200,
    text: await (await fetch(page(), { headers: { cookie } })).text(),
  })

test('the cookie is out of reach for scripts and other sites, and lives as long as browsers let one', async () => {
  const answer = await send(await begin())
  expect([answer.status, answer.location]).toEqual([303, '/device'])
  expect(answer.cookies).toEqual([
    expect.stringMatching(/^portico-enrolled=[\w-]{22}\.[\w-]{43}; Path=\/; Max-Age=34560000; HttpOnly; SameSite=Lax$/),
  ])
})

test('a code is spent by the first who sends it, of fifty at once as well', async () => {
  const code = await begin()
  const all = await Promise.all(Array.from({ length: 50 }, () => send(code)))
  const winners = all.filter(({ status }) => status === 303)
  expect(winners).toHaveLength(1)
  expect(all.filter((one) => cookieOf(one) !== undefined)).toEqual(winners)
  expect(await isEnrolled(cookieOf(winners[0]!))).toBe(true)
  const late = await send(code)
  expect([late.status, late.text]).toEqual([400, expect.stringContaining('used already or is too old')])
})

test('opening the link spends nothing and tells nothing, however often previews open it', async () => {
  const code = await begin()
  const open = (one: string) => fetch(`${page()}/${one}`, { headers: { 'x-forwarded-for': '198.51.200.1' } })
  for (let n = 0; n < ENROLMENT_LIMIT.tries * 3; n++) {
    const given = await open(code)
    expect([given.status, given.headers.getSetCookie()]).toEqual([200, []])
  }
  expect(await fetch(`${page()}/${code}`, { method: 'HEAD' })).toMatchObject({ status: 200 })
  // the same page for a code that never was
  const plain = (text: string) => text.replace(/nonce(-|=")[\w-]+/g, '').replaceAll(code, 'CODE')
  const never = '0123-4567-89AB'
  expect(plain((await (await open(never)).text()).replaceAll(never, code))).toBe(plain(await (await open(code)).text()))
  // and the button on it does what typing does
  const browser = browserAt()
  const shown = await browser.open(`${page()}/${code}`)
  expect(headingOf(await browser.submit(formOf(shown, 'enrol-device')))).toBe('This device is set up')
})

test('what stands in the link is text on the page and nothing more', async () => {
  const text = await (await fetch(`${page()}/${encodeURIComponent('"><script>alert(1)</script>')}`)).text()
  expect(text).not.toContain('<script>alert')
  expect(text).toContain('&lt;script&gt;')
})

describe('guessing', () => {
  test('ends after ten wrong codes from an address, also for the right one, and says when to come back', async () => {
    const [code, from] = [await begin(), newAddress()]
    const guess = (one: string) => send(one, browserAt(), { 'x-forwarded-for': from })
    for (let n = 0; n < ENROLMENT_LIMIT.tries; n++)
      expect((await guess(`0000-0000-00${String(n).padStart(2, '0')}`)).status).toBe(400)
    const refused = await guess(code)
    expect([refused.status, cookieOf(refused)]).toEqual([429, undefined])
    const [{ status, headers }] = [
      await fetch(page(), {
        method: 'POST',
        headers: { 'x-forwarded-for': from },
        body: new URLSearchParams({ code }),
      }),
    ]
    expect([status, Number(headers.get('retry-after'))]).toEqual([429, expect.any(Number)])
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)
    // nobody else is shut out by it
    expect((await send(code)).status).toBe(303)
  })

  test('of a hundred guesses at once no more than ten are looked at', async () => {
    const from = newAddress()
    const all = await Promise.all(
      Array.from({ length: 100 }, (_, n) =>
        send(`1111-1111-${String(n).padStart(4, '0')}`, browserAt(), { 'x-forwarded-for': from }),
      ),
    )
    expect(all.filter(({ status }) => status === 400)).toHaveLength(ENROLMENT_LIMIT.tries)
    expect(all.filter(({ status }) => status === 429)).toHaveLength(100 - ENROLMENT_LIMIT.tries)
  })

  test('a header that only a proxy may send brings no new tries', async () => {
    const from = newAddress()
    for (let n = 0; n <= ENROLMENT_LIMIT.tries; n++) {
      const { status } = await send('2222-2222-2222', browserAt(), { 'x-forwarded-for': `10.0.0.${n}, ${from}` })
      expect(status).toBe(n < ENROLMENT_LIMIT.tries ? 400 : 429)
    }
  })
})

test('a code that came too late enrols nothing', async () => {
  const code = await begin(minutes(5))
  clock.at += minutes(5)
  const answer = await send(code)
  expect([answer.status, cookieOf(answer)]).toEqual([400, undefined])
})

test.each([
  '',
  ' ',
  'x',
  '7K4Q-92MD',
  'U'.repeat(12),
  '0'.repeat(5000),
  '\u0000'.repeat(12),
  '７Ｋ４Ｑ９２ＭＤＸ３Ｆ８',
])('what cannot be a code (%j) is refused as one that is wrong', async (code) => {
  const answer = await send(code)
  expect([answer.status, answer.cookies]).toEqual([400, []])
})

test('a tablet that is set up already shows what it is and asks, by the link and by the field, before a code makes it another', async () => {
  const cookie = cookieOf(await send(await begin()))!
  const [device, code] = [(await devices().enrolled.find(cookie))!, await begin()]
  const headers = { cookie: `portico-enrolled=${cookie}` }
  for (const path of [`/${code}`, '?another']) {
    const asked = await (await fetch(`${page()}${path}`, { headers })).text()
    expect(asked).toMatch(/This device is set up already:[\s\S]*Till[\s\S]*0001/)
    expect(asked).toContain(`name="replace" value="${device.id}"`)
  }
  const sent = async (more: Record<string, string>) => {
    const fields = { step: 'enrol-device', code, ...more }
    return post(browserAt(), page(), fields, { ...headers, 'x-forwarded-for': newAddress() })
  }
  // pressed on a page from before it was set up, or of another device
  for (const more of [{}, { replace: 'yes' }, { replace: 'x'.repeat(22) }]) {
    const answer = await sent(more)
    expect([answer.status, answer.text]).toEqual([200, expect.stringContaining('This device is set up already:')])
    expect(await isEnrolled(cookie)).toBe(true)
  }
  const answer = await sent({ replace: device.id })
  expect(answer.status).toBe(303)
  expect([await isEnrolled(cookie), await isEnrolled(cookieOf(answer))]).toEqual([false, true])
  // a browser that is none yet is not told of any
  expect(await (await fetch(`${page()}/${code}`)).text()).not.toContain('set up already')
})

test('a form that another site sends enrols nothing, and leaves the code as it was', async () => {
  const code = await begin()
  for (const headers of [
    { origin: 'https://evil.example' },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
    { origin: 'null' },
  ] as Record<string, string>[]) {
    const { status, cookies } = await send(code, browserAt(), headers)
    expect([headers, status, cookies]).toEqual([headers, 403, []])
  }
  expect((await send(code)).status).toBe(303)
})

test('somebody who is signed in enrols nothing by themselves', async () => {
  const username = `person${++people}`
  await gateway.server.house.people.add({ username, name: username, groups: ['staff'], password: PASSWORD }, 'test')
  const browser = browserAt()
  await typePassword(browser, await browser.open(appAddress(gateway, 'web')), username)
  const before = (await devices().enrolled.list()).length
  // a device that they are known on, and a session, under the name of the other cookie
  for (const cookie of ['portico-device', 'portico-session']) {
    browser.jar.set('portico-enrolled', browser.jar.get(cookie)!)
    expect((await browser.open(appAddress(gateway, 'tablet'))).status).toBe(403)
  }
  expect((await send('', browser)).status).toBe(400)
  expect(await devices().enrolled.list()).toHaveLength(before)
  // and the other way round: what is enrolled opens no session, and is nobody's known device
  const tablet = cookieOf(await send(await begin()))!
  for (const name of ['portico-session', 'portico-device']) {
    const copy = browserAt()
    copy.jar.set(name, tablet)
    expect(headingOf(await copy.open(`${gateway.issuer}/account`))).toBe('Sign in')
  }
})

test('a shared tablet stays one when its people sign out, one after another, and keeps nothing of theirs', async () => {
  const browser = browserAt()
  await browser.submit(formOf(await browser.open(`${page()}/${await begin()}`), 'enrol-device'))
  const cookie = browser.jar.get('portico-enrolled')
  for (let shift = 0; shift < 2; shift++) {
    const username = `person${++people}`
    await gateway.server.house.people.add({ username, name: username, groups: ['staff'], password: PASSWORD }, 'test')
    expect(atCallback(await typePassword(browser, await browser.open(appAddress(gateway, 'tablet')), username))).toBe(
      true,
    )
    const session = browser.jar.get('portico-session')!
    const out = await post(browser, `${gateway.issuer}/signout`, { step: 'sign-out', answer: 'allow' })
    // what the browser is told to throw away are not its cookies
    expect(out.headers.get('clear-site-data')).toBe('"cache", "storage"')
    expect(out.cookies.filter((line) => line.startsWith('portico-enrolled'))).toEqual([])
    expect(await gateway.server.house.sessions.find(session)).toBeUndefined()
    browser.jar.delete('portico-session')
    expect(browser.jar.get('portico-enrolled')).toBe(cookie)
    expect(await isEnrolled(cookie)).toBe(true)
    expect(headingOf(await browser.open(appAddress(gateway, 'tablet')))).toBe('Sign in')
  }
})

test('an id is no secret: with a made-up one, or after it was revoked, a cookie is worth nothing', async () => {
  const cookie = cookieOf(await send(await begin()))!
  const [id = '', secret = ''] = cookie.split('.')
  const other = cookieOf(await send(await begin()))!
  const made = [
    `${id}.${other.split('.')[1]}`,
    `${other.split('.')[0]}.${secret}`,
    `${id}.${'A'.repeat(43)}`,
    id,
    `${id}.`,
    `${cookie}x`,
    cookie.toUpperCase(),
  ]
  for (const one of made) expect([one, await isEnrolled(one)]).toEqual([one, false])
  expect(await shownTo(`portico-enrolled=${cookie}`)).toBe('This device is set up')
  await devices().enrolled.revoke(id, 'cli')
  expect(await shownTo(`portico-enrolled=${cookie}`)).toBe('Set up this device')
  // revoked is for good: nothing brings the id back
  const { status } = await send(await begin(), browserAt(), { cookie: `portico-enrolled=${cookie}` })
  expect(status).toBe(303)
  expect(await isEnrolled(cookie)).toBe(false)
})

test('two cookies of one name are none', async () => {
  const cookie = cookieOf(await send(await begin()))!
  expect(await shownTo(`portico-enrolled=${cookie}; portico-enrolled=${cookie}`)).toBe('Set up this device')
})

test('over https the cookie has the prefix that no sibling host can set, and without it is not believed', async () => {
  const secure = await startGateway({
    clock,
    policies: { ...POLICIES, 'tablets.yaml': TABLETS },
    settings: { ...PROXIED, issuer: 'https://id.kestrel.example' },
  })
  try {
    const { code } = await secure.server.house.devices.enrolment.begin({ kind: 'shared' }, 'cli')
    const address = `http://127.0.0.1:${secure.server.port}/device`
    const answer = await fetch(address, { method: 'POST', redirect: 'manual', body: new URLSearchParams({ code }) })
    const [set = ''] = answer.headers.getSetCookie()
    const value = /^__Host-portico-enrolled=([^;]+); Path=\/; Max-Age=34560000; HttpOnly; SameSite=Lax; Secure$/.exec(
      set,
    )?.[1]
    expect(value).toBeDefined()
    const shown = async (cookie: string) =>
      (await (await fetch(address, { headers: { cookie } })).text()).includes('is set up')
    expect(await shown(`__Host-portico-enrolled=${value}`)).toBe(true)
    expect(await shown(`portico-enrolled=${value}`)).toBe(false)
  } finally {
    await secure.close()
  }
  // one that was copied from the https address is not read as ours under http either
  const cookie = cookieOf(await send(await begin()))!
  expect(await shownTo(`__Host-portico-enrolled=${cookie}`)).toBe('Set up this device')
})

test('a shared tablet that was taken home opens nothing more once it is revoked, for whoever is signed in on it', async () => {
  const username = `person${++people}`
  await gateway.server.house.people.add({ username, name: username, groups: ['staff'], password: PASSWORD }, 'test')
  const browser = browserAt()
  const shown = await browser.open(`${page()}/${await begin(days(1))}`)
  await browser.submit(formOf(shown, 'enrol-device'))
  expect(atCallback(await typePassword(browser, await browser.open(appAddress(gateway, 'tablet')), username))).toBe(
    true,
  )
  const { id } = (await devices().enrolled.find(browser.jar.get('portico-enrolled')))!
  await devices().enrolled.revoke(id, 'cli')
  expect((await browser.open(appAddress(gateway, 'tablet'))).status).toBe(403)
  // nor does anything else: nobody is signed in there any more
  const start = await fetch(gateway.issuer, { redirect: 'manual', headers: { cookie: cookiesOf(browser) } })
  expect([start.status, start.headers.get('location')]).toEqual([303, expect.stringContaining('/signin/')])
})
