/** Whatever a verdict rests on changes: the very next request is judged by it. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Kysely } from 'kysely'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { minutes, seconds } from '#core/clock'
import { formOf } from '../../demo/browser.ts'
import type { Tables } from '../../src/catalog/tables.ts'
import { type Gateway, PASSWORD } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { exchange } from '../support/raw.ts'
import { typePassword } from '../support/relying-party.ts'
import { app, createVisitor, startHouse, type Visitor, WIKI } from './house.ts'

const ADDRESS = `${WIKI}/page`
let gateway: Gateway
let sam: Visitor
let time = Date.UTC(2026, 10, 30, 9)

beforeEach(async () => {
  time = Date.UTC(2026, 10, 30, 9)
  gateway = await startHouse({
    clock: { now: () => time },
    policies: {
      ...POLICIES,
      'anew.yaml': 'policy: anew\nrules:\n  - { name: staff, when: { user.groups: [staff] }, allow: { within: 0s } }\n',
      'hours.yaml':
        'policy: hours\nrules:\n  - { name: staff, when: { user.groups: [staff] }, allow: { within: 10m, session: { idle: 30m } } }\n',
    },
    apps: [
      app('wiki', {
        rules: [
          { paths: ['/safe/*'], access: 'sign-in', strength: 'two-factors' },
          { paths: ['/fresh/*'], access: 'sign-in', policy: 'hours' },
        ],
      }),
      app('pos', { rules: [{ paths: ['/anew/*'], access: 'sign-in', policy: 'anew' }] }),
    ],
  })
  sam = createVisitor(gateway)
  expect((await sam.open(ADDRESS)).status).toBe(200)
})
afterEach(() => gateway?.close())

const house = () => gateway.server.house
const id = () => gateway.ids.get('sam')!
const session = async () => (await house().sessions.ofPerson(id()))[0]!
const status = async () => (await sam.visit(ADDRESS, { headers: { accept: 'application/json' } })).status
/** A decision is remembered for the next request; this makes sure that there is one. */
const warm = async () => expect([await status(), await status()]).toEqual([200, 200])
const receipts = async () => (await house().receipts.ofPerson(id(), 100)).length

test('a session that ends, by whatever it is', async () => {
  await warm()
  await house().sessions.end((await session()).id, 'signed-out', id())
  expect(await status()).toBe(401)
})

test('a person who is switched off', async () => {
  await warm()
  await house().people.disable(id(), 'cli')
  expect(await status()).toBe(401)
})

test('a person who leaves the group that lets them in', async () => {
  await warm()
  await house().people.removeFromGroup(id(), 'staff', 'cli')
  expect(await status()).toBe(403)
  await house().people.addToGroup(id(), 'staff', 'cli')
  expect(await status()).toBe(200)
})

test('policies that are loaded', async () => {
  await warm()
  writeFileSync(join(gateway.folder, 'policies/plain.yaml'), 'policy: plain\nrules:\n  - { name: nobody, deny: {} }\n')
  await gateway.server.reload()
  expect(await status()).toBe(403)
})

test('the registration of the app', async () => {
  await warm()
  const change = (manifest: object) =>
    house().catalog.apps.apply([{ file: 'a.yaml', text: JSON.stringify(manifest) }], { by: 'cli' })
  await change(app('wiki', {}, { policy: 'closed' }))
  expect(await status()).toBe(403)
  await change(app('wiki', { rules: [{ paths: ['/page'], access: 'deny' }] }))
  expect(await status()).toBe(403)
  await change(app('wiki', { hosts: ['other.example.com'] }))
  expect(await status()).toBe(403)
})

test('a header that the app reads from now on is ours at once, and no longer what the client sends', async () => {
  await warm()
  const manifest = app('wiki', { headers: ['X-Account'] })
  await house().catalog.apps.apply([{ file: 'a.yaml', text: JSON.stringify(manifest) }], { by: 'cli' })
  expect((await sam.visit(ADDRESS)).headers).toMatchObject({ 'x-account': 'sam', 'remote-user': 'sam' })
})

test('the registration of the app, as another process writes it', async () => {
  await warm()
  // the row and the version, and nobody tells the catalog
  const records: Kysely<Tables> = house().storage.records.withTables<Tables>()
  const row = await records.selectFrom('apps').selectAll().where('id', '=', 'wiki').executeTakeFirstOrThrow()
  const json = JSON.stringify({ ...JSON.parse(row.json), policy: 'closed' })
  await records.updateTable('apps').set({ json }).where('id', '=', 'wiki').execute()
  await records.updateTable('apps_version').set({ version: 77 }).where('id', '=', 1).execute()
  expect(await status()).toBe(403)
})

test('a proof that is added opens what asks for it, with the next request', async () => {
  const safe = () => sam.visit(`${WIKI}/safe/x`, { headers: { accept: 'application/json' } })
  expect((await safe()).headers['www-authenticate']).toContain('acr_values="two-factors"')
  expect((await safe()).status).toBe(401)
  await house().sessions.raise(await session(), [{ factor: 'totp', at: time, amr: ['otp'] }])
  expect((await safe()).status).toBe(200)
})

test('time: what is fresh for ten minutes closes after ten minutes and the second that a verdict is kept', async () => {
  const fresh = async () => (await sam.visit(`${WIKI}/fresh/x`, { headers: { accept: 'application/json' } })).status
  expect(await fresh()).toBe(200)
  time += minutes(10) - 500
  expect(await fresh()).toBe(200)
  time += seconds(1) + 1
  expect(await fresh()).toBe(401)
})

test('using the app keeps the session alive, and a session that was left alone ends', async () => {
  await sam.visit(`${WIKI}/fresh/x`, { headers: { accept: 'application/json' } })
  for (let i = 0; i < 4; i++) {
    time += minutes(20)
    expect(await status()).toBe(200)
  }
  time += minutes(31)
  expect(await status()).toBe(401)
})

test('a receipt for the first allow, for each change and for the first of the same refusals; none for the rest', async () => {
  const before = await receipts()
  // the first was that of the opening
  for (let i = 0; i < 5; i++) {
    time += seconds(5)
    await status()
  }
  expect(await receipts()).toBe(before)
  await house().people.removeFromGroup(id(), 'staff', 'cli')
  const refused = await sam.visit(ADDRESS, { headers: { accept: 'application/json' } })
  for (let i = 0; i < 3; i++) {
    time += seconds(2)
    expect(JSON.parse((await sam.visit(ADDRESS, { headers: { accept: 'application/json' } })).text).ref).toBe(
      JSON.parse(refused.text).ref,
    )
  }
  expect(await receipts()).toBe(before + 1)
  expect((await house().receipts.find(JSON.parse(refused.text).ref))?.outcome).toBe('deny')
  time += minutes(1)
  await status()
  expect(await receipts()).toBe(before + 2)
})

test('50 requests at once after a change leave one receipt', async () => {
  await house().people.removeFromGroup(id(), 'staff', 'cli')
  const before = await receipts()
  // all in one piece, so that the server has read the last before the first is judged
  const cookie = [...sam.jarOf('wiki.example.com')].map(([name, value]) => `${name}=${value}`).join('; ')
  const lines = ['Method: GET', 'Proto: https', 'Host: wiki.example.com', 'Uri: /page'].map(
    (line) => `X-Forwarded-${line}\r\n`,
  )
  const request = (last: boolean) =>
    `GET /authz/forward HTTP/1.1\r\nHost: x\r\nCookie: ${cookie}\r\n${lines.join('')}${last ? 'Connection: close\r\n' : ''}\r\n`
  const bytes = Buffer.from(Array.from({ length: 50 }, (_, i) => request(i === 49)).join(''))
  const { status: first, body } = await exchange(Number(new URL(gateway.issuer).port), bytes)
  expect([first, body.match(/HTTP\/1\.1 403/g)?.length]).toEqual([403, 49])
  expect(await receipts()).toBe(before + 1)
})

test('the token is signed anew before it is too old, and the app is listed with the session', async () => {
  const jwt = async () => String((await sam.visit(ADDRESS)).headers['x-portico-jwt'])
  const first = await jwt()
  time += seconds(19)
  expect(await jwt()).toBe(first)
  time += seconds(2)
  expect(await jwt()).not.toBe(first)
  expect((await session()).apps.map((one) => one.app)).toEqual(['wiki'])
})

test('what asks for a proof of its own is asked on the way in, once for this browser', async () => {
  time += minutes(5)
  // opened without a question, by what was given for another app
  expect((await sam.open('https://pos.example.com/')).status).toBe(200)
  const address = 'https://pos.example.com/anew/x'
  const first = await sam.visit(address)
  expect(first.status).toBe(302)
  const asked = await sam.browser.open(first.location)
  const { url } = await sam.browser.submit(formOf(asked, 'password'), { password: PASSWORD })
  expect((await sam.visit(url.href)).location).toBe(address)
  time += minutes(10)
  expect((await sam.visit(address)).status).toBe(200)
})

test('what somebody proved in another browser, on an errand that began long ago, is not proved in this one', async () => {
  const address = 'https://pos.example.com/anew/x'
  const elsewhere = createVisitor(gateway)
  const asked = await elsewhere.browser.open((await elsewhere.visit(address)).location)
  const errand = /\/signin\/([\w-]+)/.exec(asked.url.pathname)![1]
  time += minutes(1)
  const here = createVisitor(gateway)
  await here.open(ADDRESS)
  time += minutes(1)
  await typePassword(elsewhere.browser, asked, 'sam')
  const { location } = await here.visit(address)
  expect((await here.browser.open(`${location}&errand=${errand}`)).url.pathname).toMatch(/^\/signin\//)
})

test('whoever signs out is told that the app is closed already', async () => {
  const ended = await session()
  await house().sessions.end(ended.id, 'signed-out', id())
  expect(await house().signOuts.progress({ session: ended, reason: 'signed-out' })).toEqual([
    { app: 'wiki', state: 'at-once' },
  ])
})
