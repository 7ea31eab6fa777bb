/** `backup` while people sign in, `restore` elsewhere: the same people, sessions and keys. */
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createBrowser } from '../../demo/browser.ts'
import { typePassword } from '../support/relying-party.ts'
import { makePlace, type Place, portico, type Serving, serve } from '../support/serve.ts'
import { EMBEDDED_FILE } from '../support/storage.ts'

const USERS = Array.from({ length: 12 }, (_, number) => `user${number}`)
let place: Place
let serving: Serving
let signedIn: ReturnType<typeof createBrowser>
const folder = mkdtempSync(join(tmpdir(), 'portico-backup-'))
const backup = join(folder, 'backup.db')

beforeAll(async () => {
  // one on a server is backed up by its own tools
  place = await makePlace({
    storage: EMBEDDED_FILE,
    people: USERS.map((username) => ({ username, name: username, groups: ['staff'] })),
  })
  serving = await serve(place.config)
})
afterAll(async () => {
  await serving.stop()
  await place.remove()
  rmSync(folder, { recursive: true, force: true })
})

async function run(config: string, ...words: string[]) {
  const ran = portico([...words, '--config', config])
  const status = await ran.exited
  return { status, out: ran.out(), err: ran.err() }
}
const json = (out: string) => JSON.parse(out) as Record<string, unknown>

/** Signs in, and answers the browser, whose cookies are the session. */
async function signIn(username: string) {
  const browser = createBrowser()
  const page = await browser.open(`${place.issuer}/account`)
  const landed = await typePassword(browser, page, username)
  expect(landed.status).toBe(200)
  return browser
}

/** The same installation in another folder, on the same address: a machine that takes the place of the first. */
function elsewhere(name: string): string {
  const key = join(place.folder, `${name}.key`)
  if (!existsSync(key)) copyFileSync(join(place.folder, 'master.key'), key)
  return place.settings(`${name}.yaml`, {
    storage: { url: `sqlite:${join(folder, name, 'portico.db')}` },
    secrets: { key_file: key },
  })
}

test('what was answered before the backup is in it, made while people sign in, and works where it is restored', async () => {
  const [first, ...others] = USERS
  const browser = await signIn(first!)
  signedIn = browser
  const meanwhile = Promise.all(others.map(signIn))
  const made = await run(place.config, 'backup', backup, '--json')
  await meanwhile
  expect(made.status, made.err).toBe(0)
  expect(json(made.out)).toMatchObject({ file: backup, bytes: statSync(backup).size, state: true })
  expect(statSync(backup).mode & 0o777).toBe(0o600)
  expect(readdirSync(folder)).toEqual(['backup.db'])
  const before = readFileSync(backup)

  const other = elsewhere('other')
  const restored = await run(other, 'restore', backup, '--json')
  expect(restored.status, restored.err).toBe(0)
  const found = json(restored.out) as { people: number; sessions: number; keys: string[] }
  expect(found.people).toBe(USERS.length)
  expect(found.sessions).toBeGreaterThanOrEqual(1)
  const jwks = (await (await fetch(`${place.issuer}/oauth2/jwks`)).json()) as { keys: { kid: string }[] }
  expect(found.keys.sort()).toEqual(jwks.keys.map(({ kid }) => kid).sort())
  expect(readFileSync(backup).equals(before)).toBe(true)

  expect(await serving.stop()).toBe(0)
  serving = await serve(other)
  // the very browser that signed in to the machine before
  const again = await browser.open(`${place.issuer}/account`)
  expect(again.status).toBe(200)
  expect(again.url.pathname).toBe('/account')
  expect(again.text).toContain(first)
  expect((await run(other, 'audit', 'search', '--event', 'database-restored')).out).toContain('database-restored')
})

test('a backup whose trail was altered is not restored unless somebody insists', async () => {
  const altered = join(folder, 'altered.db')
  copyFileSync(backup, altered)
  const database = new DatabaseSync(altered)
  database.exec("insert into audit_marks (name, seal, hash, at, signature) values ('events', 1, '', 1, '')")
  database.close()
  const there = elsewhere('altered')
  expect(await run(there, 'restore', altered)).toMatchObject({
    status: 2,
    err: expect.stringContaining('audit-trail-altered'),
  })
  expect((await run(there, 'audit', 'verify')).status).toBe(2)
  const insisted = await run(there, 'restore', altered, '--altered', '--json')
  expect(insisted.status, insisted.err).toBe(0)
  expect(json(insisted.out)).toMatchObject({ trail: { whole: false } })
  const verified = await run(there, 'audit', 'verify', '--json')
  expect([verified.status, json(verified.out)]).toEqual([
    1,
    expect.objectContaining({ first: { what: 'mark-forged', seal: 0 } }),
  ])
})

test('the trail that was restored verifies, and so does what is exported of it, without any database', async () => {
  const other = elsewhere('other')
  const verified = await run(other, 'audit', 'verify', '--json')
  expect(verified.status, verified.err).toBe(0)
  const exported = await run(other, 'audit', 'export')
  expect(exported.status, exported.err).toBe(0)
  const [file, cut] = [join(folder, 'trail.jsonl'), join(folder, 'cut.jsonl')]
  writeFileSync(file, exported.out)
  writeFileSync(cut, exported.out.replace('database-restored', 'person-added'))
  const { key } = json(verified.out) as { key: string }
  const check = async (...words: string[]) => (await run('/nowhere.yaml', 'audit', 'verify', ...words)).status
  expect(await check(file, '--key', key)).toBe(0)
  expect(await check(file, '--key', 'another')).toBe(1)
  expect(await check(cut)).toBe(1)
  expect(await check(join(folder, 'absent'))).toBe(2)
})

test('nothing is overwritten: neither a file by a backup nor a database by a restore', async () => {
  expect(await run(place.config, 'backup', backup)).toMatchObject({
    status: 2,
    err: expect.stringContaining('overwrites nothing'),
  })
  expect(await run(place.config, 'restore', backup)).toMatchObject({
    status: 2,
    err: expect.stringContaining('--replace'),
  })
})

test('a database that a server has open is not replaced; once it has stopped it is, and kept aside', async () => {
  const other = elsewhere('other')
  const busy = await run(other, 'restore', backup, '--replace')
  expect(busy).toMatchObject({ status: 2, err: expect.stringContaining('stop every server') })
  expect(readdirSync(join(folder, 'other')).filter((name) => /restoring|before/.test(name))).toEqual([])
  await serving.stop()
  const done = await run(other, 'restore', backup, '--replace', '--end-sessions', '--json')
  expect(done.status, done.err).toBe(0)
  expect(json(done.out)).toMatchObject({ sessions: 0, kept: expect.stringContaining('.before-') })
  serving = await serve(other)
  // who was signed in until then
  const page = await signedIn.open(`${place.issuer}/account`)
  expect(page.url.pathname).toMatch(/^\/signin/)
})

test('what is no backup, or opens with another key, is refused before anything is touched', async () => {
  const fresh = elsewhere('fresh')
  const text = join(folder, 'text')
  writeFileSync(text, 'nothing of ours')
  const cut = join(folder, 'cut')
  writeFileSync(cut, readFileSync(backup).subarray(0, 40_000))
  for (const file of [text, cut, join(folder, 'absent')])
    expect((await run(fresh, 'restore', file)).status, file).toBe(2)
  writeFileSync(join(place.folder, 'fresh.key'), `${Buffer.alloc(32, 5).toString('base64url')}\n`)
  expect(await run(fresh, 'restore', backup)).toMatchObject({
    status: 2,
    err: expect.stringContaining('master key'),
  })
  expect(existsSync(join(folder, 'fresh')) ? readdirSync(join(folder, 'fresh')) : []).toEqual([])
})

test('a database on a server is backed up by its own tools, and the command says so', async () => {
  const url = 'postgres://portico@localhost:1/portico'
  const there = place.settings('server.yaml', { storage: { url } })
  const answer = await run(there, 'backup', join(folder, 'never.db'))
  expect(answer).toMatchObject({ status: 2, err: expect.stringContaining('pg_dump') })
  expect(existsSync(join(folder, 'never.db'))).toBe(false)
})
