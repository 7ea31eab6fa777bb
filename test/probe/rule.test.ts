/** A rule that asks for a green probe: POLICY `app.probed`, on a whole gateway. */
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { createBrowser } from '../../demo/browser.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { CALLBACK, relyingParty, signIn } from '../support/relying-party.ts'

vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 })

const POLICIES = {
  'tried.yaml': `policy: tried
rules:
  - name: not tried yet
    when: { app.tags: { in: [probe-required], unknown: false }, not: { app.probed: { within: 90d } } }
    deny: { say: This app is still being checked. }
  - name: everybody
    allow: { strength: any }
`,
  'admin.yaml': 'policy: admin\nrules:\n  - name: everybody\n    allow: { strength: any }\n',
}
const DAY = 24 * 3_600_000

let gateway: Gateway
beforeAll(async () => {
  const app = { policy: 'tried', audience: ['*'], oidc: { redirect_uris: [CALLBACK] } }
  gateway = await startGateway({
    policies: POLICIES,
    people: [{ username: 'sam', name: 'Sam' }],
    apps: [
      { id: 'tagged', tags: ['probe-required'], ...app },
      { id: 'plain', ...app },
      {
        id: 'both',
        tags: ['probe-required'],
        ...app,
        saml: { entity_id: 'https://both.example.com', acs_urls: ['https://both.example.com/acs'] },
      },
    ],
  })
})
afterAll(() => gateway.close())

const opens = async (id: string): Promise<boolean> => {
  const browser = createBrowser({ stopAt: CALLBACK })
  try {
    await signIn(browser, await relyingParty(gateway, id), 'sam')
    return true
  } catch (error) {
    expect(String(error)).toContain('(403)')
    return false
  }
}
const keep = (id: string, grade: string, age = 0, protocol: 'oidc' | 'saml' = 'oidc') =>
  gateway.server.house.catalog.apps.keepProbe(id, { protocol, grade, at: Date.now() - age, report: {} }, 'test')

test('the app stays closed until its last probe is green, and closes when it is not, or too old', async () => {
  expect(await opens('plain')).toBe(true)
  expect(await opens('tagged')).toBe(false)
  await keep('tagged', 'amber')
  expect(await opens('tagged')).toBe(false)
  await keep('tagged', 'green', 89 * DAY)
  expect(await opens('tagged')).toBe(true)
  await keep('tagged', 'green', 91 * DAY)
  expect(await opens('tagged')).toBe(false)
  await keep('tagged', 'green')
  expect(await opens('tagged')).toBe(true)
  await keep('tagged', 'inconclusive')
  expect(await opens('tagged')).toBe(false)
})

test('an app of two protocols needs a green one for each', async () => {
  await keep('both', 'green')
  expect(await opens('both')).toBe(false)
  await keep('both', 'red', 0, 'saml')
  expect(await opens('both')).toBe(false)
  await keep('both', 'green', 0, 'saml')
  expect(await opens('both')).toBe(true)
})

test('reports go with the app: another one of its id begins without', async () => {
  const { apps } = gateway.server.house.catalog
  await keep('plain', 'green')
  expect(await apps.probes('plain')).toHaveLength(1)
  expect((await apps.list()).find(({ id }) => id === 'plain')?.greenSince).toBeDefined()
  await apps.remove('plain', 'test')
  await apps.register(
    { id: 'plain', name: 'Another', policy: 'tried', audience: ['*'], oidc: { redirect_uris: [CALLBACK] } },
    'test',
  )
  expect(await apps.probes('plain')).toEqual([])
  expect((await apps.find('plain'))?.greenSince).toBeUndefined()
  await expect(keep('nobody', 'green')).rejects.toMatchObject({ code: 'app-unknown' })
})
