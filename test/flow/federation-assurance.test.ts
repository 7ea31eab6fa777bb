/** What a provider vouches for is neither asked twice nor believed blindly; where people are sent; both ends of a sign-in. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { formOf, headingOf, type Page } from '../../demo/browser.ts'
import { giveTotp, movableClock } from '../abuse/people.ts'
import { anApp, browserOf, type Federation, goThere, startFederation } from '../support/federation.ts'
import type { Gateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { atCallback, type Browser, relyingParty } from '../support/relying-party.ts'
import { totpCode } from '../support/totp.ts'

const clock = movableClock()
const PEOPLE = ['ann', 'bob', 'cas', 'dee', 'eve', 'flo', 'gus', 'hal'].map((username) => ({
  username,
  name: username,
  mail: `${username}@partner.example`,
  mailVerified: true,
  groups: ['visitors'],
}))
const OURS = {
  policies: {
    ...POLICIES,
    'fresh.yaml': 'policy: fresh\nrules:\n  - { name: each time, allow: { within: 0s } }\n',
    'hourly.yaml': 'policy: hourly\nrules:\n  - { name: each hour, allow: { within: 1h } }\n',
    // of somebody whom nobody knows yet it asks for nothing more than that they sign in
    'mixed.yaml': `policy: mixed
rules:
  - { name: staff, when: { user.groups: [staff] }, allow: { strength: two-factors } }
  - { name: others, allow: {} }
`,
  },
  apps: ['plain', 'strict', 'fresh', 'hourly', 'mixed'].map((policy) =>
    anApp(policy === 'plain' ? 'web' : policy, policy),
  ) as never,
}
const MAPPED = { newcomers: 'create', assurance: [{ amr: ['mfa'], is: 'two-factors' }] }

/** TOTP secrets by user name, of whichever gateway gave them. */
const secrets = new Map<string, string>()
async function withTotp({ server }: Gateway, gateway: Gateway, username: string, name = username): Promise<void> {
  const person = (await server.house.people.find(name))!
  secrets.set(username, await giveTotp(gateway, person.id, clock.now()))
  // the code of this step is spent by giving it
  clock.at += 30_000
}

/** Goes on wherever the person is asked, and says by whom what was asked. */
async function open(world: Federation, browser: Browser, username: string, id: string, parameters = {}) {
  clock.at += 2000
  const party = await relyingParty(world.gateway, id)
  const begun = await party.begin(parameters)
  const asked: string[] = []
  let page: Page = await browser.open(begun.url.href)
  for (let i = 0; i < 12 && !atCallback(page); i++) {
    const where = page.url.origin === world.provider.issuer ? 'there' : 'here'
    const step = /name="step" value="([a-z-]+)"/.exec(page.text)?.[1] ?? headingOf(page)
    if (step === 'identifier' && where === 'here') {
      page = await goThere(browser, page)
      continue
    }
    asked.push(`${step} ${where}`)
    if (step === 'identifier') page = await browser.submit(formOf(page, 'identifier'), { username })
    else if (step === 'password')
      page = await browser.submit(formOf(page, 'password'), { password: 'a lamp post in the rain' })
    else if (step === 'totp') {
      page = await browser.submit(formOf(page, 'totp'), { code: totpCode(secrets.get(username)!, clock.now()) })
      clock.at += 30_000
    } else if (where === 'there' && /href="[^"]*[?;]back"/.test(page.text)) {
      const back = /href="([^"]*[?;]back)"/.exec(page.text)![1]!.replaceAll('&amp;', '&')
      page = await browser.open(new URL(back, page.url).href)
    } else break
  }
  const claims =
    atCallback(page) && page.url.searchParams.has('code') ? (await party.finish(begun, page.url)).claims()! : undefined
  return { asked: asked.filter((one) => one !== 'identifier there'), claims, page }
}

describe('missing strength is asked there', () => {
  let world: Federation
  beforeAll(async () => {
    const theirPolicies = {
      'account.yaml': 'policy: account\nrules:\n  - { name: two, allow: { strength: two-factors } }\n',
    }
    const directory = { ...MAPPED, step_up: 'there', step_up_acr: { 'two-factors': 'two-factors' } }
    world = await startFederation({ clock, theirs: PEOPLE, ours: OURS, directory, theirPolicies })
    await withTotp(world.provider, world.provider, 'ann')
    await withTotp(world.provider, world.provider, 'bob')
  })
  afterAll(() => world.close())

  test('who gave two factors there is not asked for any here', async () => {
    const browser = browserOf()
    const { asked, claims } = await open(world, browser, 'ann', 'strict')
    expect(asked).toEqual(['password there', 'totp there'])
    expect(claims).toMatchObject({ acr: 'two-factors' })
    expect(claims!['amr']).toEqual(expect.arrayContaining(['pwd', 'otp', 'mfa']))
    expect((await open(world, browser, 'ann', 'strict')).asked).toEqual([])
    expect((await open(world, browser, 'ann', 'web')).asked).toEqual([])
  })

  test('who came in with one is sent there for the other, and not asked for the first again', async () => {
    const browser = browserOf()
    expect((await open(world, browser, 'bob', 'web')).asked).toEqual(['password there'])
    const { asked, claims } = await open(world, browser, 'bob', 'strict')
    expect(asked).toEqual(['totp there'])
    expect(claims).toMatchObject({ acr: 'two-factors' })
  })

  test('who set out as nobody, when less was asked, is sent there once more for what is needed of them', async () => {
    expect((await open(world, browserOf(), 'ann', 'mixed')).asked).toEqual(['password there', 'totp there'])
    const { asked, claims } = await open(world, browserOf(), 'dee', 'mixed')
    expect(claims).toBeUndefined()
    expect(asked).toEqual(['password there', 'The gateway next door stays closed for now there', 'enrol-choice here'])
  })

  test('who cannot give it there comes to an end that says what to do, and is not sent round', async () => {
    const browser = browserOf()
    await open(world, browser, 'cas', 'web')
    const { page, claims, asked } = await open(world, browser, 'cas', 'strict')
    expect(claims).toBeUndefined()
    expect(asked).toEqual(['The gateway next door stays closed for now there', 'enrol-choice here'])
    expect(page.url.origin).toBe(world.gateway.issuer)
    expect(page.text).toMatch(/E-[0-9A-Z]{4}-[0-9A-Z]{4}|enrol/)
  })
})

describe('missing strength is asked here', () => {
  let world: Federation
  beforeAll(async () => {
    world = await startFederation({ clock, theirs: PEOPLE, ours: OURS, directory: MAPPED })
  })
  afterAll(() => world.close())

  test('once, and both are on one receipt', async () => {
    const first = await open(world, browserOf(), 'dee', 'web')
    await withTotp(world.gateway, world.gateway, 'dee', 'dee@partner')
    const browser = browserOf()
    const { asked, claims } = await open(world, browser, 'dee', 'strict')
    expect(claims!.sub).toBe(first.claims!.sub)
    expect(asked).toEqual(['password there', 'totp here'])
    expect(claims).toMatchObject({ acr: 'two-factors' })
    expect((await open(world, browser, 'dee', 'strict')).asked).toEqual([])
    expect((await open(world, browser, 'dee', 'web')).asked).toEqual([])
    const receipts = await world.gateway.server.house.receipts.ofPerson(claims!.sub, 20)
    const strict = receipts.find(({ facts, outcome }) => facts?.app?.id === 'strict' && outcome === 'allow')
    expect(strict!.facts!.session).toMatchObject({
      upstream: { assurance: 'any' },
      authenticated: [{ factor: 'totp' }],
    })
  })

  test('a sign-in there that turns out to be too old is done again there, though nobody knew who was coming', async () => {
    const browser = browserOf()
    // the protocol engine goes by the machine's clock, and must not be behind
    clock.at = Date.now() - 70 * 60_000
    expect((await open(world, browser, 'flo', 'web')).asked).toEqual(['password there'])
    browser.jar.clear()
    clock.at = Date.now()
    const { asked, claims } = await open(world, browser, 'flo', 'hourly')
    expect(asked).toEqual(['password there'])
    expect(claims!.auth_time! * 1000).toBeGreaterThan(clock.now() - 60_000)
  })

  test('a sign-in that must be new is done again there, once', async () => {
    const browser = browserOf()
    expect((await open(world, browser, 'eve', 'web')).asked).toEqual(['password there'])
    expect((await open(world, browser, 'eve', 'fresh')).asked).toEqual(['password there'])
    expect((await open(world, browser, 'eve', 'fresh')).asked).toEqual(['password there'])
    const { asked, claims } = await open(world, browser, 'eve', 'web', { prompt: 'login' })
    expect(asked).toEqual(['password there'])
    expect(claims!.auth_time! * 1000).toBeGreaterThan(clock.now() - 60_000)
    expect((await open(world, browser, 'eve', 'web')).asked).toEqual([])
  })
})
