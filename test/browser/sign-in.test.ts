/** Signing in with what people type: names, passwords, codes. A real browser, real apps, and also without JavaScript. */
import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { messagesFor } from '#pages'
import { type Chromium, startChromium } from '../support/chromium.ts'
import { PASSWORD } from '../support/gateway.ts'
import { greeting, type Hired, identify, type Kestrel, signIn, startKestrel } from '../support/kestrel.ts'
import { totpCode } from '../support/totp.ts'

const en = messagesFor('en')
const STEP = 30_000
let kestrel: Kestrel
let chromium: Chromium

beforeAll(async () => {
  ;[kestrel, chromium] = await Promise.all([startKestrel(), startChromium()])
})
afterEach(() => chromium.endVisits())
afterAll(async () => {
  await chromium?.close()
  await kestrel?.close()
})

/** Adds an authenticator app on the account page; answers its secret and the instant of the code that proved it. */
async function addTotp(tab: Page): Promise<{ secret: string; usedAt: number }> {
  await tab.goto(`${kestrel.issuer}/account`)
  await tab.getByRole('button', { name: en.account.addTotp }).click()
  const secret = (await tab.locator('.secret').textContent())!.replaceAll(' ', '')
  const usedAt = Date.now()
  await tab.fill('[name=code]', totpCode(secret, usedAt))
  await tab.getByRole('button', { name: en.enrolTotp.submit }).click()
  await tab.getByText(en.notices['totp-added']).waitFor()
  return { secret, usedAt }
}

/** A code is accepted once: the next one is taken as well, a step ahead of the clock. */
const nextCode = ({ secret, usedAt }: { secret: string; usedAt: number }) => totpCode(secret, usedAt + STEP)

describe('a password', () => {
  test('opens the app that somebody came for, and the next apps without a question', async () => {
    const { username, name } = await kestrel.hire()
    const tab = await chromium.tab()
    await tab.goto(kestrel.at('crm'))
    expect(new URL(tab.url()).origin).toBe(kestrel.issuer)
    expect(await tab.getByText('Customer desk').isVisible()).toBe(true)
    await signIn(tab, username)
    expect(await greeting(tab)).toBe(`Hello ${name}.`)
    expect(tab.url()).toBe(kestrel.at('crm'))
    for (const app of ['tills', 'rota']) {
      await tab.goto(kestrel.at(app))
      expect([app, await greeting(tab)]).toEqual([app, `Hello ${name}.`])
    }
  })

  test('that is wrong is announced, and the field that is meant says so', async () => {
    const { username } = await kestrel.hire()
    const tab = await chromium.tab()
    await tab.goto(kestrel.at('crm'))
    await signIn(tab, username, 'not this one at all')
    const alert = tab.getByRole('alert')
    await alert.waitFor()
    expect((await alert.textContent())!.trim()).toBe(en.refusals['password-wrong'])
    const field = tab.locator('[name=password]')
    expect(await field.getAttribute('aria-invalid')).toBe('true')
    expect(await field.getAttribute('aria-describedby')).toBe(await alert.getAttribute('id'))
    expect(await field.inputValue()).toBe('')
    expect(await field.evaluate((one) => one === document.activeElement)).toBe(true)
    // what a screen reader says first, and the tab
    expect(await tab.title()).toContain(en.frame.problem.replace('{title}', en.password.title))
    await tab.fill('[name=password]', PASSWORD)
    await tab.click('button.main')
    expect(tab.url()).toBe(kestrel.at('crm'))
  })

  test('of a name that nobody has is as wrong as any other', async () => {
    const tab = await chromium.tab()
    await tab.goto(kestrel.at('crm'))
    await signIn(tab, 'nobody.at.all')
    expect((await tab.getByRole('alert').textContent())!.trim()).toBe(en.refusals['password-wrong'])
  })

  test('is asked of somebody else after "Not you?"', async () => {
    const { username, name } = await kestrel.hire()
    const tab = await chromium.tab()
    await tab.goto(kestrel.at('crm'))
    await identify(tab, 'somebody.else')
    await tab.getByRole('link', { name: en.common.notYou }).click()
    expect(await tab.inputValue('[name=username]')).toBe('')
    await signIn(tab, username)
    expect(await greeting(tab)).toBe(`Hello ${name}.`)
  })

  test('is not asked for before there is a name', async () => {
    const tab = await chromium.tab()
    await tab.goto(kestrel.at('crm'))
    const at = tab.url()
    await tab.click('form:has([name=username]) button.main')
    expect(await tab.evaluate(() => document.querySelector(':invalid') !== null)).toBe(true)
    expect(tab.url()).toBe(at)
  })
})

test('password managers find every field by name, purpose and label, outside any shadow tree', async () => {
  const { username } = await kestrel.hire()
  const tab = await chromium.tab()
  const fields = () =>
    tab.evaluate(() => {
      const shadows = [...document.querySelectorAll('*')].filter((one) => one.shadowRoot).length
      if (shadows > 0) throw new Error('a shadow tree')
      return [...document.querySelectorAll<HTMLInputElement>('form input:not([type=hidden])')].map(
        ({ name, autocomplete, type, labels, hidden }) => [name, autocomplete, type, hidden || labels!.length > 0],
      )
    })
  await tab.goto(kestrel.at('crm'))
  expect(await fields()).toEqual([['username', 'username webauthn', 'text', true]])
  await identify(tab, username)
  expect(await fields()).toEqual([
    ['username', 'username', 'text', true],
    ['password', 'current-password', 'password', true],
  ])
  expect(await tab.inputValue('[name=username]')).toBe(username)
  await tab.fill('[name=password]', PASSWORD)
  await tab.click('button.main')
  await greeting(tab)
  await tab.goto(`${kestrel.issuer}/account/password`)
  expect(await fields()).toEqual([
    ['username', 'username', 'text', true],
    ['current', 'current-password', 'password', true],
    ['password', 'new-password', 'password', true],
  ])
  await addTotp(tab)
  await tab.goto(kestrel.at('sim-swap'))
  expect(await fields()).toEqual([['code', 'one-time-code', 'text', true]])
  expect(await tab.getAttribute('[name=code]', 'inputmode')).toBe('numeric')
})

describe.each([
  ['with JavaScript', true],
  ['without JavaScript', false],
])('an authenticator app, %s', (_, javaScriptEnabled) => {
  let person: Hired

  test('is added on the account page and then opens the risky app', async () => {
    person = await kestrel.hire()
    const first = await chromium.tab({ javaScriptEnabled })
    await first.goto(`${kestrel.issuer}/account`)
    await signIn(first, person.username)
    await first.getByRole('button', { name: en.account.addTotp }).click()
    const picture = first.getByRole('img', { name: en.enrolTotp.qr })
    expect((await picture.boundingBox())!.width).toBeGreaterThan(150)
    expect(await picture.getAttribute('src')).toMatch(/^data:image\/svg\+xml;base64,/)
    expect(await first.getByRole('link', { name: en.enrolTotp.open }).getAttribute('href')).toMatch(
      /^otpauth:\/\/totp\/Kestrel%20Mobile:/,
    )
    const totp = await addTotp(first)
    expect(await first.locator('#factors').locator('..').textContent()).toContain(en.factors.totp)

    const tab = await chromium.tab({ javaScriptEnabled })
    await tab.goto(kestrel.at('crm'))
    await signIn(tab, person.username)
    expect(await greeting(tab)).toBe(`Hello ${person.name}.`)
    await tab.goto(kestrel.at('sim-swap'))
    await tab.getByText(en.common.why).click()
    expect(await tab.locator('details').textContent()).toContain('SIM swap')
    await tab.fill('[name=code]', '000000')
    await tab.click('button.main')
    expect((await tab.getByRole('alert').textContent())!.trim()).toBe(en.refusals['code-invalid'])
    await tab.fill('[name=code]', nextCode(totp))
    await tab.click('button.main')
    expect(await greeting(tab)).toBe(`Hello ${person.name}.`)
    expect(tab.url()).toBe(kestrel.at('sim-swap'))
    expect(await tab.locator('tr:has-text("acr") td').first().textContent()).toBe('two-factors')
    expect(await tab.locator('tr:has-text("amr") td').textContent()).toContain('otp')
  })

  test('does not take a code a second time', async () => {
    const tab = await chromium.tab({ javaScriptEnabled })
    const other = await kestrel.hire()
    await tab.goto(`${kestrel.issuer}/account`)
    await signIn(tab, other.username)
    const totp = await addTotp(tab)
    const later = await chromium.tab({ javaScriptEnabled })
    await later.goto(kestrel.at('sim-swap'))
    await signIn(later, other.username)
    await later.fill('[name=code]', totpCode(totp.secret, totp.usedAt))
    await later.click('button.main')
    expect((await later.getByRole('alert').textContent())!.trim()).toBe(en.refusals['code-invalid'])
  })
})

test('no script failed and nothing was stopped by our own Content-Security-Policy', () => {
  expect(chromium.troubles).toEqual([])
})
