/** Two gateways on one database, as behind a load balancer: what one learns the other knows, one leads, and each can be restarted. */
import { cpSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import type { Manifest } from '#catalog'
import { loadSettings } from '#config'
import { systemClock } from '#core/clock'
import { silentLog } from '#core/log'
import { createBrowser, formOf } from '../../demo/browser.ts'
import { openHouse } from '../../src/house.ts'
import { PASSWORD } from '../support/gateway.ts'
import { ask, startLoad, type Target } from '../support/load.ts'
import { POLICIES } from '../support/policies.ts'
import { freePort } from '../support/ports.ts'
import { until } from '../support/redis.ts'
import { makePlace, type Place, portico, type Serving, serve } from '../support/serve.ts'

const ADMINISTRATORS =
  'policy: administrators\nrules: [{ name: all, when: { user.groups: [administrators] }, allow: {} }]\n'
const CLOSED = 'policy: plain\nrules:\n  - { name: nobody, deny: { say: Closed. } }\n'
const ROBOT: Omit<Manifest, 'id'> = { policy: 'plain', oidc: { grant_types: ['client_credentials'], scopes: [] } }

interface Gateway extends Target {
  readonly managementPort: number
  readonly config: string
  serving: Serving
}

let place: Place
let house: Awaited<ReturnType<typeof openHouse>>
const both: Gateway[] = []

beforeAll(async () => {
  place = await makePlace({
    policies: { ...POLICIES, 'administrators.yaml': ADMINISTRATORS },
    people: ['sam', 'kim'].map((username) => ({ username, name: username, groups: ['staff'] })),
    apps: [{ id: 'robot', ...ROBOT }],
  })
  for (const [i, port] of [place.port, await freePort()].entries()) {
    const managementPort = await freePort()
    const own = { listen: `127.0.0.1:${port}`, management: { listen: `127.0.0.1:${managementPort}` }, drain: '2s' }
    const config = place.settings(`gateway-${i}.yaml`, own)
    both.push({ port, managementPort, config, serving: await serve(config) })
  }
  // a third process, as a command is one
  const { settings } = loadSettings(both[0]!.config, {})
  house = await openHouse({ settings: settings!, folder: place.folder, clock: systemClock, log: silentLog })
})
afterAll(async () => {
  await house?.close()
  await Promise.all(both.map(({ serving }) => serving.stop('SIGINT')))
  place?.remove()
})

const basic = (id: string, secret: string) => `Basic ${btoa(`${id}:${secret}`)}`
const robot = () => basic('robot', place.secrets.get('robot')!)
const token = async ({ port }: Target, authorization: string) =>
  (
    await ask(port, {
      ...{ path: '/oauth2/token', body: 'grant_type=client_credentials' },
      headers: { authorization, 'content-type': 'application/x-www-form-urlencoded' },
    })
  ).status
/** Asks both until each of them says so. */
const everywhere = <T>(look: (at: Gateway) => Promise<T>, wanted: T) =>
  Promise.all(
    both.map((at) =>
      until(
        async () => [await look(at)],
        ([answer]) => answer === wanted,
      ),
    ),
  )
const command = async (...words: string[]) => {
  const run = portico([...words, '--config', both[0]!.config])
  expect(await run.exited, run.out() + run.err()).toBe(0)
}
const leads = async ({ managementPort }: Gateway) =>
  /^portico_leader 1$/m.test((await ask(managementPort, { path: '/metrics' })).body)
/** Those of the given ones that lead. */
const leaders = async (among: readonly Gateway[] = both) => {
  const all = await Promise.all(among.map(async (one) => ((await leads(one)) ? [one] : [])))
  return all.flat()
}

async function signIn(username: string): Promise<string> {
  const browser = createBrowser()
  const page = await browser.submit(formOf(await browser.open(`${place.issuer}/account`), 'identifier'), { username })
  await browser.submit(formOf(page, 'password'), { password: PASSWORD })
  return [...browser.jar].map(([name, value]) => `${name}=${value}`).join('; ')
}
const account = (cookie: string) => async (at: Gateway) =>
  (await ask(at.port, { path: '/account', headers: { cookie } })).status

test('an app that was registered opens everywhere, and one that was removed nowhere', async () => {
  const { clientSecret } = await house.catalog.apps.register({ id: 'other', ...ROBOT }, 'test')
  const authorization = basic('other', clientSecret!)
  await everywhere((at) => token(at, authorization), 200)
  await house.catalog.apps.remove('other', 'test')
  await everywhere((at) => token(at, authorization), 401)
})

test('a session that began here is one there, and ended it is over in both', async () => {
  const cookie = await signIn('sam')
  await everywhere(account(cookie), 200)
  await house.sessions.endAll(place.ids.get('sam')!, 'ended-by-administrator', 'test')
  await everywhere(account(cookie), 303)
})

test('somebody who was switched off is out everywhere', async () => {
  const cookie = await signIn('kim')
  await everywhere(account(cookie), 200)
  await house.people.disable(place.ids.get('kim')!, 'test')
  await everywhere(account(cookie), 303)
})

test('a signing key that was made by a command is published everywhere', async () => {
  const kids = async ({ port }: Target) =>
    (JSON.parse((await ask(port, { path: '/oauth2/jwks' })).body) as { keys: unknown[] }).keys.length
  const before = await kids(both[0]!)
  await command('keys', 'rotate')
  await everywhere(async (at) => (await kids(at)) > before, true)
})

test('policies that were published are in force everywhere, and taken back as well', async () => {
  const candidate = join(place.folder, 'candidate')
  cpSync(join(place.folder, 'policies'), candidate, { recursive: true })
  await command('policy', 'publish', '--policies', candidate)
  writeFileSync(join(candidate, 'plain.yaml'), CLOSED)
  await command('policy', 'publish', '--policies', candidate)
  await everywhere((at) => token(at, robot()), 400)
  await command('policy', 'rollback')
  await everywhere((at) => token(at, robot()), 200)
})

test('one of them leads; killed, it is followed, and stopped in the middle it does not lead when it wakes', async () => {
  const [first] = await until(leaders, (found) => found.length === 1)
  const other = both.find((one) => one !== first)!
  await first!.serving.stop('SIGKILL')
  await until(
    () => leaders([other]),
    (found) => found.length === 1,
  )
  first!.serving = await serve(first!.config)
  expect(await leaders()).toEqual([other])

  other.serving.process.kill('SIGSTOP')
  onTestFinished(() => void other.serving.process.kill('SIGCONT'))
  await until(
    () => leaders([first!]),
    (found) => found.length === 1,
  )
  other.serving.process.kill('SIGCONT')
  // the first thing that it says
  expect(await leads(other)).toBe(false)
  expect(await leaders()).toEqual([first])
})

test('restarted one after the other under load, no request fails', async () => {
  const load = startLoad(both, robot())
  onTestFinished(() => load.stop())
  await load.answered(50)
  for (const one of both) {
    const stopped = one.serving.stop('SIGTERM')
    // before it ends, for whoever stands in front
    await until(
      async () => (await ask(one.managementPort, { path: '/readyz' })).status,
      (status) => status === 503,
    )
    expect(await stopped).toBe(0)
    await load.answered(20)
    one.serving = await serve(one.config)
    await load.answered(20)
  }
  await load.stop()
  expect(load.failed).toEqual([])
})
