/** Files that change under a running server, and a server that is told to stop while people sign in. */
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, type ClientRequest, type IncomingMessage, request as send } from 'node:http'
import { join } from 'node:path'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createBrowser, formOf } from '../../demo/browser.ts'
import { PASSWORD } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { makePlace, type Place, portico, type Serving, serve } from '../support/serve.ts'

const TEMPLATE = `slug: robot
name: A robot
vendor: Kestrel
category: generic
sources: [https://www.rfc-editor.org/rfc/rfc6749]
oidc: { scopes: [], token_endpoint_auth_method: client_secret_basic, grant_types: [client_credentials] }
defaults: { policy: plain }
`
const CLOSED = 'policy: plain\nrules:\n  - { name: nobody, deny: { say: Closed. } }\n'
const NAMES = Array.from({ length: 8 }, (_, i) => `p${i}`)

let place: Place
let serving: Serving

beforeAll(async () => {
  const people = NAMES.map((username) => ({ username, name: username, groups: ['staff'] }))
  place = await makePlace({
    settings: { catalog: 'catalog' },
    people,
    apps: [{ id: 'robot', policy: 'plain', oidc: { grant_types: ['client_credentials'], scopes: [] } }],
  })
  mkdirSync(join(place.folder, 'catalog'))
  writeFileSync(join(place.folder, 'catalog/robot.yaml'), TEMPLATE)
  serving = await serve(place.config)
}, 60_000)
afterAll(async () => {
  await serving?.stop()
  await place?.remove()
})

/** What the policy says now: the status of a machine's token request. */
async function opens(): Promise<number> {
  const response = await fetch(`${place.issuer}/oauth2/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`robot:${place.secrets.get('robot')}`)}` },
    body: new URLSearchParams({ grant_type: 'client_credentials' }),
  })
  return response.status
}

const policy = (name: string) => join(place.folder, 'policies', name)
const hangUp = () => serving.process.kill('SIGHUP')
/** Resolves when the trail has `event` once more than when this was called. */
function next(event: string): () => Promise<RegExpMatchArray> {
  const line = `"event":"${event}","audit"`
  const before = serving.out().split(line).length - 1
  return () => serving.printed(new RegExp(`(?:${line}[^]*?){${before + 1}}`))
}

describe('policies', () => {
  test('a good file is taken by itself', async () => {
    expect(await opens()).toBe(200)
    const loaded = next('policies-loaded')
    writeFileSync(policy('plain.yaml'), CLOSED)
    await loaded()
    expect(await opens()).toBe(400)
  })

  test('a good file is taken when SIGHUP says so', async () => {
    const loaded = next('policies-loaded')
    writeFileSync(policy('plain.yaml'), POLICIES['plain.yaml'])
    hangUp()
    await loaded()
    expect(await opens()).toBe(200)
  })

  test('SIGHUP while the database cannot tell what was published: what decides goes on, and so does the server', async () => {
    const storage = await place.storage()
    await sql`alter table policy_publications rename to away`.execute(storage.records)
    // one is said by the server that looks by itself
    const line = '"event":"policies-reload-failed"'
    const said = serving.out().split(line).length - 1
    for (let times = 1; times <= 2; times++) {
      hangUp()
      await serving.printed(new RegExp(`(?:${line}[^]*?){${said + times}}`))
      expect(await opens()).toBe(200)
    }
    await serving.printed(new RegExp(`(?:${line}[^]*?){${said + 3}}`))
    await sql`alter table away rename to policy_publications`.execute(storage.records)
    await storage.close()
    const loaded = next('policies-loaded')
    writeFileSync(policy('plain.yaml'), CLOSED)
    hangUp()
    await loaded()
    expect(await opens()).toBe(400)
    const back = next('policies-loaded')
    writeFileSync(policy('plain.yaml'), POLICIES['plain.yaml'])
    hangUp()
    await back()
    expect(await opens()).toBe(200)
  })

  test('a bad file is refused with its position, and the old one stays', async () => {
    const refused = next('policies-refused')
    writeFileSync(policy('plain.yaml'), 'policy: plain\nrules:\n  - { name: nobody, denny: { say: Closed. } }\n')
    hangUp()
    await refused()
    expect(serving.out()).toMatch(/policies-refused.*plain\.yaml:3:\d+ unknown-key .*denny/)
    expect(await opens()).toBe(200)
  })

  test.each([
    ['half a file', CLOSED.slice(0, 40)],
    ['no text', '\0\u0001\u0002'],
    ['nothing', ''],
    ['a rule whose own test fails', `${CLOSED}tests:\n  - { name: x, given: {}, expect: { outcome: allow } }\n`],
  ])('%s is refused', async (_what, text) => {
    const refused = next('policies-refused')
    writeFileSync(policy('plain.yaml'), text)
    await refused()
    expect(await opens()).toBe(200)
  })

  test('a folder without the policy of an app is refused, and the old ones stay', async () => {
    const refused = next('policies-refused')
    rmSync(policy('plain.yaml'))
    await refused()
    expect(serving.out()).toMatch(/policies-refused.*app-without-policy app `robot`/)
    expect(await opens()).toBe(200)
    writeFileSync(policy('plain.yaml'), POLICIES['plain.yaml'])
    hangUp()
  })

  test('the whole folder gone: the old ones stay, and another folder in its place is taken', async () => {
    const refused = next('policies-refused')
    renameSync(join(place.folder, 'policies'), join(place.folder, 'away'))
    await refused()
    expect(await opens()).toBe(200)
    const loaded = next('policies-loaded')
    mkdirSync(join(place.folder, 'next'))
    for (const [name, text] of Object.entries({ ...POLICIES, 'plain.yaml': CLOSED }))
      writeFileSync(join(place.folder, 'next', name), text)
    renameSync(join(place.folder, 'next'), join(place.folder, 'policies'))
    await loaded()
    expect(await opens()).toBe(400)
    const back = next('policies-loaded')
    writeFileSync(policy('plain.yaml'), POLICIES['plain.yaml'])
    hangUp()
    await back()
  })

  test('a storm of changes ends with the last one', async () => {
    for (let i = 0; i < 200; i++) {
      writeFileSync(policy('plain.yaml'), i % 3 === 0 ? CLOSED : i % 3 === 1 ? 'rules: [' : POLICIES['plain.yaml'])
      if (i % 10 === 0) hangUp()
    }
    const loaded = next('policies-loaded')
    writeFileSync(policy('plain.yaml'), CLOSED)
    await loaded()
    await expect.poll(opens, { timeout: 10_000 }).toBe(400)
    const back = next('policies-loaded')
    writeFileSync(policy('plain.yaml'), POLICIES['plain.yaml'])
    await back()
    expect(await opens()).toBe(200)
  })
})

test('SIGHUP while the database cannot say what was published is noted, and nothing more', async () => {
  const storage = await place.storage()
  try {
    await sql`alter table policy_publications rename to away`.execute(storage.records)
    // the look that comes by itself says so once, and each SIGHUP
    for (const times of [2, 3]) {
      hangUp()
      await serving.printed(new RegExp(`(?:"event":"policies-reload-failed"[^]*?){${times}}`))
    }
  } finally {
    await sql`alter table away rename to policy_publications`.execute(storage.records)
    await storage.close()
  }
  expect(await opens()).toBe(200)
})

describe('a template of the catalog', () => {
  const check = async () => {
    const command = portico(['catalog', 'check', '--config', place.config])
    return { code: await command.exited, said: command.out() + command.err() }
  }

  test('a mistake is reported with its position, and apps made from it go on', async () => {
    expect(await check()).toMatchObject({ code: 0 })
    writeFileSync(join(place.folder, 'catalog/robot.yaml'), TEMPLATE.replace('scopes:', 'scoops:'))
    const { code, said } = await check()
    expect(code).toBe(1)
    expect(said).toMatch(/robot\.yaml:6:\d+ unknown-key .*scoops.*`scopes`/)
    hangUp()
    expect(await opens()).toBe(200)
    const add = portico(['apps', 'add', 'robot', '--id', 'another', '--config', place.config])
    expect(await add.exited).not.toBe(0)
    expect(add.err()).toMatch(/robot\.yaml:6:\d+/)
    expect(add.err()).not.toMatch(/^\s+at /m)
  })
})

describe('SIGTERM', () => {
  const agent = new Agent({ keepAlive: true })
  afterAll(() => agent.destroy())

  /** A form whose head has arrived at the server, and whose body has not been sent. */
  function begin(path: string, cookie: string): Promise<{ request: ClientRequest; answer: Promise<IncomingMessage> }> {
    return new Promise((resolve, reject) => {
      const request = send(`${place.issuer}${path}`, {
        method: 'POST',
        agent,
        headers: {
          cookie,
          expect: '100-continue',
          'content-type': 'application/x-www-form-urlencoded',
          origin: place.issuer,
        },
      })
      const answer = new Promise<IncomingMessage>((done, failed) => {
        request.once('response', done)
        request.once('error', failed)
      })
      answer.catch(() => {})
      request.once('continue', () => resolve({ request, answer }))
      request.once('error', reject)
      request.flushHeaders()
    })
  }

  test('no request in flight is lost, nobody new is let in, and the process ends with 0', async () => {
    const begun = await Promise.all(
      NAMES.flatMap((name) => [name, name, name, name, name]).map(async (username) => {
        const browser = createBrowser()
        const asked = await browser.open(`${place.issuer}/account`)
        const page = await browser.submit(formOf(asked, 'identifier'), { username })
        const form = formOf(page, 'password')
        form.fields.set('password', PASSWORD)
        const cookie = [...browser.jar].map(([name, value]) => `${name}=${value}`).join('; ')
        return { form, ...(await begin(form.action.pathname, cookie)) }
      }),
    )
    serving.process.kill('SIGTERM')
    // it does not listen any more
    await expect
      .poll(() =>
        fetch(place.issuer).then(
          () => 'answered',
          () => 'refused',
        ),
      )
      .toBe('refused')

    for (const { request, form } of begun) request.end(form.fields.toString())
    const answers = await Promise.all(begun.map(({ answer }) => answer))
    expect(answers.map(({ statusCode }) => statusCode)).toEqual(Array(40).fill(303))
    const cookies = answers.map(
      ({ headers }) => headers['set-cookie']!.find((one) => one.startsWith('portico-session='))!,
    )
    for (const answer of answers) answer.resume()
    expect(await serving.exited).toBe(0)
    expect(serving.out()).toMatch(/"event":"server-stopped"/)

    // and what was answered holds
    serving = await serve(place.config)
    for (const cookie of cookies) {
      const headers = { cookie: cookie.split(';')[0]! }
      expect((await fetch(`${place.issuer}/account`, { headers, redirect: 'manual' })).status).toBe(200)
    }
  })

  test('a client that never finishes its request holds nobody up for long', async () => {
    const browser = createBrowser()
    const asked = await browser.open(`${place.issuer}/account`)
    const { answer } = await begin(formOf(asked, 'identifier').action.pathname, '')
    serving.process.kill('SIGTERM')
    await expect(answer).rejects.toThrow()
    expect(await serving.exited).toBe(0)
  })
})
