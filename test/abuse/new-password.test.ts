/** The page on which people choose a new password on the way in, as somebody would use it who does not know the old one. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { messagesFor, refusalSentence } from '#pages'
import { formOf, headingOf, type Page } from '../../demo/browser.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { atCallback, typePassword } from '../support/relying-party.ts'
import { BASE, type Slapd, startSlapd } from '../support/slapd.ts'
import {
  anApp,
  appAddress,
  type Browser,
  browserAt,
  cookiesOf,
  identify,
  movableClock,
  newAddress,
  PROXIED,
  post,
  stepOf,
} from './people.ts'

const en = messagesFor('en')
const GIVEN = 'given by the desk 1'
const CHOSEN = 'vier gelbe leitern 7'
const STEP = 'new-password'
const POLICY = `cn=policy,${BASE}`
const NAMES = ['hammered', 'known', 'owner', 'victim', 'early', 'racer']
const SPRAYED = Array.from({ length: 6 }, (_, i) => `sprayed${i}`)
const clock = movableClock()
let slapd: Slapd
let gateway: Gateway

beforeAll(async () => {
  slapd = await startSlapd(
    [
      ...[...NAMES, ...SPRAYED].map((uid) => ({ uid, name: uid, password: GIVEN, lines: ['pwdReset: TRUE'] })),
      { uid: 'other', name: 'other', password: GIVEN },
    ],
    {},
    { modules: 'moduleload ppolicy', database: `overlay ppolicy\nppolicy_default "${POLICY}"` },
  )
  await slapd.modify(
    `dn: ${POLICY}\nchangetype: add\nobjectClass: device\nobjectClass: pwdPolicy\ncn: policy\npwdAttribute: userPassword\npwdMustChange: TRUE\n`,
  )
  gateway = await startGateway({
    clock,
    policies: { ...POLICIES, 'all.yaml': 'policy: all\nrules:\n  - { name: everybody, allow: {} }\n' },
    settings: {
      ...PROXIED,
      directories: [{ id: 'local', kind: 'local' }, slapd.settings({ password_change: true })],
    },
    apps: [anApp('web', 'all')],
  })
})
afterAll(async () => {
  await gateway?.close()
  await slapd?.end()
})

const app = () => appAddress(gateway, 'web')
const says = (page: { text: string }, code: Parameters<typeof refusalSentence>[1]) =>
  page.text.includes(refusalSentence(en, code))
const verify = (username: string, password: string) => gateway.server.house.people.verifyPassword(username, password)
const stillHeld = async (username: string) => expect(await verify(username, GIVEN)).toHaveProperty('toRenew')

async function arrive(username: string, browser: Browser = browserAt()): Promise<{ browser: Browser; page: Page }> {
  const page = await typePassword(browser, await browser.open(app()), username, GIVEN)
  expect(headingOf(page)).toBe(en.newPassword.title)
  return { browser, page }
}
const choose = (browser: Browser, page: Page, current: string, password = CHOSEN) =>
  browser.submit(formOf(page, STEP), { current, password })

test('guesses there and on the page before share one limit, whatever stands in the other field', async () => {
  const { page, browser } = await arrive('hammered')
  for (let i = 0; i < 5; i++) expect((await choose(browser, page, `guess ${i}`)).status).toBe(400)
  for (let i = 0; i < 5; i++) {
    const guessing = browserAt()
    const form = formOf(await identify(guessing, app(), 'hammered'), 'password')
    expect((await guessing.submit(form, { password: `guess ${i}` })).status).toBe(400)
  }
  const statuses = await Promise.all([6, 7, 8, 9].map(async (i) => (await choose(browser, page, `guess ${i}`)).status))
  // the first of those that come one by one
  expect(statuses.sort()).toEqual([400, 429, 429, 429])
  // and the right one is not even looked at
  const right = await choose(browser, page, GIVEN)
  expect([right.status, browser.jar.has('portico-session')]).toEqual([429, false])
  await stillHeld('hammered')
  clock.at += 16 * 60_000
  expect(atCallback(await choose(browser, page, GIVEN))).toBe(true)
})

test('beyond the limit of an address nobody hears that a password is right and has to be changed, nor changes it', async () => {
  const address = newAddress()
  const arrived = await arrive('racer')
  const waiting = await Promise.all(
    SPRAYED.map(async (username) => {
      const browser = browserAt(address)
      return { browser, form: formOf(await identify(browser, app(), username), 'password') }
    }),
  )
  const { factors } = gateway.server.house
  const about = { address, knownDevice: false, conversation: 'spraying' }
  const wrong = (n: number) =>
    factors
      .verify('password', 'wrong', { ...about, username: `nobody ${n}` })
      .catch((error: { code: string }) => error.code)
  const heard = await Promise.all(Array.from({ length: 105 }, (_, n) => wrong(n)))
  expect(heard.filter((code) => code === 'throttled').length).toBeGreaterThan(0)
  for (const { browser, form } of waiting) {
    const answer = await browser.submit(form, { password: GIVEN })
    expect([answer.status, headingOf(answer)]).toEqual([429, en.password.title])
  }
  const form = formOf(arrived.page, STEP)
  const fields = { ...Object.fromEntries(form.fields), current: GIVEN, password: CHOSEN }
  const late = await post(arrived.browser, form.action, fields, { 'x-forwarded-for': address })
  expect(late.status).toBe(429)
  await stillHeld('racer')
})

test('the page is not there for whoever has not shown the right password, nor in another browser', async () => {
  const browser = browserAt()
  const asked = await identify(browser, app(), 'early')
  const { action } = formOf(asked, 'password')
  const forced = await post(browser, action, { step: STEP, current: GIVEN, password: CHOSEN })
  expect(forced.status).toBe(303)
  expect(stepOf(await browser.open(new URL(forced.location, action).href))).toBe('password')
  await stillHeld('early')

  const { page } = await arrive('owner')
  const thief = browserAt()
  await thief.open(app())
  const form = formOf(page, STEP)
  const answer = await post(thief, form.action, {
    ...Object.fromEntries(form.fields),
    current: GIVEN,
    password: CHOSEN,
  })
  expect(answer.text).not.toContain(en.newPassword.title)
  expect(cookiesOf(thief)).not.toContain('portico-session')
  await stillHeld('owner')
})

test('it changes the password of the one who came, whatever name the form holds', async () => {
  const { browser, page } = await arrive('owner')
  const form = formOf(page, STEP)
  const answer = await browser.submit(form, { username: 'victim', current: GIVEN, password: CHOSEN })
  expect(atCallback(answer)).toBe(true)
  await stillHeld('victim')
  expect(await verify('owner', CHOSEN)).toMatchObject({ username: 'owner' })
  // of somebody who must not, it changes nothing: that takes a second factor, on the account page
  const { browser: second, page: waiting } = await arrive('victim')
  await slapd.modify(`dn: ${slapd.dn('victim')}\nchangetype: modify\ndelete: pwdReset\n`)
  const back = await choose(second, waiting, GIVEN)
  expect([headingOf(back), second.jar.has('portico-session')]).toEqual([en.password.title, false])
  expect(await verify('victim', GIVEN)).toMatchObject({ username: 'victim' })
})

test('ten forms of the same page sent at once change it once', async () => {
  clock.at += 16 * 60_000
  const { browser, page } = await arrive('known')
  const { action, fields } = formOf(page, STEP)
  const sent = Array.from({ length: 10 }, (_, i) => ({
    ...Object.fromEntries(fields),
    current: GIVEN,
    password: `acht blaue stühle ${i}`,
  }))
  await Promise.all(sent.map((one) => post(browser, action, one)))
  const right = await Promise.all(
    sent.map(async ({ password }) => typeof (await verify('known', password)) !== 'string'),
  )
  expect(right.filter(Boolean)).toHaveLength(1)
})

test('nobody whose password is simply wrong is told apart from somebody who does not exist', async () => {
  const pages: string[] = []
  for (const username of ['early', 'nobodyatall']) {
    const browser = browserAt()
    const page = await typePassword(browser, await browser.open(app()), username, 'wrong')
    expect(says(page, 'password-wrong')).toBe(true)
    pages.push(
      page.text
        .replaceAll(username, 'NAME')
        .replace(/nonce="[^"]*"/g, '')
        .replace(/\/signin\/[\w-]+/g, ''),
    )
  }
  expect(pages[0]).toBe(pages[1])
})
