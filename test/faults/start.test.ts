/** Starting on what is broken, beside somebody else, or twice at once. */
import { randomBytes } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { sql } from 'kysely'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createBrowser } from '../../demo/browser.ts'
import { POLICIES } from '../support/policies.ts'
import { freePort } from '../support/ports.ts'
import { CALLBACK, typePassword } from '../support/relying-party.ts'
import { makePlace, type Place, portico, type Serving, serve } from '../support/serve.ts'
import { EMBEDDED_FILE } from '../support/storage.ts'

const open: Serving[] = []
afterEach(async () => {
  for (const serving of open.splice(0)) await serving.stop()
})
const started = async (config: string): Promise<Serving> => {
  const serving = await serve(config)
  open.push(serving)
  return serving
}

describe('what cannot be started says so in a sentence and ends with 2', () => {
  let place: Place
  beforeAll(async () => {
    // what is wrong with its file
    place = await makePlace({ people: [{ username: 'sam', name: 'Sam', groups: ['staff'] }], storage: EMBEDDED_FILE })
  })
  afterAll(() => place.remove())

  async function refused(config: string): Promise<string> {
    const serving = portico(['serve', '--config', config], { meek: true })
    const code = await serving.exited
    const said = serving.err()
    expect(said, 'has a stack').not.toMatch(/^\s+at .*:\d+/m)
    expect(said, 'is no sentence').toMatch(/\w+ \w+ \w+/)
    expect(serving.out()).not.toMatch(/^ready/m)
    expect(code, said + serving.out()).toBe(2)
    return said
  }
  /** A database of its own, made by `make`, with the master key of the place. */
  function withDatabase(name: string, make: (file: string) => void): string {
    const file = join(place.folder, `${name}.db`)
    writeFileSync(file, readFileSync(join(place.folder, 'portico.db')))
    make(file)
    return place.settings(`${name}.yaml`, { storage: { url: `sqlite:${name}.db` } })
  }

  test('a database that is something else', async () => {
    const config = withDatabase('other', (file) => writeFileSync(file, 'username,name\nsam,Sam\n'.repeat(500)))
    expect(await refused(config)).toMatch(/storage-unavailable: .*is not an SQLite database/)
  })

  test('a damaged database', async () => {
    const config = withDatabase('damaged', (file) => {
      const bytes = readFileSync(file)
      bytes.fill(0xa5, 4096)
      writeFileSync(file, bytes)
    })
    expect(await refused(config)).toMatch(/storage-unavailable: .*damaged/)
  })

  test('a database that was cut off', async () => {
    const config = withDatabase('cut', (file) => writeFileSync(file, readFileSync(file).subarray(0, 20_000)))
    expect(await refused(config)).toMatch(/storage-unavailable: .*damaged/)
  })

  test('a read-only database', async () => {
    const config = withDatabase('locked', (file) => chmodSync(file, 0o444))
    expect(await refused(config)).toMatch(/storage-unavailable: .*cannot be written/)
  })

  test('a database of a newer version', async () => {
    const config = withDatabase('newer', (file) => {
      const database = new DatabaseSync(file)
      database.exec("insert into migrations (name, applied_at) values ('zebra-900-stripes', 0)")
      database.close()
    })
    expect(await refused(config)).toMatch(/newer version of Portico \(zebra-900-stripes\)/)
  })

  test('a master key that cannot be read', async () => {
    const file = join(place.folder, 'unreadable.key')
    writeFileSync(file, readFileSync(join(place.folder, 'master.key')))
    chmodSync(file, 0o000)
    const config = place.settings('unreadable.yaml', { secrets: { key_file: 'unreadable.key' } })
    expect(await refused(config)).toMatch(/settings-invalid: .*unreadable\.key.*EACCES/)
  })

  test('a master key that is none', async () => {
    writeFileSync(join(place.folder, 'none.key'), 'hunter2\n')
    const config = place.settings('none.yaml', { secrets: { key_file: 'none.key' } })
    const said = await refused(config)
    expect(said).toMatch(/expected 32 bytes as base64url/)
    expect(said).not.toContain('hunter2')
  })

  test('a master key that is gone: no other one is put in its place', async () => {
    const config = place.settings('gone.yaml', { secrets: { key_file: 'gone.key' } })
    expect(await refused(config)).toMatch(/gone\.key` is missing, and the database was made with it: put it back/)
    expect(existsSync(join(place.folder, 'gone.key'))).toBe(false)
  })

  test('the master key of another database', async () => {
    writeFileSync(join(place.folder, 'wrong.key'), randomBytes(32).toString('base64url'))
    const config = place.settings('wrong.yaml', { secrets: { key_file: 'wrong.key' } })
    expect(await refused(config)).toMatch(/master key does not open the stored signing keys/)
  })

  test.each(['listen', 'management'])('a port that somebody has (%s)', async (which) => {
    const other = createServer()
    const port = await freePort()
    await new Promise<void>((resolve) => other.listen(port, '127.0.0.1', resolve))
    const address = `127.0.0.1:${port}`
    const more = which === 'listen' ? { listen: address } : { management: { listen: address } }
    const said = await refused(place.settings('taken.yaml', more))
    expect(said).toContain(address)
    other.close()
  })

  test('an address that is not ours', async () => {
    expect(await refused(place.settings('elsewhere.yaml', { listen: '192.0.2.1:3000' }))).toContain('192.0.2.1:3000')
  })

  test.each([
    [
      'a mistake',
      { 'plain.yaml': 'policy: plain\nrules:\n  - { name: staff, allow: { strenght: any } }\n' },
      /plain\.yaml:3:\d+ .*strenght/,
    ],
    ['no YAML', { 'plain.yaml': 'policy: [plain\n' }, /plain\.yaml:\d+:\d+/],
    ['a bomb', { 'plain.yaml': bomb() }, /plain\.yaml:\d+:\d+/],
  ])('a policy file with %s', async (_what, files, said) => {
    const folder = `policies-${_what.replace(' ', '-')}`
    mkdirSync(join(place.folder, folder))
    for (const [name, text] of Object.entries({ ...POLICIES, ...files }))
      writeFileSync(join(place.folder, folder, name), text)
    expect(await refused(place.settings(`${folder}.yaml`, { policies: folder }))).toMatch(said)
  })

  test('no policies at all', async () => {
    await refused(place.settings('nowhere.yaml', { policies: 'nowhere' }))
  })

  test('settings with mistakes: all of them at once, with their places', async () => {
    const said = await refused(place.settings('bad.yaml', { isuer: 'x', workers: 'many', proxies: ['10.0.0.0/99'] }))
    expect(said).toMatch(/bad\.yaml:\d+:\d+ unknown-key .*isuer.*`issuer`/)
    expect(said).toMatch(/bad\.yaml:\d+:\d+ .*workers/)
    expect(said).toMatch(/bad\.yaml:\d+:\d+ .*proxies/)
  })

  test('settings that are not there', async () => {
    expect(await refused(join(place.folder, 'nothing.yaml'))).toMatch(/nothing\.yaml.*ENOENT/)
  })

  test('and after all that the good one starts', async () => {
    const serving = await started(place.config)
    expect(await serving.stop()).toBe(0)
  })
})

/** Aliases that would become a billion values. */
function bomb(): string {
  const levels = Array.from({ length: 12 }, (_, i) => `l${i + 1}: &l${i + 1} [${Array(10).fill(`*l${i}`).join(', ')}]`)
  return `l0: &l0 [x]\n${levels.join('\n')}\n`
}

describe('two processes on one database', () => {
  let place: Place
  let other: string
  beforeAll(async () => {
    place = await makePlace({
      people: [{ username: 'sam', name: 'Sam', groups: ['staff'] }],
      apps: [
        {
          id: 'web',
          policy: 'plain',
          audience: ['staff'],
          oidc: { redirect_uris: [CALLBACK], scopes: ['openid'], pkce: 'optional' },
        },
      ],
    })
    other = place.settings('other.yaml', { listen: `127.0.0.1:${await freePort()}` })
  })
  afterAll(() => place.remove())

  test('share people, sessions and codes; of 50 exchanges over both exactly one wins', async () => {
    const first = place.issuer
    const second = `http://${JSON.parse(readFileSync(other, 'utf8')).listen}`
    await Promise.all([started(place.config), started(other)])
    const parameters = new URLSearchParams({
      client_id: 'web',
      response_type: 'code',
      scope: 'openid',
      redirect_uri: CALLBACK,
      state: 'x',
    })
    const browser = createBrowser({ stopAt: CALLBACK })
    const signedIn = await typePassword(browser, await browser.open(`${first}/oauth2/auth?${parameters}`), 'sam')
    expect(signedIn.url.searchParams.get('code')).toBeTruthy()

    // the session of the one opens the other: no page on the way
    const cookie = browser.jar.get('portico-session')!
    for (let round = 0; round < 3; round++) {
      const silent = await fetch(`${second}/oauth2/auth?${parameters}&prompt=none`, {
        redirect: 'manual',
        headers: { cookie: `portico-session=${cookie}` },
      })
      const code = new URL(silent.headers.get('location')!).searchParams.get('code')!
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, i) =>
          fetch(`${i % 2 ? first : second}/oauth2/token`, {
            method: 'POST',
            headers: { authorization: `Basic ${btoa(`web:${place.secrets.get('web')}`)}` },
            body: new URLSearchParams({ grant_type: 'authorization_code', code, redirect_uri: CALLBACK }),
          }),
        ),
      )
      expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array(49).fill(400)])
    }
  })

  test('a sign-out at the one is a sign-out at the other', async () => {
    const second = `http://${JSON.parse(readFileSync(other, 'utf8')).listen}`
    await Promise.all([started(place.config), started(other)])
    const browser = createBrowser({ stopAt: CALLBACK })
    await typePassword(browser, await browser.open(`${place.issuer}/account`), 'sam')
    const headers = { cookie: `portico-session=${browser.jar.get('portico-session')}` }
    expect((await fetch(`${second}/account`, { headers, redirect: 'manual' })).status).toBe(200)
    await fetch(`${place.issuer}/signout`, {
      method: 'POST',
      headers: { ...headers, origin: place.issuer },
      body: new URLSearchParams({ step: 'sign-out', answer: 'allow' }),
    })
    expect((await fetch(`${second}/account`, { headers, redirect: 'manual' })).status).toBe(303)
  })
})

test.each(['listen', 'management'])(
  'a first start that cannot listen leaves the link to the next one (%s)',
  async (which) => {
    const place = await makePlace()
    const other = createServer()
    try {
      const taken = `127.0.0.1:${await freePort()}`
      await new Promise<void>((resolve) => other.listen(Number(taken.split(':')[1]), '127.0.0.1', resolve))
      const more = which === 'listen' ? { listen: taken } : { management: { listen: taken } }
      const failed = portico(['serve', '--config', place.settings('taken.yaml', more)])
      expect(await failed.exited).toBe(2)
      expect(failed.out()).not.toContain('/claim/')

      const serving = await started(place.config)
      const link = /http:\S+\/claim\/\S+/.exec(serving.out())?.[0]
      expect(link, serving.out()).toBeDefined()
      expect((await fetch(link!)).status).toBe(200)
      expect(await serving.stop()).toBe(0)
      // one that was printed is the only one
      const again = await started(place.config)
      expect(again.out()).not.toContain('/claim/')
      expect(again.out()).toContain('portico people add')
    } finally {
      other.close()
      for (const serving of open.splice(0)) await serving.stop()
      await place.remove()
    }
  },
)

test('of two first starts at once one makes the claim, the master key and the signing keys', async () => {
  const place = await makePlace()
  try {
    const other = place.settings('other.yaml', { listen: `127.0.0.1:${await freePort()}` })
    const both = await Promise.all([started(place.config), started(other)])
    const claims = both.flatMap((serving) => serving.out().match(/http:\S+\/claim\/\S+/g) ?? [])
    expect(claims).toHaveLength(1)
    const ports = [place.config, other].map((file) => JSON.parse(readFileSync(file, 'utf8')).listen)
    const keys = await Promise.all(
      ports.map(async (at) => (await (await fetch(`http://${at}/oauth2/jwks`)).json()) as { keys: { kid: string }[] }),
    )
    const kids = keys.map((one) => one.keys.map(({ kid }) => kid).sort())
    expect(kids[0]).toHaveLength(3)
    expect(kids[1]).toEqual(kids[0])
    expect(statSync(join(place.folder, 'master.key')).mode & 0o777).toBe(0o600)

    // whichever printed it: both know the address, and it works once
    const path = new URL(claims[0]!).pathname
    const claim = (at: string) =>
      fetch(`http://${at}${path}`, {
        method: 'POST',
        redirect: 'manual',
        body: new URLSearchParams({ username: 'root', name: 'Root', password: 'a lamp post in the rain' }),
      })
    const answers = await Promise.all([...ports, ...ports].map(claim))
    expect(answers.map(({ status }) => status).sort()).toEqual([303, 404, 404, 404])

    // and never again: neither after a restart nor when the people are gone
    for (const serving of both) expect(await serving.stop()).toBe(0)
    const storage = await place.storage()
    await sql`delete from people`.execute(storage.records)
    await storage.close()
    const later = await started(place.config)
    expect(later.out()).not.toContain('/claim/')
    expect(later.out()).toContain('portico people add')
  } finally {
    for (const serving of open.splice(0)) await serving.stop()
    await place.remove()
  }
  expect(existsSync(place.folder)).toBe(false)
})
