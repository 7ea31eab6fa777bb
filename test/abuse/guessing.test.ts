/** Guessing passwords: limits that nobody can use against somebody else, and pages that do not tell who exists. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { formOf } from '../../demo/browser.ts'
import { type Gateway, PASSWORD, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { atCallback, typePassword } from '../support/relying-party.ts'
import {
  anApp,
  appAddress,
  type Browser,
  browserAt,
  identify,
  movableClock,
  newAddress,
  PROXIED,
  post,
} from './people.ts'

let gateway: Gateway
const clock = movableClock()
const MINUTE = 60_000

beforeAll(async () => {
  const names = ['sam', 'hammered', 'parallel', 'known', 'gone-away']
  gateway = await startGateway({
    clock,
    settings: PROXIED,
    policies: POLICIES,
    people: names.map((username) => ({ username, name: username, groups: ['staff'] })),
    apps: [anApp('web', 'plain')],
  })
  await gateway.server.house.people.disable(gateway.ids.get('gone-away')!, 'test')
})
afterAll(() => gateway.close())

const app = () => appAddress(gateway, 'web')

/** One wrong password in a browser of its own; answers the status. */
async function guess(username: string, address = newAddress()): Promise<number> {
  const browser = browserAt(address)
  return (await browser.submit(formOf(await identify(browser, app(), username), 'password'), { password: 'wrong' }))
    .status
}
const signIn = async (username: string, browser: Browser = browserAt()) =>
  typePassword(browser, await browser.open(app()), username)

/** What differs between any two pages: ids, nonces, challenges, references, and the name that was typed. */
const plain = (text: string, username: string) =>
  text
    .replaceAll(username, 'NAME')
    .replace(/nonce="[^"]*"/g, 'nonce')
    .replace(/\/signin\/[\w-]+/g, '/signin/ID')
    .replace(/&quot;challenge&quot;:&quot;[\w-]+&quot;/g, 'challenge')
    .replace(/[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}/g, 'REFERENCE')

describe('nobody learns who exists', () => {
  test.each(['sam', 'nobody', 'gone-away', 'SAM ', 'sám', 'sam\u200b'])(
    '%j: the same pages, cookies and headers',
    async (username) => {
      const seen: Record<string, unknown>[] = []
      for (const name of [username, 'somebodyelse']) {
        const browser = browserAt('198.51.200.1')
        const asked = await identify(browser, app(), name)
        const form = formOf(asked, 'password')
        const wrong = await post(browser, form.action, { ...Object.fromEntries(form.fields), password: 'wrong' })
        seen.push({
          status: [asked.status, wrong.status],
          asked: plain(asked.text, name.trim()),
          wrong: plain(wrong.text, name.trim()),
          cookies: [...browser.jar.keys()],
          set: wrong.cookies.map((cookie) => cookie.split('=')[0]),
        })
      }
      expect(seen[0]).toEqual(seen[1])
    },
  )

  test('not even by which passkeys are asked for', async () => {
    for (const username of ['sam', 'nobody']) {
      const page = await identify(browserAt(), app(), username)
      expect(page.text).not.toContain('allowCredentials')
    }
  })

  test('not even by when guessing is over', async () => {
    const heard = async (username: string) => {
      const statuses = await Promise.all(Array.from({ length: 14 }, () => guess(username)))
      return statuses.filter((status) => status === 400).length
    }
    const [known, unknown] = [await heard('parallel'), await heard('not there')]
    expect(known).toBe(unknown)
    // ten, and the first of those that come one by one
    expect(known).toBe(11)
  })
})

describe('one name', () => {
  test('that somebody hammers is closed for them, opens for its owner on a known device, and recovers', async () => {
    const known = browserAt()
    expect(atCallback(await signIn('hammered', known))).toBe(true)
    known.jar.delete('portico-session')

    await Promise.all(Array.from({ length: 30 }, () => guess('hammered')))
    const stranger = browserAt()
    const closed = await signIn('hammered', stranger)
    expect(closed.status).toBe(429)
    // the right password was not even looked at: the page says nothing about it
    expect(stranger.jar.has('portico-session')).toBe(false)
    expect(atCallback(await signIn('hammered', known))).toBe(true)

    // nobody has to be asked to unlock it, and the first wait is short
    clock.at += 31_000
    expect(atCallback(await signIn('hammered', browserAt()))).toBe(true)
    await Promise.all(Array.from({ length: 30 }, () => guess('hammered')))
    expect((await signIn('hammered')).status).toBe(429)
    clock.at += 16 * MINUTE
    expect(atCallback(await signIn('hammered'))).toBe(true)
  })

  test('tells when to come back (RFC 9110 §10.2.3)', async () => {
    await Promise.all(Array.from({ length: 14 }, () => guess('known')))
    const browser = browserAt()
    const form = formOf(await identify(browser, app(), 'known'), 'password')
    const response = await fetch(form.action, {
      method: 'POST',
      headers: { cookie: [...browser.jar].map(([name, value]) => `${name}=${value}`).join('; ') },
      body: new URLSearchParams({ step: 'password', password: PASSWORD }),
    })
    expect(response.status).toBe(429)
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(Number(response.headers.get('retry-after'))).toBeLessThanOrEqual(30)
  })
})

describe('many names from one address', () => {
  test('are heard a hundred times, and then neither wrong nor right ones', async () => {
    const address = newAddress()
    clock.at += 16 * MINUTE
    const statuses: number[] = []
    for (let round = 0; round < 8; round++)
      statuses.push(...(await Promise.all(Array.from({ length: 16 }, (_, i) => guess(`spray${round}-${i}`, address)))))
    const heard = statuses.filter((status) => status === 400).length
    expect(heard).toBeGreaterThanOrEqual(90)
    expect(heard).toBeLessThanOrEqual(100)
    expect((await signIn('sam', browserAt(address))).status).toBe(429)
    // others do not notice
    expect(atCallback(await signIn('sam'))).toBe(true)
    // a forged address in front of the one that the proxy saw changes nothing
    expect((await signIn('sam', browserAt(`203.0.113.77, ${address}`))).status).toBe(429)
    clock.at += 16 * MINUTE
    expect(atCallback(await signIn('sam', browserAt(address)))).toBe(true)
  })

  test('spraying does not stop a shop behind the same address whose browsers are known', async () => {
    const address = newAddress()
    const known = browserAt(address)
    expect(atCallback(await signIn('sam', known))).toBe(true)
    for (let round = 0; round < 7; round++)
      await Promise.all(Array.from({ length: 16 }, (_, i) => guess(`again${round}-${i}`, address)))
    known.jar.delete('portico-session')
    expect((await signIn('sam', browserAt(address))).status).toBe(429)
    expect(atCallback(await signIn('sam', known))).toBe(true)
  })
})

test('a password of a megabyte, or none, is refused without being hashed', async () => {
  const browser = browserAt()
  const form = formOf(await identify(browser, app(), 'sam'), 'password')
  const { done } = gateway.server.house.people.load()
  for (const password of ['', 'x'.repeat(5000), 'x'.repeat(60_000)]) {
    const answer = await post(browser, form.action, { step: 'password', password })
    expect(answer.status).toBe(400)
  }
  expect((await post(browser, form.action, { step: 'password', password: 'x'.repeat(1 << 20) })).status).toBe(413)
  expect(gateway.server.house.people.load().done - done).toBeLessThanOrEqual(1)
})
