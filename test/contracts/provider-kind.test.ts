/** What every kind of directory does that signs people in on pages of its own, whatever it speaks. */
import { tmpdir } from 'node:os'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { auditMigrations, createAudit } from '#audit'
import type { Directory } from '#config'
import { directoryMigrations } from '#directory'
import { createOutbound, type Outbound, type OutboundAnswer } from '#http'
import { keysMigrations, openKeys } from '#keys'
import { openStorage } from '#storage'
import { settingsSchema } from '../../src/config/schema.ts'
import type { Away, Returned } from '../../src/directory/federation/federated.ts'
import type { OpenDirectory, TestStep } from '../../src/directory/kind.ts'
import { oidc } from '../../src/directory/kinds/oidc.ts'
import type { OidcSettings } from '../../src/directory/kinds/oidc-client.ts'
import { createStore } from '../../src/directory/store.ts'
import { ACS, ENTITY, OURS, openSaml } from '../directory/saml-house.ts'
import { startHostileProvider } from '../support/hostile-provider.ts'
import { makeKeys, metadataOf, posted, responseXml, signed } from '../support/saml-provider.ts'
import { emptyStorageUrl } from '../support/storage.ts'

interface Provider {
  readonly directory: OpenDirectory
  readonly now: () => number
  pass(ms: number): void
  /** Whether it answers what is asked of it from here. */
  answers(yes: boolean): void
  /** What it has the browser bring to this departure: Ann, in the group `visitors`, by two methods just now. */
  answer(away: Away, state: string): Promise<Returned>
  close(): Promise<void>
}

const GROUPS = { map: { visitors: ['staff'] } }

/** The one door outwards, behind which nothing listens while the provider does not answer. */
function door(through: Outbound) {
  const real = createOutbound(['127.0.0.1'])
  let open = true
  const outbound: Outbound = (url, request) => (open ? through(url, request) : real('http://127.0.0.1:1/', request))
  const answers = (yes: boolean) => {
    open = yes
  }
  return { outbound, answers }
}

async function startOidc(): Promise<Provider> {
  const provider = await startHostileProvider()
  const { outbound, answers } = door(createOutbound(['127.0.0.1']))
  let time = Date.now()
  const clock = { now: () => time }
  const log = { info() {}, warn() {}, error() {} }
  const migrations = [...auditMigrations, ...keysMigrations, ...directoryMigrations]
  const storage = await openStorage({ url: await emptyStorageUrl(), clock, log, migrations })
  const audit = createAudit({ storage, clock, log })
  const keys = await openKeys({ storage, clock, log, audit, masterKey: Buffer.alloc(32, 7) })
  const one = {
    ...{ id: 'partner', kind: 'oidc', issuer: provider.issuer, userinfo: false, groups: GROUPS },
    ...{ client_id: 'portico', client_secret: 'a secret that both of us know well' },
  }
  const { directories } = settingsSchema.parse({ directories: [one] })
  const directory = await oidc.open(directories[0] as OidcSettings, {
    ...{ clock, log, state: storage.state, hashing: undefined as never, folder: tmpdir() },
    store: createStore(storage, new Set(['partner'])),
    outside: { outbound, keys, issuer: OURS },
  })
  return {
    directory,
    now: clock.now,
    pass(ms) {
      time += ms
    },
    answers,
    async answer({ url, remembered }, state) {
      const now = Math.floor(time / 1000)
      const nonce = remembered['nonce']!
      expect(new URL(url).searchParams.get('nonce')).toBe(nonce)
      const about = { sub: 'ann-for-ever', name: 'Ann', preferred_username: 'ann', groups: ['visitors', 'board'] }
      const how = { auth_time: now, acr: 'urn:two', amr: ['pwd', 'otp'] }
      const claims = { iss: provider.issuer, aud: 'portico', nonce, iat: now, exp: now + 300, ...about, ...how }
      provider.answers['/token'] = {
        ...{ access_token: 'x', token_type: 'Bearer' },
        id_token: await provider.sign(claims),
      }
      return { url: new URL(`${ACS}?code=c&state=${state}`), form: new Map() }
    },
    async close() {
      await storage.close()
      await provider.end()
    },
  }
}

async function startSaml(): Promise<Provider> {
  const keys = await makeKeys()
  const body = metadataOf([keys.certificate])
  const { outbound, answers } = door(
    async (): Promise<OutboundAnswer> => ({
      ...{ status: 200, headers: {}, setCookies: [], body },
    }),
  )
  const house = await openSaml(keys, {
    outbound,
    settings: {
      metadata_url: 'https://idp.partner.example/metadata',
      groups: GROUPS,
      attributes: { methods: 'methods' },
    },
  })
  return {
    directory: house.directory,
    now: house.clock.now,
    pass: house.clock.pass,
    answers,
    async answer({ remembered }, state) {
      const at = { now: house.clock.now(), requestId: remembered['id']!, acs: ACS, audience: ENTITY }
      const said = { uid: ['ann'], displayName: ['Ann'], groups: ['visitors', 'board'], methods: ['pwd', 'otp'] }
      const xml = signed(responseXml(at, { attributes: said, authnInstant: 0, context: 'urn:two' }), 'Response', keys)
      const form = [
        ['SAMLResponse', posted(xml)],
        ['RelayState', state],
      ] as const
      return { url: new URL(ACS), form: new Map(form) }
    },
    close: house.close,
  }
}

/** `first` is the step of `directories test` that says whether the provider is there. */
const FIXTURES: Record<Extract<Directory['kind'], 'oidc' | 'saml'>, { first: string; start(): Promise<Provider> }> = {
  oidc: { first: 'discovery', start: startOidc },
  saml: { first: 'metadata', start: startSaml },
}

describe.each(Object.entries(FIXTURES))('a provider of kind %s', (kind, { first, start }) => {
  let provider: Provider
  beforeAll(async () => {
    provider = await start()
  })
  afterAll(() => provider.close())
  const federated = () => provider.directory.federated!
  async function steps(): Promise<TestStep[]> {
    const all: TestStep[] = []
    for await (const step of provider.directory.test(undefined)) all.push(step)
    return all
  }
  const codeOf = (promise: Promise<unknown>) =>
    promise.then(
      () => 'no refusal',
      ({ code }) => code as string,
    )
  /** Nobody waits for what did not answer, for a while. */
  const back = () => {
    provider.answers(true)
    provider.pass(120_000)
  }

  test('was asked nothing before anybody goes there, and is known once it has answered', async () => {
    expect(provider.directory.health!()).toEqual({ state: 'unknown' })
    await federated().begin({ state: 'x'.repeat(30) })
    expect(provider.directory.health!()).toEqual({ state: 'up' })
  })

  test('takes no password here: it is typed there', async () => {
    const attempt = { username: 'ann', password: 'correct horse', person: undefined, hash: undefined as never }
    expect(await provider.directory.verify(attempt)).toBe('wrong')
    expect([provider.directory.kind, provider.directory.local, provider.directory.lookup]).toEqual([
      kind,
      false,
      undefined,
    ])
  })

  test('sends each browser away with the state of its own question, and with nothing else that comes twice', async () => {
    const one = await federated().begin({ state: 'one'.repeat(10) })
    const other = await federated().begin({ state: 'two'.repeat(10) })
    expect(one.url).toContain('one'.repeat(10))
    expect(other.url).toContain('two'.repeat(10))
    for (const [name, value] of Object.entries(one.remembered)) {
      expect(value, name).toBeTypeOf('string')
      if (name !== 'left') expect(other.remembered[name], name).not.toBe(value)
    }
  })

  test('says who that is for ever, with the groups that the settings map, how and when they signed in', async () => {
    const state = 'a'.repeat(30)
    const away = await federated().begin({ state })
    const vouched = await federated().finish(await provider.answer(away, state), away.remembered)
    expect(vouched.person).toMatchObject({
      upstreamId: 'ann-for-ever',
      usernames: ['ann'],
      name: 'Ann',
      groups: ['staff'],
    })
    expect(vouched).toMatchObject({ acr: 'urn:two', amr: ['pwd', 'otp'] })
    expect(Math.abs(provider.now() - vouched.at!)).toBeLessThanOrEqual(1000)
    expect(vouched.session.subject).not.toBe('')
  })

  test('is not believed about another question, and says why to the administrator', async () => {
    const [first, second] = ['a'.repeat(30), 'b'.repeat(30)]
    const away = await federated().begin({ state: first })
    const other = await federated().begin({ state: second })
    const answer = await provider.answer(away, first)
    await expect(federated().finish(answer, other.remembered)).rejects.toMatchObject({
      code: 'upstream-refused',
      detail: expect.stringMatching(/^directory partner: ./),
    })
    const elsewhere = await provider.answer(away, second)
    expect(await codeOf(federated().finish(elsewhere, away.remembered))).toBe('upstream-refused')
    // nothing at all is no answer either
    const nothing = { url: new URL(ACS), form: new Map() }
    expect(await codeOf(federated().finish(nothing, away.remembered))).toBe('upstream-refused')
  })

  test('tells each step of a test with its time, and what to fix where one fails', async () => {
    const well = await steps()
    expect(well.map(({ step, ok }) => [step, ok])).toEqual([
      [first, true],
      ['keys', true],
      ...well.slice(2, -1).map(({ step }) => [step, true]),
      ['strength', true],
    ])
    for (const { step, ms } of well) expect(ms, step).toBeGreaterThanOrEqual(0)
    expect(well[0]!.ms).toBeGreaterThan(0)
    expect(JSON.stringify(well)).not.toContain('a secret')
    provider.answers(false)
    // what was found out before is too old, and so is having just looked
    provider.pass(25 * 3_600_000)
    expect(await steps()).toMatchObject([
      { step: first, ok: false, say: expect.stringContaining('ECONNREFUSED'), fix: expect.stringContaining('listens') },
    ])
    back()
    expect((await steps()).every(({ ok }) => ok)).toBe(true)
  })

  test('is down after two looks without an answer, unavailable to whoever would go there, and back at the first answer', async () => {
    expect(await provider.directory.look!()).toBe(true)
    provider.answers(false)
    expect([await provider.directory.look!(), provider.directory.health!().state]).toEqual([false, 'up'])
    provider.pass(1000)
    expect([await provider.directory.look!(), provider.directory.health!().state]).toEqual([false, 'down'])
    provider.pass(25 * 3_600_000)
    expect(await codeOf(federated().begin({ state: 'c'.repeat(30) }))).toBe('directory-unavailable')
    back()
    expect(await provider.directory.look!()).toBe(true)
    expect(provider.directory.health!()).toEqual({ state: 'up' })
    expect((await federated().begin({ state: 'd'.repeat(30) })).url).toMatch(/^https?:/)
  })
})
