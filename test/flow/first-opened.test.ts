/** When an app was opened for the first time: once, by somebody who got in, and told by `report apps`. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { allVerbs, runCommand } from '#cli'
import { type Travel, travelTo } from '../../bench/fake-date.ts'
import { createBrowser } from '../../demo/browser.ts'
import { type Gateway, PASSWORD, startGateway } from '../support/gateway.ts'
import { atCallback, CALLBACK, typePassword } from '../support/relying-party.ts'

const VERBS = await allVerbs()

const HOUR = 3_600_000
let clock: Travel
let gateway: Gateway

beforeAll(async () => {
  clock = travelTo(Date.parse('2026-11-23T09:00:00Z'))
  const app = (id: string, audience: string) => ({
    ...{ id, name: id, policy: 'default', audience: [audience], owner: 'Till team' },
    oidc: { redirect_uris: [CALLBACK], pkce: 'optional' as const },
  })
  gateway = await startGateway({ apps: [app('till', 'staff'), app('payroll', 'head-office')] })
  for (const username of ['sam', 'kim'])
    await gateway.server.house.people.add({ username, name: username, groups: ['staff'], password: PASSWORD }, 'test')
})
afterAll(async () => {
  await gateway.close()
  clock.end()
})

const authorize = (app: string) =>
  `${gateway.issuer}/oauth2/auth?client_id=${app}&response_type=code&scope=openid&redirect_uri=${encodeURIComponent(CALLBACK)}`
const stored = (id: string) => gateway.server.house.catalog.apps.find(id)

async function report(...words: string[]): Promise<string> {
  const out: string[] = []
  const verbs = VERBS
  const { house } = gateway.server
  await runCommand({
    words: ['report', 'apps', ...words, '--config', `${gateway.folder}/portico.yaml`],
    verbs,
    openHouse: async () => ({ ...house, close: async () => {} }) as never,
    out: (line) => out.push(line),
  })
  return out.join('\n')
}

test('the first who gets in is noted, whoever comes later changes nothing, and a refusal counts for nothing', async () => {
  expect(await report()).toMatch(/^till +registered +oidc +Till team +2026-11-23 +- +0 +-$/m)
  clock.advance(2 * HOUR)
  const first = Date.now()
  const sam = createBrowser({ stopAt: CALLBACK })
  expect(atCallback(await typePassword(sam, await sam.open(authorize('till')), 'sam'))).toBe(true)
  expect(await stored('till')).toMatchObject({ createdAt: first - 2 * HOUR })
  expect(await report()).toMatch(/^till +first-sign-in +oidc +Till team +2026-11-23 +2h +1 +2026-11-23$/m)
  clock.advance(HOUR)
  await sam.open(authorize('payroll'))
  const kim = createBrowser({ stopAt: CALLBACK })
  await typePassword(kim, await kim.open(authorize('till')), 'kim')
  const { apps, months } = JSON.parse(await report('--json'))
  expect(apps).toMatchObject([
    { id: 'payroll', stage: 'registered', people: 0 },
    { id: 'till', stage: 'in-use', people: 2, firstOpenedAt: first, lead: 2 * HOUR, lastOpenedAt: Date.now() },
  ])
  expect(months).toEqual([{ month: '2026-11', registered: 2, opened: 1, lead: 2 * HOUR }])
})

test('an app of which something failed since is failing, until it goes well again', async () => {
  clock.advance(60_000)
  const { apps } = gateway.server.house.catalog
  const body = new URLSearchParams({ grant_type: 'authorization_code', code: 'x', redirect_uri: CALLBACK })
  const headers = { authorization: `Basic ${btoa('till:wrong')}` }
  expect((await fetch(`${gateway.issuer}/oauth2/token`, { method: 'POST', headers, body })).status).toBe(401)
  expect(await report()).toMatch(/^till +failing +oidc +Till team .* 2 +2026-11-23$/m)
  const { clientSecret } = await apps.rotateSecret('till', 'cli')
  const sam = createBrowser({ stopAt: CALLBACK })
  const back = await typePassword(sam, await sam.open(authorize('till')), 'sam')
  body.set('code', back.url.searchParams.get('code')!)
  const right = { authorization: `Basic ${btoa(`till:${clientSecret}`)}` }
  expect((await fetch(`${gateway.issuer}/oauth2/token`, { method: 'POST', headers: right, body })).status).toBe(200)
  expect(await report()).toMatch(/^till +in-use /m)
})

test('what nobody opened for a month is idle', async () => {
  clock.advance(31 * 24 * HOUR)
  expect(await report()).toMatch(/^till +idle /m)
  expect(await report('--since', '60d')).toMatch(/^till +in-use /m)
})
