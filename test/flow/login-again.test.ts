/** An app asks that somebody signs in again (OIDC Core §3.1.2.1, `prompt=login`, `max_age=0`): not only a code of a telephone. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { formOf, type Page } from '../../demo/browser.ts'
import {
  anApp,
  appAddress,
  type Browser,
  browserAt,
  giveTotp,
  movableClock,
  PROXIED,
  post,
  stepOf,
} from '../abuse/people.ts'
import { type Gateway, PASSWORD, startGateway } from '../support/gateway.ts'
import { atCallback, typePassword } from '../support/relying-party.ts'
import { totpCode } from '../support/totp.ts'

const clock = movableClock()
let gateway: Gateway
let people = 0

beforeAll(async () => {
  gateway = await startGateway({
    policies: {
      'networks.yaml': 'networks: {}\n',
      'account.yaml': 'policy: account\nrules:\n  - { name: all, allow: {} }\n',
      'plain.yaml': 'policy: plain\nrules:\n  - { name: all, allow: {} }\n',
      'two.yaml': 'policy: two\nrules:\n  - { name: all, allow: { strength: two-factors } }\n',
    },
    clock,
    settings: PROXIED,
    apps: [anApp('plain', 'plain'), anApp('two', 'two')],
  })
})
afterAll(() => gateway.close())

/** Somebody with a password and an authenticator app, signed in with both some minutes ago. */
async function signedIn(): Promise<{ browser: Browser; code: () => string }> {
  const username = `person${++people}`
  const { id } = await gateway.server.house.people.add({ username, name: 'x', groups: [], password: PASSWORD }, 'test')
  const secret = await giveTotp(gateway, id, clock.at)
  const browser = browserAt()
  clock.at += 60_000
  const page = await typePassword(browser, await browser.open(appAddress(gateway, 'two')), username)
  const done = await browser.submit(formOf(page, 'totp'), { code: totpCode(secret, clock.at) })
  expect(atCallback(done)).toBe(true)
  clock.at += 60_000
  return { browser, code: () => totpCode(secret, clock.at) }
}

const answered = (browser: Browser, page: Page, values: Record<string, string>) =>
  browser.submit(formOf(page, stepOf(page)!), values)

describe.each([{ prompt: 'login' }, { max_age: '0' }])('%j', (more: Record<string, string>) => {
  test('asks for the password, and a code instead of it opens nothing', async () => {
    const { browser, code } = await signedIn()
    const page = await browser.open(appAddress(gateway, 'plain', more))
    expect([atCallback(page), stepOf(page)]).toEqual([false, 'password'])
    // nor is there another way to give one
    expect(page.text).not.toContain('?other')
    const { action } = formOf(page, 'password')
    for (const step of ['totp', 'recovery-code', 'choice']) {
      const { location, status } = await post(browser, action, { step, code: code(), way: 'totp' })
      expect([step, status === 303 ? location.includes('/signin/') : status]).toEqual([
        step,
        step === 'choice' ? 404 : true,
      ])
    }
    expect(stepOf(await browser.open(action.href))).toBe('password')
    expect(atCallback(await answered(browser, page, { password: PASSWORD }))).toBe(true)
  })

  test('of an app that wants two factors asks for both', async () => {
    const { browser, code } = await signedIn()
    let page = await browser.open(appAddress(gateway, 'two', more))
    const steps: string[] = []
    for (; !atCallback(page) && steps.length < 5; ) {
      const step = stepOf(page)!
      steps.push(step)
      page = await answered(browser, page, step === 'password' ? { password: PASSWORD } : { code: code() })
    }
    expect(steps.toSorted()).toEqual(['password', 'totp'])
  })

  test('and a code that is given in another tab meanwhile changes nothing', async () => {
    const { browser, code } = await signedIn()
    const page = await browser.open(appAddress(gateway, 'plain', more))
    const other = await browser.open(appAddress(gateway, 'two', { max_age: '30' }))
    await answered(browser, other, stepOf(other) === 'totp' ? { code: code() } : { password: PASSWORD })
    expect(stepOf(await browser.open(formOf(page, 'password').action.href))).toBe('password')
  })
})
