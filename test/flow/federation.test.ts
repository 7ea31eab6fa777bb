/** Signing in at another OpenID Connect provider, which here is a second gateway. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { formOf, headingOf } from '../../demo/browser.ts'
import { movableClock } from '../abuse/people.ts'
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
import { atCallback, relyingParty, typePassword } from '../support/relying-party.ts'

const clock = movableClock()

let world: Federation
beforeAll(async () => {
  world = await startFederation({
    clock,
    theirs: ['ann', 'bob', 'cas', 'dee', 'eve', 'flo', 'gus', 'sam'].map((username) => ({
      username,
      name: `${username} of the partner`,
      mail: `${username}@partner.example`,
      mailVerified: true,
      groups: ['visitors'],
    })),
    ours: {
      apps: [anApp('web', 'plain'), anApp('strict', 'strict')] as never,
      people: [{ username: 'sam', name: 'Sam of ours', groups: ['staff'], mail: 'sam@partner.example' }],
    },
  })
})
afterAll(() => world.close())

const claimsOf = async (
  browser = browserOf(),
  username = 'ann',
  parameters: Record<string, string> = {},
  id = 'web',
) => {
  const party = await relyingParty(world.gateway, id)
  const begun = await party.begin(parameters)
  let page = await browser.open(begun.url.href)
  if (!atCallback(page)) page = await goThere(browser, page)
  if (!atCallback(page)) page = await signInThere(browser, page, username)
  if (!atCallback(page) && /step" value="newcomer"/.test(page.text))
    page = await browser.submit(formOf(page, 'newcomer'), { answer: 'create' })
  if (!atCallback(page)) throw new Error(`stopped at ${page.url.pathname}: ${headingOf(page)}`)
  return (await party.finish(begun, page.url)).claims()!
}

describe('somebody from another provider', () => {
  test('is asked once whether they are new, and comes in by one sign-in there from then on', async () => {
    const browser = browserOf()
    const party = await relyingParty(world.gateway, 'web')
    const begun = await party.begin()
    const there = await goThere(browser, await browser.open(begun.url.href))
    expect(there.url.origin).toBe(world.provider.issuer)
    const asked = await signInThere(browser, there, 'ann')
    expect(asked.url.origin).toBe(world.gateway.issuer)
    expect(headingOf(asked)).toBe('Welcome')
    expect(asked.text).toContain('ann@partner.example')
    const page = await browser.submit(formOf(asked, 'newcomer'), { answer: 'create' })
    const first = (await party.finish(begun, page.url)).claims()!
    const again = await claimsOf(browserOf(), 'ann')
    expect(again.sub).toBe(first.sub)
    const person = await world.gateway.server.house.people.byId(first.sub)
    expect(person).toMatchObject({
      directory: PARTNER,
      name: 'ann of the partner',
      groups: ['staff'],
      username: 'ann@partner',
      mail: 'ann@partner.example',
      mailVerified: true,
    })
  })

  test('opens the next app without going there again', async () => {
    const browser = browserOf()
    await claimsOf(browser, 'bob')
    const party = await relyingParty(world.gateway, 'web')
    const begun = await party.begin()
    const page = await browser.open(begun.url.href)
    expect(atCallback(page)).toBe(true)
  })

  test('with a name that somebody here has is told apart from them', async () => {
    const claims = await claimsOf(browserOf(), 'sam')
    expect(claims.sub).not.toBe(world.gateway.ids.get('sam'))
    const person = await world.gateway.server.house.people.byId(claims.sub)
    expect(person?.username).toBe('sam@partner')
    // and does not stand before them
    expect((await world.gateway.server.house.people.find('sam'))?.id).toBe(world.gateway.ids.get('sam'))
    expect((await world.gateway.server.house.people.find('sam@partner'))?.id).toBe(claims.sub)
  })

  test('who has an account here proves it, says yes, and is that person from then on', async () => {
    const { people } = world.gateway.server.house
    const { id } = await people.add(
      { username: 'cas.local', name: 'Cas', groups: ['staff'], password: PASSWORD },
      'test',
    )
    const browser = browserOf()
    const party = await relyingParty(world.gateway, 'web')
    const begun = await party.begin()
    const asked = await signInThere(browser, await goThere(browser, await browser.open(begun.url.href)), 'cas')
    const prove = await browser.submit(formOf(asked, 'newcomer'), { answer: 'prove' })
    expect(prove.text).not.toContain('away=partner')
    const confirm = await typePassword(browser, prove, 'cas.local')
    expect(headingOf(confirm)).toBe('Make both accounts one?')
    expect(await people.identities(id)).toEqual([])
    const page = await browser.submit(formOf(confirm, 'connect'), { answer: 'allow' })
    expect((await party.finish(begun, page.url)).claims()!.sub).toBe(id)
    expect(await people.identities(id)).toMatchObject([{ directory: PARTNER, linkedBy: id }])
    expect((await claimsOf(browserOf(), 'cas')).sub).toBe(id)
    // what the person is stays with the directory that they belong to
    expect(await people.byId(id)).toMatchObject({ username: 'cas.local', name: 'Cas', groups: ['staff'] })
  })

  test('who says no to that goes on as the person here, and nothing is connected', async () => {
    const { people } = world.gateway.server.house
    const { id } = await people.add(
      { username: 'dee.local', name: 'Dee', groups: ['staff'], password: PASSWORD },
      'test',
    )
    const browser = browserOf()
    const party = await relyingParty(world.gateway, 'web')
    const begun = await party.begin()
    const asked = await signInThere(browser, await goThere(browser, await browser.open(begun.url.href)), 'dee')
    const confirm = await typePassword(
      browser,
      await browser.submit(formOf(asked, 'newcomer'), { answer: 'prove' }),
      'dee.local',
    )
    const page = await browser.submit(formOf(confirm, 'connect'), { answer: 'deny' })
    expect((await party.finish(begun, page.url)).claims()!.sub).toBe(id)
    expect(await people.identities(id)).toEqual([])
  })
})

describe('unlinking', () => {
  test('ends what was begun with it, and takes the groups that came from there', async () => {
    const { people, sessions } = world.gateway.server.house
    const { id } = await people.add({ username: 'eve.local', name: 'Eve', groups: [], password: PASSWORD }, 'test')
    const { id: upstreamId } = (await world.provider.server.house.people.find('eve'))!
    await people.link(id, { directory: PARTNER, upstreamId }, 'cli')
    const claims = await claimsOf(browserOf(), 'eve')
    expect(claims.sub).toBe(id)
    expect((await people.byId(id))!.groups).toEqual(['staff'])
    expect(await sessions.ofPerson(id)).toHaveLength(1)
    expect(await people.unlink(id, PARTNER, 'cli')).toBe(true)
    expect((await people.byId(id))!.groups).toEqual([])
    expect(await sessions.ofPerson(id)).toHaveLength(0)
    expect(await people.unlink(id, PARTNER, 'cli')).toBe(false)
  })
})
