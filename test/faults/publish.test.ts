/** Policies that are published while servers run, and publishers that die. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { policiesOf } from '#access'
import { loadSettings } from '#config'
import { stopwatch, systemClock } from '#core/clock'
import { silentLog } from '#core/log'
import { openHouse } from '../../src/house.ts'
import { POLICIES } from '../support/policies.ts'
import { freePort } from '../support/ports.ts'
import { makePlace, type Place, portico, type Serving, serve } from '../support/serve.ts'

const ADMINISTRATORS =
  'policy: administrators\nrules: [{ name: all, when: { user.groups: [administrators] }, allow: {} }]\n'
const CLOSED = 'policy: plain\nrules:\n  - { name: nobody, deny: { say: Closed. } }\n'

let place: Place
const servings: Serving[] = []

beforeAll(async () => {
  place = await makePlace({
    policies: { ...POLICIES, 'administrators.yaml': ADMINISTRATORS },
    apps: [{ id: 'robot', policy: 'plain', oidc: { grant_types: ['client_credentials'], scopes: [] } }],
  })
  const second = await freePort()
  const other = place.settings('second.yaml', { issuer: `http://localhost:${second}`, listen: `127.0.0.1:${second}` })
  servings.push(await serve(place.config), await serve(other))
  issuers.push(place.issuer, `http://localhost:${second}`)
}, 60_000)
afterAll(async () => {
  await Promise.all(servings.map((serving) => serving.stop()))
  await place?.remove()
})
const issuers: string[] = []

/** What each server says to a machine that asks for a token. */
const answers = () =>
  Promise.all(
    issuers.map(async (issuer) => {
      const response = await fetch(`${issuer}/oauth2/token`, {
        method: 'POST',
        headers: { authorization: `Basic ${btoa(`robot:${place.secrets.get('robot')}`)}` },
        body: new URLSearchParams({ grant_type: 'client_credentials' }),
      })
      return response.status
    }),
  )
const command = async (...words: string[]) => {
  const run = portico([...words, '--config', place.config])
  return { code: await run.exited, out: run.out(), err: run.err() }
}
const loaded = (times: number) =>
  Promise.all(servings.map((serving) => serving.printed(new RegExp(`(?:"event":"policies-loaded"[^]*?){${times}}`))))

describe('two servers on one database', () => {
  test('have what was published, and again what was rolled back to, without a restart', async () => {
    expect(servings[0]!.out()).toMatch(/"event":"policies-in-force","from":"folder"/)
    expect(await command('policy', 'publish', '--message', 'as it is')).toMatchObject({ code: 0 })
    // what is in the folder now is in force when it is published, and not before
    writeFileSync(join(place.folder, 'policies/plain.yaml'), CLOSED)
    expect(await answers()).toEqual([200, 200])
    expect(await command('policy', 'publish', '--message', 'closed')).toMatchObject({ code: 0 })
    await loaded(1)
    expect(await answers()).toEqual([400, 400])
    expect(await command('policy', 'rollback')).toMatchObject({ code: 0 })
    await loaded(2)
    expect(await answers()).toEqual([200, 200])
  }, 60_000)

  test('keep what they have when a publication is refused', async () => {
    writeFileSync(
      join(place.folder, 'policies/plain.yaml'),
      `${CLOSED}tests: [{ name: x, given: {}, expect: { outcome: allow } }]\n`,
    )
    const { code, out } = await command('policy', 'publish')
    expect(code).toBe(1)
    expect(out).toMatch(/plain\.yaml:4:1 test-failed /)
    expect(await answers()).toEqual([200, 200])
  }, 60_000)
})

test('a publisher killed at any moment leaves the old version or the new one, whole', async () => {
  const { settings } = loadSettings(place.config, {})
  const house = await openHouse({ settings: settings!, folder: place.folder, clock: systemClock, log: silentLog })
  try {
    const candidate = (i: number) => {
      // large, so that there is much to write
      const rules = Array.from(
        { length: 400 },
        (_, rule) => `  - { name: r${i}-${rule}, when: { user.groups: [g${rule}] }, allow: {} }`,
      )
      writeFileSync(join(place.folder, 'policies/plain.yaml'), `policy: plain\nrules:\n${rules.join('\n')}\n`)
    }
    candidate(0)
    const started = stopwatch()
    await command('policy', 'publish')
    const whole = stopwatch() - started
    for (let i = 1; i <= 14; i++) {
      candidate(i)
      const before = await house.versions.head()
      const run = portico(['policy', 'publish', '--config', place.config])
      const kill = setTimeout(() => run.process.kill('SIGKILL'), (whole * (i + 2)) / 16)
      await run.exited
      clearTimeout(kill)
      const after = await house.versions.head()
      expect([before, before + 1]).toContain(after)
      const { version } = (await house.versions.find('current'))!
      expect((await policiesOf(house.versions, version))?.version).toBe(version)
      const [event] = await house.audit.search({ event: 'policies-published', limit: 1 })
      expect(event).toMatchObject({ count: after, reason: version })
    }
  } finally {
    await house.close()
  }
}, 120_000)
