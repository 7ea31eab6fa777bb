/** Guessing the codes of other people's devices (RFC 8628 §5.1), in two processes at once, and shutting others out by it. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type createBrowser, formOf, headingOf } from '../../demo/browser.ts'
import { USER_CODE_LIMITS } from '../../src/protocol/oidc/user-codes.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { typePassword } from '../support/relying-party.ts'
import { anApp, browserAt, cookiesOf, movableClock, newAddress, PROXIED, post } from './people.ts'

type Browser = ReturnType<typeof createBrowser>

const clock = movableClock()
const GRANT = 'urn:ietf:params:oauth:grant-type:device_code'
const { 'user-code-address': ADDRESS, 'user-code-person': PERSON } = USER_CODE_LIMITS
const LETTERS = 'BCDFGHJKLMNPQRSTVWXZ'
const NAMES = ['sam', 'kim', 'lou', 'pat', 'max']

/** Two processes on one store, as behind a load balancer. */
let gateway: Gateway
let other: Gateway
beforeAll(async () => {
  gateway = await startGateway({
    clock,
    settings: PROXIED,
    policies: POLICIES,
    people: NAMES.map((username) => ({ username, name: username, groups: ['staff'] })),
    apps: [anApp('tv', 'plain', { oidc: { redirect_uris: [], scopes: ['openid'], grant_types: [GRANT] } })],
  })
  const { storage, state } = JSON.parse(readFileSync(join(gateway.folder, 'portico.yaml'), 'utf8'))
  const url = storage.url.replace(/^sqlite:(?!\/)/, `sqlite:${gateway.folder}/`)
  other = await startGateway({
    ...{ clock, policies: POLICIES, storage: url },
    settings: {
      ...{ ...PROXIED, issuer: gateway.issuer, secrets: { key_file: join(gateway.folder, 'master.key') } },
      ...(state ? { state } : {}),
    },
  })
})
afterAll(async () => {
  await other?.close()
  await gateway?.close()
})
beforeEach(() => {
  clock.at = (Math.floor(clock.at / ADDRESS.within) + 1) * ADDRESS.within
})

let device = 0
async function startDevice(): Promise<{ user_code: string; device_code: string }> {
  const response = await fetch(`${gateway.issuer}/oauth2/device/auth`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`tv:${gateway.secrets.get('tv')}`)}` },
    body: new URLSearchParams({ scope: 'openid' }),
  })
  return (await response.json()) as { user_code: string; device_code: string }
}
const pageOf = (browser: Browser) => browser.open(`${gateway.issuer}/oauth2/device`)
const type = async (browser: Browser, user_code: string) =>
  browser.submit(formOf(await pageOf(browser), 'device-code'), { user_code })
/** In the form of a code, each another one; that it is somebody's has a chance of one in 10¹⁰. */
const guess = () => {
  const [a, b] = [LETTERS[device % 20]!, LETTERS[Math.floor(device++ / 20) % 20]!]
  return `QXZW-QX${a}${b}`
}
const signedIn = async (username: string, address?: string): Promise<Browser> => {
  const browser = browserAt(address)
  await typePassword(browser, await browser.open(gateway.issuer), username)
  return browser
}

/** One of each browser at the same moment, half of them in each process; answers the statuses, in order. */
async function guesses(browsers: readonly { browser: Browser; address: string }[]): Promise<number[]> {
  const forms = []
  for (const { browser, address } of browsers) {
    const xsrf = formOf(await pageOf(browser), 'device-code').fields.get('xsrf')!
    forms.push({ xsrf, headers: { cookie: cookiesOf(browser), 'x-forwarded-for': address } })
  }
  const answers = await Promise.all(
    forms.map(({ xsrf, headers }, i) =>
      fetch(`${[gateway, other][i % 2]!.issuer}/oauth2/device`, {
        ...{ method: 'POST', headers, redirect: 'manual' },
        body: new URLSearchParams({ xsrf, user_code: guess() }),
      }),
    ),
  )
  const texts = await Promise.all(answers.map((answer) => answer.text()))
  // a form that was too old is no guess
  expect(texts.filter((text) => text.includes('took too long'))).toEqual([])
  return answers.map(({ status }) => status).toSorted()
}
const strangers = (address: string, times: number) =>
  Array.from({ length: times }, () => ({ browser: browserAt(address), address }))
/** One after the other: passwords at the same moment have a limit of their own. */
async function sessionsOf(username: string, addresses: readonly string[]) {
  const sessions = []
  for (const address of addresses) sessions.push({ browser: await signedIn(username, address), address })
  return sessions
}
/** What happened to so many that are listened to, and to so many that are not. */
const heard = (listened: number, late: number) => [...Array(listened).fill(400), ...Array(late).fill(429)]
const told = async () =>
  (await gateway.server.house.audit.search({ event: 'user-code-throttled' })).map(({ reason, subject }) => [
    reason,
    subject,
  ])

describe('somebody whom nobody knows', () => {
  test('has twenty guesses from one address, also at the same moment and in two processes', async () => {
    const address = newAddress()
    const before = (await told()).length
    expect(await guesses(strangers(address, ADDRESS.tries + 10))).toEqual(heard(ADDRESS.tries, 10))
    // a browser that has not been there before is no way round, and the other process says so too
    expect(await guesses(strangers(address, 4))).toEqual(heard(0, 4))
    const trail = (await told()).slice(0, (await told()).length - before)
    expect(trail).toEqual([['user-code-address', undefined]])
  })

  test('is not listened to with a right code either, until the quarter is over', async () => {
    const address = newAddress()
    const browser = browserAt(address)
    await guesses(strangers(address, ADDRESS.tries))
    const { user_code } = await startDevice()
    clock.at += 60_000
    const xsrf = formOf(await pageOf(browser), 'device-code').fields.get('xsrf')!
    const headers = { 'x-forwarded-for': address }
    const late = await post(browser, `${gateway.issuer}/oauth2/device`, { xsrf, user_code }, headers)
    expect([late.status, late.headers.get('retry-after')]).toEqual([429, String(ADDRESS.within / 1000 - 60)])
    expect(headingOf(await type(browserAt(), user_code))).toBe('Is this your device?')
    clock.at += ADDRESS.within - 60_000
    const again = await startDevice()
    expect(headingOf(await type(browser, again.user_code))).toBe('Is this your device?')
  })

  test('with addresses of one network of IPv6 is one', async () => {
    const [one, two] = ['2001:db8:77:1::1', '2001:db8:77:1:ffff::2']
    expect(await guesses(strangers(one, ADDRESS.tries))).toEqual(heard(ADDRESS.tries, 0))
    expect((await type(browserAt(two), guess())).status).toBe(429)
    expect((await type(browserAt('2001:db8:77:2::1'), guess())).status).toBe(400)
  })

  test.each([
    ['en', 'Too many tries. Please wait a moment.', 'You can try again in 15 minutes.'],
    ['nl', 'Te veel pogingen. Wacht even.', 'U kunt het over 15 minuten opnieuw proberen.'],
    ['de', 'Zu viele Versuche. Bitte warten Sie einen Moment.', 'Sie können es in 15 Minuten erneut versuchen.'],
    ['ru', 'Слишком много попыток. Подождите немного.', 'Попробуйте ещё раз через 15 минут.'],
  ])('reads in %s for how long, and that signing in is a way on', async (language, sentence, when) => {
    const address = newAddress()
    await guesses(strangers(address, ADDRESS.tries))
    const page = await type(browserAt(address, { 'accept-language': language }), guess())
    expect(page.status).toBe(429)
    const alert = /role="alert">.*?<p>(.*?)<\/p>/s.exec(page.text)![1]!
    expect(alert.replaceAll('\u00a0', ' ')).toBe(`${sentence} ${when}`)
    expect(page.text).toContain('href="/signin?return=/oauth2/device"')
  })
})

describe('somebody who is signed in', () => {
  test('has ten guesses, from however many addresses', async () => {
    const before = (await told()).length
    const sessions = await sessionsOf('sam', Array.from({ length: PERSON.tries + 4 }, newAddress))
    expect(await guesses(sessions)).toEqual(heard(PERSON.tries, 4))
    // another session of theirs is no way round; the page leads nobody to where they are
    const page = await type(await signedIn('sam'), guess())
    expect([page.status, page.text.includes('/signin?return')]).toEqual([429, false])
    const trail = (await told()).slice(0, (await told()).length - before)
    expect(trail).toEqual([['user-code-person', gateway.ids.get('sam')]])
    expect((await type(await signedIn('kim'), guess())).status).toBe(400)
  })

  test('connects a device while others guess behind the same address, without end', async () => {
    const address = newAddress()
    for (let quarter = 0; quarter < 3; quarter++) {
      await guesses(strangers(address, ADDRESS.tries + 5))
      await guesses(await sessionsOf('max', Array(PERSON.tries + 1).fill(address)))
      const stuck = browserAt(address)
      const refused = await type(stuck, guess())
      expect(refused.status).toBe(429)
      // as the page says: sign in first
      const way = /href="(\/signin\?return=[^"]+)"/.exec(refused.text)![1]!
      const back = await typePassword(stuck, await stuck.open(`${gateway.issuer}${way}`), 'lou')
      const { user_code, device_code } = await startDevice()
      const asked = await stuck.submit(formOf(back, 'device-code'), { user_code })
      const done = await stuck.submit(formOf(asked, 'device-confirm'), { confirm: 'yes' })
      expect([done.status, headingOf(done)]).toEqual([200, 'The device is connected'])
      expect(device_code).toBeTruthy()
      clock.at += ADDRESS.within
    }
  })
})

test('right codes are given back, and what cannot be a code is no guess', async () => {
  const browser = await signedIn('pat')
  for (let i = 0; i < PERSON.tries + 3; i++) {
    const asked = await type(browser, (await startDevice()).user_code)
    expect([asked.status, headingOf(asked)]).toEqual([200, 'Is this your device?'])
    for (const slip of ['QXZW-QXZ', 'AEIO-UAEI', '1234-5678', 'x'.repeat(60), '__proto__'])
      expect((await type(browser, slip)).status).toBe(400)
  }
  // one that somebody has answered is as wrong as one that never was
  const { user_code } = await startDevice()
  const typed = await type(browser, user_code)
  await browser.submit(formOf(typed, 'device-confirm'), { abort: 'yes' })
  for (let i = 0; i < PERSON.tries; i++) expect((await type(browser, user_code)).status).toBe(400)
  expect((await type(browser, user_code)).status).toBe(429)
})
