/** Where people are sent to sign in, and both ends of a sign-in: who leaves here leaves there, and the other way round. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createBrowser, formOf, headingOf, type Page } from '../../demo/browser.ts'
import { createRouting } from '../../src/signin/routing.ts'
import { movableClock, PROXIED, post } from '../abuse/people.ts'
import {
  anApp,
  browserOf,
  type Federation,
  goThere,
  PARTNER,
  signInThere,
  startFederation,
} from '../support/federation.ts'
import { PASSWORD } from '../support/gateway.ts'
import { atCallback, type Browser, CALLBACK, relyingParty } from '../support/relying-party.ts'

const clock = movableClock()

let world: Federation
beforeAll(async () => {
  world = await startFederation({
    clock,
    theirs: ['ann', 'bob', 'cas', 'dan'].map((username) => ({ username, name: username, groups: ['visitors'] })),
    ours: {
      apps: [anApp('web'), anApp('orders'), { ...anApp('board'), audience: ['board'] }] as never,
      people: [{ username: 'sam@kestrel.example', name: 'Sam', groups: ['staff'] }],
      settings: {
        ...PROXIED,
        routing: [
          { usernames: ['*.boss@partner.example'], to: 'here' },
          { domains: ['partner.example'], to: PARTNER },
          { apps: ['orders'], networks: ['198.51.100.0/24'], to: PARTNER },
          { hints: ['Partner.example'], to: PARTNER },
        ],
      },
    },
    directory: { newcomers: 'create' },
    // before the partner in the settings; nobody is ever sent there
    moreDirectories: [
      {
        ...{ id: 'contoso', kind: 'oidc', title: 'Contoso', issuer: 'https://login.contoso.example' },
        ...{ client_id: 'portico', client_secret: 'a secret that both of us know well' },
      },
    ],
  })
})
// the last test ends the other one
afterAll(() => world.gateway.close())

const opened = async (browser: Browser, id: string, parameters = {}) =>
  browser.open((await (await relyingParty(world.gateway, id)).begin(parameters)).url.href)
const from = (address: string) => createBrowser({ stopAt: CALLBACK, headers: { 'x-forwarded-for': address } })
const isThere = ({ url }: Page) => url.origin === world.provider.issuer
/** The buttons of the sign-in page, as they are read. */
const choicesOn = ({ text }: Page) =>
  [...text.matchAll(/<a [^>]*away=[^>]*>([\s\S]*?)<\/a>/g)].map(([, inside]) =>
    inside!
      .replace(/<[^>]*>/g, ' ')
      .replace(/\s+/g, ' ')
      .trim(),
  )

describe('people are sent', () => {
  test('by the domain of the name that they type, which they do not type again', async () => {
    const browser = browserOf()
    const page = await browser.submit(formOf(await opened(browser, 'web'), 'identifier'), {
      username: 'Ann@Partner.example',
    })
    expect(isThere(page)).toBe(true)
    expect(page.text).toContain('value="Ann@Partner.example"')
  })

  test('to the password here where an earlier rule or none says anything', async () => {
    for (const username of ['big.boss@partner.example', 'sam@kestrel.example', 'ann@x.partner.example', 'nobody']) {
      const browser = browserOf()
      const page = await browser.submit(formOf(await opened(browser, 'web'), 'identifier'), { username })
      expect(isThere(page), username).toBe(false)
      expect(formOf(page, 'password').action.origin).toBe(world.gateway.issuer)
    }
  })

  test('by the app and the address together, at once', async () => {
    expect(isThere(await opened(from('198.51.100.7'), 'orders'))).toBe(true)
    expect(isThere(await opened(from('198.51.101.7'), 'orders'))).toBe(false)
    expect(isThere(await opened(from('198.51.100.7'), 'web'))).toBe(false)
  })

  test('by what the app says: a hint of a domain, a name, or the provider itself', async () => {
    expect(isThere(await opened(browserOf(), 'web', { domain_hint: 'partner.EXAMPLE' }))).toBe(true)
    expect(isThere(await opened(browserOf(), 'web', { domain_hint: 'kestrel.example' }))).toBe(false)
    expect(isThere(await opened(browserOf(), 'web', { login_hint: 'ann@partner.example' }))).toBe(true)
    expect(isThere(await opened(browserOf(), 'web', { idp: PARTNER }))).toBe(true)
    expect(isThere(await opened(browserOf(), 'web', { idp: 'nobody' }))).toBe(false)
    expect(isThere(await browserOf().open(`${world.gateway.issuer}/signin?idp=${PARTNER}`))).toBe(true)
  })

  test('once: whoever comes back to the page may sign in here instead', async () => {
    const begun = await fetch(`${world.gateway.issuer}/signin?idp=${PARTNER}`, { redirect: 'manual' })
    const errand = new URL(begun.headers.get('location')!, world.gateway.issuer).href
    const browser = browserOf()
    expect(isThere(await browser.open(errand))).toBe(true)
    const back = await browser.open(errand)
    expect(isThere(back)).toBe(false)
    const asked = await browser.submit(formOf(back, 'identifier'), { username: 'sam@kestrel.example' })
    expect(formOf(asked, 'password').action.origin).toBe(world.gateway.issuer)
  })

  test('to the button of the provider that they chose last, which comes first', async () => {
    const browser = browserOf()
    expect(choicesOn(await opened(browser, 'web'))).toEqual(['Sign in with Contoso', 'Sign in with Partner'])
    await signInThere(browser, await goThere(browser, await opened(browser, 'web')), 'ann')
    browser.jar.delete('portico-session')
    const again = await opened(browser, 'web')
    // nobody is sent there by it: on a shared tablet the next person is somebody else
    expect(isThere(again)).toBe(false)
    expect(choicesOn(again)).toEqual(['Sign in with Partner', 'Sign in with Contoso'])
    expect(formOf(again, 'identifier').action.origin).toBe(world.gateway.issuer)
    // what is no provider of ours is no choice
    browser.jar.set('portico-provider', 'nobody')
    expect(choicesOn(await opened(browser, 'web'))).toEqual(['Sign in with Contoso', 'Sign in with Partner'])
  })
})

test('a rule only chooses a page: whoever it sends is let in, or not, as without it', async () => {
  for (const idp of [PARTNER, undefined]) {
    const browser = browserOf()
    let page = await opened(browser, 'web', idp ? { idp } : {})
    if (!isThere(page)) page = await goThere(browser, page)
    page = await signInThere(browser, page, 'bob')
    expect(atCallback(page)).toBe(true)
    const { people } = world.gateway.server.house
    expect((await people.list({ search: 'bob' }))[0]).toMatchObject({ groups: ['staff'] })
  }
})

test('a name that leads to a provider makes nobody of that name: who signs in there is who it says', async () => {
  const { people } = world.gateway.server.house
  const boss = await people.add(
    {
      username: 'ceo@partner.example',
      name: 'Ours',
      groups: ['board'],
      mail: 'ceo@partner.example',
      mailVerified: true,
    },
    'test',
  )
  const browser = browserOf()
  const party = await relyingParty(world.gateway, 'board')
  const begun = await party.begin()
  const asked = await browser.open(begun.url.href)
  const there = await browser.submit(formOf(asked, 'identifier'), { username: 'ceo@partner.example' })
  expect(isThere(there)).toBe(true)
  const page = await signInThere(browser, there, 'dan')
  // neither the person whose name was typed, nor the app that is for them
  expect([atCallback(page), page.status]).toEqual([false, 403])
  expect(await world.gateway.server.house.sessions.ofPerson(boss.id)).toEqual([])
  expect(await people.identities(boss.id)).toEqual([])
  const [dan] = await people.list({ search: 'dan' })
  expect(await world.gateway.server.house.sessions.ofPerson(dan!.id)).toHaveLength(1)
})

test('patterns are matched as they are written, and in time that grows with the length', () => {
  const like = (pattern: string, username: string) =>
    createRouting([{ usernames: [pattern], to: 'x' }])({ address: '127.0.0.1', username }) === 'x'
  expect(like('p-*', 'P-17')).toBe(true)
  expect(like('p-*', 'xp-17')).toBe(false)
  expect(like('*-p', 'a-p')).toBe(true)
  expect(like('*-p', 'a-px')).toBe(false)
  expect(like('a*b*c', 'aXbYc')).toBe(true)
  expect(like('a*b*c', 'acb')).toBe(false)
  expect(like('a*a', 'a')).toBe(false)
  expect(like('ab*ba', 'aba')).toBe(false)
  expect(like('*', '')).toBe(true)
  expect(like('a.c', 'abc')).toBe(false)
  expect(like(`${'a*'.repeat(60)}b`, 'a'.repeat(20_000))).toBe(false)
  expect(createRouting([{ usernames: ['*'], to: 'x' }])({ address: '127.0.0.1' })).toBeUndefined()
})

describe('signing out', () => {
  const signedIn = async (username: string) => {
    const browser = browserOf()
    const page = await signInThere(browser, await goThere(browser, await opened(browser, 'web')), username)
    expect(atCallback(page)).toBe(true)
    const { people, sessions } = world.gateway.server.house
    const person = (await people.list({ directory: PARTNER, search: username }))[0]!
    return { browser, person, sessions }
  }

  test('here leads on to the end of the session there', async () => {
    const { browser, person, sessions } = await signedIn('cas')
    const theirs = (await world.provider.server.house.people.find('cas'))!
    const there = world.provider.server.house.sessions
    expect(await there.ofPerson(theirs.id)).toHaveLength(1)
    const done = await browser.submit({
      action: new URL(`${world.gateway.issuer}/signout`),
      fields: new URLSearchParams({ answer: 'allow' }),
    })
    // the provider is shown the ID token of its own session, asks nothing, and sends the browser back
    expect([await sessions.ofPerson(person.id), await there.ofPerson(theirs.id)]).toEqual([[], []])
    expect(done.url.href).toMatch(new RegExp(`^${world.gateway.issuer}/signed-out/`))
    expect(headingOf(done)).toBe('You are signed out')
  })

  test('there ends the sessions here that began with it, and no other', async () => {
    const one = await signedIn('ann')
    const other = await signedIn('bob')
    const theirs = (await world.provider.server.house.people.find('ann'))!
    // the protocol engine writes the message by the machine's clock
    clock.at = Date.now()
    await world.provider.server.house.sessions.endAll(theirs.id, 'signed-out', theirs.id)
    await world.provider.server.tick()
    // the clockwork of the other one may be telling it at this very moment
    await expect.poll(() => one.sessions.ofPerson(one.person.id)).toEqual([])
    expect(await one.sessions.ofPerson(other.person.id)).not.toEqual([])
    const page = await opened(one.browser, 'web')
    expect(atCallback(page)).toBe(false)
  })

  test('there is not said by whoever says so', async () => {
    const { person, sessions } = await signedIn('bob')
    const address = `${world.gateway.issuer}/signin/back/${PARTNER}/logout`
    for (const fields of [{}, { logout_token: 'x' }, { logout_token: `${'a'.repeat(20_000)}` }]) {
      const answer = await post(createBrowser(), address, fields as Record<string, string>)
      expect(answer.status).toBe(400)
      expect(JSON.parse(answer.text)).toEqual({ error: 'invalid_request' })
    }
    expect((await post(createBrowser(), `${world.gateway.issuer}/signin/back/nobody/logout`, {})).status).toBe(404)
    expect(await sessions.ofPerson(person.id)).not.toEqual([])
  })
})

test('a provider that is down is said to be, with a reference, and those who sign in here do not notice', async () => {
  await world.provider.close()
  const browser = browserOf()
  clock.at += 3_700_000
  const page = await goThere(browser, await opened(browser, 'web'))
  expect(page.status).toBe(503)
  expect(page.text).toMatch(/E-[0-9A-Z]{4}-[0-9A-Z]{4}/)
  const asked = await browser.submit(formOf(page, 'identifier'), { username: 'sam@kestrel.example' })
  expect(atCallback(await browser.submit(formOf(asked, 'password'), { password: PASSWORD }))).toBe(true)
})
