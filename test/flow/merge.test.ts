/**
 * Two companies become one while people work: two directories of 1,000 people each are merged by the command line, beside
 * a running server. Cookies, passkeys and apps go on.
 */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { join } from 'node:path'
import { fetchUserInfo, refreshTokenGrant, tokenIntrospection } from 'openid-client'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { formOf, type Page, passkeyOptions } from '../../demo/browser.ts'
import { browserAt, giveTotp, movableClock, PROXIED } from '../abuse/people.ts'
import { createAuthenticator } from '../support/authenticator.ts'
import { type Gateway, PASSWORD, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { freePort } from '../support/ports.ts'
import {
  atCallback,
  type Browser,
  CALLBACK,
  type RelyingParty,
  relyingParty,
  typePassword,
} from '../support/relying-party.ts'
import { totpCode } from '../support/totp.ts'

const MANY = 1000
/** So many of each directory are at work: signed in, with a passkey. */
const AT_WORK = 24
const main = join(import.meta.dirname, '../../src/portico.js')
const clock = movableClock()

interface Worker {
  readonly username: string
  readonly id: string
  readonly browser: Browser
  readonly authenticator: ReturnType<typeof createAuthenticator>
  readonly tokens: Awaited<ReturnType<RelyingParty['finish']>>
  readonly sub: string
}

let gateway: Gateway
let party: RelyingParty
let told: Server
/** Logout tokens that the app was sent. */
const logouts: { sub: string; sid?: string }[] = []
const workers = { north: [] as Worker[], south: [] as Worker[] }

const nameOf = (side: 'north' | 'south', i: number) => (side === 'north' ? `p${i}@north.example` : `person.${i}`)
const payloadOf = (jwt: string) => JSON.parse(Buffer.from(jwt.split('.')[1]!, 'base64url').toString('utf8'))

/** Opens the app as the browser is signed in: whom the app is told, without any question; undefined where it is asked. */
async function opened(browser: Browser, parameters: Record<string, string> = {}) {
  const begun = await party.begin({ scope: 'openid offline_access', prompt: 'consent', ...parameters })
  let page = await browser.open(begun.url.href)
  if (page.text.includes('value="consent"')) page = await browser.submit(formOf(page, 'consent'), { answer: 'allow' })
  if (!atCallback(page) || page.url.searchParams.has('error')) return undefined
  return party.finish(begun, page.url)
}

async function signInWithPasskey(worker: Worker): Promise<{ browser: Browser; sub: string }> {
  const browser = browserAt()
  const begun = await party.begin()
  const page = await browser.open(begun.url.href)
  const credential = JSON.stringify(worker.authenticator.get(passkeyOptions(page)))
  const done: Page = await browser.submit(formOf(page, 'identifier'), { credential })
  if (!atCallback(done)) throw new Error(`${worker.username}: stopped at ${done.url.pathname}`)
  return { browser, sub: (await party.finish(begun, done.url)).claims()!.sub }
}

async function startWork(side: 'north' | 'south', i: number): Promise<Worker> {
  const username = nameOf(side, i)
  const { people } = gateway.server.house
  const id = (await people.find(username))!.id
  await people.setPassword(id, PASSWORD, id)
  const browser = browserAt()
  await typePassword(browser, await browser.open(`${gateway.issuer}/account`), username)
  const { hostname, origin } = new URL(gateway.issuer)
  const authenticator = createAuthenticator({ rpId: hostname, origin })
  const page = await browser.open(`${gateway.issuer}/account/passkeys/new`)
  const credential = JSON.stringify(authenticator.create(passkeyOptions(page)))
  await browser.submit(formOf(page, 'enrol-passkey'), { credential })
  const tokens = (await opened(browser))!
  return { username, id, browser, authenticator, tokens, sub: tokens.claims()!.sub }
}

function portico(...words: string[]): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) =>
    execFile(
      process.execPath,
      [main, ...words, '--config', join(gateway.folder, 'portico.yaml')],
      { cwd: gateway.folder, maxBuffer: 1e8 },
      (error, out, err) => resolve({ code: error ? Number(error.code ?? -1) : 0, out, err }),
    ),
  )
}

/** The same command, killed when so many are one; answers how many were. */
async function killedAfter(count: number): Promise<number> {
  const { audit } = gateway.server.house
  const merged = async () => (await audit.search({ event: 'person-merged', limit: 1000 })).length
  const words = [
    'directories',
    'merge',
    'rules.yaml',
    '--skip-conflicts',
    '--config',
    join(gateway.folder, 'portico.yaml'),
  ]
  const child = spawn(process.execPath, [main, ...words], { cwd: gateway.folder, stdio: 'ignore' })
  await vi.waitFor(async () => expect(await merged()).toBeGreaterThanOrEqual(count), { timeout: 400_000, interval: 20 })
  child.kill('SIGKILL')
  await once(child, 'exit')
  return merged()
}

const RULES = `from: north
into: south
match:
  - mail: verified
  - username: { from: 'p*@north.example', into: 'person.*' }
pairs: pairs.csv
except: [p999@north.example]
`

beforeAll(async () => {
  const port = await freePort()
  told = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk) => {
      body += chunk
    })
    request.on('end', () => {
      logouts.push(payloadOf(new URLSearchParams(body).get('logout_token')!))
      response.end()
    })
  }).listen(port, '127.0.0.1')
  gateway = await startGateway({
    clock,
    policies: POLICIES,
    settings: {
      ...PROXIED,
      directories: [
        { id: 'north', kind: 'local' },
        { id: 'south', kind: 'local' },
      ],
    },
    apps: [
      {
        id: 'web',
        name: 'Web',
        policy: 'plain',
        audience: ['*'],
        first_party: true,
        oidc: {
          redirect_uris: [CALLBACK],
          scopes: ['openid', 'profile', 'email', 'groups', 'offline_access'],
          grant_types: ['authorization_code', 'refresh_token'],
          backchannel_logout_uri: `http://127.0.0.1:${port}/out`,
        },
      },
    ] as never,
  })
  party = await relyingParty(gateway, 'web')
  const { people } = gateway.server.house
  for (const side of ['north', 'south'] as const) {
    const rows = Array.from({ length: MANY }, (_, i) => `${nameOf(side, i)},Person ${i},staff;${side}`)
    for await (const row of people.import(
      `username,name,groups\n${rows.join('\n')}\n`,
      { format: 'csv', directory: side },
      'test',
    ))
      if (row.result !== 'added') throw new Error(JSON.stringify(row))
  }
  for (let i = 0; i < AT_WORK; i++)
    for (const side of ['north', 'south'] as const) workers[side].push(await startWork(side, i))
  writeFileSync(join(gateway.folder, 'rules.yaml'), RULES)
  // two who are each other's namesake
  writeFileSync(
    join(gateway.folder, 'pairs.csv'),
    `from,into\n${nameOf('north', 900)},${nameOf('south', 901)}\n${nameOf('north', 901)},${nameOf('south', 900)}\n`,
  )
  // of two who are in conflict, one is disabled
  await people.disable((await people.find(nameOf('north', 950)))!.id, 'test')
}, 240_000)

afterAll(async () => {
  await gateway?.close()
  told?.close()
})

describe('two directories of 1,000 people', () => {
  test('are looked at first: every match, conflict and orphan, and nothing is written', async () => {
    const file = join(gateway.folder, 'plan.jsonl')
    const { code, out, err } = await portico('directories', 'merge', 'rules.yaml', '--dry-run', '--result', file)
    expect(code).toBe(1)
    expect(out).toBe('')
    expect(err).toContain('998 match, 1 conflict, 2 orphan (dry run: nothing was written)')
    expect(err).toContain('one-disabled: ')
    const rows = readFileSync(file, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(rows).toHaveLength(1001)
    expect(rows.filter(({ way }) => way === 'pair').map(({ from, into }) => [from, into])).toEqual([
      ['p900@north.example', 'person.901'],
      ['p901@north.example', 'person.900'],
    ])
    expect(rows.filter(({ result }) => result !== 'match')).toMatchObject([
      { result: 'conflict', reason: 'one-disabled', from: 'p950@north.example', into: 'person.950' },
      { result: 'orphan', reason: 'excepted', from: 'p999@north.example' },
      { result: 'orphan', into: 'person.999' },
    ])
    expect(await gateway.server.house.people.list({ directory: 'north', limit: 1000 })).toHaveLength(MANY)
  })

  test('are not merged while there are conflicts that nobody has accepted', async () => {
    const { code, err } = await portico('directories', 'merge', 'rules.yaml')
    expect(code).toBe(1)
    expect(err).toContain('nothing was written')
    expect(await gateway.server.house.people.list({ directory: 'north', limit: 1000 })).toHaveLength(MANY)
  })

  test('are one afterwards, also where the process was killed in between, and whoever is in conflict stays two', {
    timeout: 600_000,
  }, async () => {
    const secret = await giveTotp(gateway, workers.north[0]!.id, clock.now())
    const { people, audit, factors } = gateway.server.house
    const done = await killedAfter(200)
    expect(done).toBeGreaterThanOrEqual(200)
    expect(done).toBeLessThan(998)
    const { code, out } = await portico('directories', 'merge', 'rules.yaml', '--skip-conflicts', '--json')
    expect(code).toBe(0)
    const { written, counts } = JSON.parse(out)
    expect(written).toBe(true)
    expect(counts).toMatchObject({ conflict: 1, orphan: 2 })
    expect(counts.merged + counts['merged-before']).toBe(998)
    expect(counts.merged).toBeGreaterThanOrEqual(998 - done)
    const left = await people.list({ directory: 'north', limit: 1000 })
    expect(left.map(({ username }) => username)).toEqual(['p950@north.example', 'p999@north.example'])
    expect(left[0]?.disabled).toBe(true)
    expect((await people.find('person.950'))?.disabled).toBe(false)
    expect(await audit.search({ event: 'person-merged', limit: 1000 })).toHaveLength(998)
    expect((await people.byId(workers.south[1]!.id))?.groups).toEqual(['north', 'south', 'staff'])
    // the authenticator app of one who had none in the other directory
    clock.at += 30_000
    const attempt = { personId: workers.south[0]!.id, address: '198.51.100.1', knownDevice: false, conversation: 'c' }
    await expect(factors.verify('totp', totpCode(secret, clock.now()), attempt)).resolves.toMatchObject({
      personId: workers.south[0]!.id,
    })
  })

  test('every cookie of both opens a session, of the one person', async () => {
    for (const [i, { browser }] of workers.north.entries()) {
      const tokens = await opened(browser, { prompt: 'none' })
      expect(tokens?.claims()?.sub, workers.north[i]!.username).toBe(workers.south[i]!.sub)
    }
    for (const { browser, sub, username } of workers.south)
      expect((await opened(browser, { prompt: 'none' }))?.claims()?.sub, username).toBe(sub)
  })

  test('every passkey of both signs in, without a user name, and gets the one `sub`', {
    timeout: 600_000,
  }, async () => {
    for (const side of ['north', 'south'] as const)
      for (const [i, worker] of workers[side].entries())
        expect((await signInWithPasskey(worker)).sub).toBe(workers.south[i]!.sub)
  })

  test('a passkey of the one steps up a session of the other', async () => {
    const [one, other] = [workers.north[1]!, workers.south[1]!]
    const { factors } = gateway.server.house
    const options = await factors.challenge('passkey', { personId: other.id, conversation: 'c' })
    const attempt = { personId: other.id, address: '198.51.100.2', knownDevice: false, conversation: 'c' }
    await expect(factors.verify('passkey', one.authenticator.get(options), attempt)).resolves.toMatchObject({
      personId: other.id,
    })
  })

  test('apps hear that the earlier ones have gone, once each, and of nobody else', async () => {
    // the command line has a clock of its own, and the server sends what is due by that
    clock.at = Math.max(clock.at, Date.now() + 1000)
    const earlier = new Set(workers.north.map(({ sub }) => sub))
    await vi.waitFor(() => expect(logouts.length).toBeGreaterThanOrEqual(AT_WORK), 120_000)
    const sids = new Map(workers.north.map(({ sub, tokens }) => [sub, tokens.claims()!['sid']]))
    expect(
      logouts
        .filter(({ sub }) => earlier.has(sub))
        .map(({ sub, sid }) => [sub, sid])
        .sort(),
    ).toEqual([...sids].sort())
    expect(logouts.filter(({ sub }) => workers.south.some((one) => one.sub === sub))).toEqual([])
  })

  test('no token of the earlier ones works, and every token of those who stay does', async () => {
    for (const { tokens, username, sub: earlier } of workers.north.slice(0, 6)) {
      await expect(fetchUserInfo(party.configuration, tokens.access_token, earlier), username).rejects.toThrow()
      for (const token of [tokens.access_token, tokens.refresh_token!])
        expect((await tokenIntrospection(party.configuration, token)).active, username).toBe(false)
      await expect(refreshTokenGrant(party.configuration, tokens.refresh_token!), username).rejects.toMatchObject({
        error: 'invalid_grant',
      })
    }
    for (const { tokens, sub } of workers.south.slice(0, 6)) {
      expect((await fetchUserInfo(party.configuration, tokens.access_token, sub)).sub).toBe(sub)
      expect((await tokenIntrospection(party.configuration, tokens.access_token)).active).toBe(true)
      expect((await refreshTokenGrant(party.configuration, tokens.refresh_token!)).access_token).toBeTruthy()
    }
  })

  test('an app that hints at the earlier one finds who it is now, and one that insists gets nothing', async () => {
    const [{ browser, tokens, sub: earlier }, { sub }] = [workers.north[2]!, workers.south[2]!]
    const hint = { prompt: 'none', id_token_hint: tokens.id_token! }
    expect((await opened(browser, hint))?.claims()?.sub).toBe(sub)
    const other = workers.north[3]!.tokens.id_token!
    expect(await opened(browser, { prompt: 'none', id_token_hint: other })).toBeUndefined()
    const claims = JSON.stringify({ id_token: { sub: { value: earlier } } })
    expect(await opened(browser, { prompt: 'none', claims })).toBeUndefined()
  })

  // cold starts of the command
  test('the earlier id leads to the person, on the command line and on the page of a receipt', {
    timeout: 600_000,
  }, async () => {
    const [one, other] = [workers.north[4]!, workers.south[4]!]
    const shown = await portico('people', 'show', one.id, '--json')
    expect(JSON.parse(shown.out)).toMatchObject({ id: other.id, username: other.username, earlier_ids: [one.id] })
    const found = await portico('audit', 'search', '--subject', other.username, '--decisions', '--json')
    const entries: { subject?: string; event: string; receipt?: string }[] = JSON.parse(found.out)
    expect(entries.filter(({ subject }) => subject === one.id).map(({ event }) => event)).toContain('session-started')
    expect(entries.filter(({ subject }) => subject === other.id).map(({ event }) => event)).toContain('person-merged')
    const receipt = entries.find(({ subject, event }) => subject === one.id && event === 'decision')!.receipt
    expect((await other.browser.open(`${gateway.issuer}/why/${receipt}`)).status).toBe(200)
    expect((await workers.south[5]!.browser.open(`${gateway.issuer}/why/${receipt}`)).status).toBe(404)
  })

  test('ending the sessions of the person ends those of both, and apps hear of it', async () => {
    const [one, other] = [workers.north[6]!, workers.south[6]!]
    await gateway.server.house.sessions.endAll(other.id, 'test', 'cli')
    for (const { browser } of [one, other]) expect(await opened(browser, { prompt: 'none' })).toBeUndefined()
    // once for all of them: of both cookies, and of the passkeys’ sign-ins
    await vi.waitFor(
      () => expect(logouts.filter(({ sub }) => sub === other.sub).map(({ sid }) => sid)).toEqual([undefined]),
      120_000,
    )
  })

  test('are merged once: the same again has nothing to do', { timeout: 600_000 }, async () => {
    const { code, out } = await portico('directories', 'merge', 'rules.yaml', '--skip-conflicts', '--json')
    expect(code).toBe(0)
    expect(JSON.parse(out).counts).toEqual({ 'merged-before': 998, conflict: 1, orphan: 2 })
  })
})
