/** Another process changes what a verdict rests on, by the command line: the very next request is judged by it. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Gateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { portico } from '../support/serve.ts'
import { app, createVisitor, startHouse, type Visitor, WIKI } from './house.ts'

const ADMINISTRATORS =
  'policy: administrators\nrules: [{ name: all, when: { user.groups: [administrators] }, allow: {} }]\n'
let gateway: Gateway
let sam: Visitor
// it stands still: nothing is judged anew only because a second has passed
const time = Date.now()

beforeAll(async () => {
  gateway = await startHouse({
    clock: { now: () => time },
    policies: { ...POLICIES, 'administrators.yaml': ADMINISTRATORS },
    apps: [app('wiki')],
  })
  sam = createVisitor(gateway)
}, 60_000)
afterAll(() => gateway?.close())
beforeEach(async () => {
  expect((await sam.open(`${WIKI}/page`)).status).toBe(200)
  expect([await status(), await status()]).toEqual([200, 200])
})

const status = async () => (await sam.visit(`${WIKI}/page`, { headers: { accept: 'application/json' } })).status
const config = () => ['--config', join(gateway.folder, 'portico.yaml')]
async function command(...words: string[]): Promise<void> {
  const ran = portico([...words, ...config()])
  expect([await ran.exited, ran.err()]).toEqual([0, expect.any(String)])
}

// each command starts a process, which takes its time on a machine with much to do
const PATIENCE = 120_000

test('sessions that are ended', { timeout: PATIENCE }, async () => {
  await command('sessions', 'end', '--user', 'sam')
  expect(await status()).toBe(401)
})

test('a group that is left', { timeout: PATIENCE }, async () => {
  await command('groups', 'remove', 'staff', 'sam')
  expect(await status()).toBe(403)
  await gateway.server.house.people.addToGroup(gateway.ids.get('sam')!, 'staff', 'test')
  expect(await status()).toBe(200)
})

test('policies that are published, also for many who ask at once', { timeout: PATIENCE }, async () => {
  const file = join(gateway.folder, 'policies/plain.yaml')
  writeFileSync(file, 'policy: plain\nrules:\n  - { name: nobody, deny: {} }\n')
  await command('policy', 'publish', '--message', 'nobody')
  expect(await Promise.all(Array.from({ length: 10 }, status))).toEqual(Array(10).fill(403))
  writeFileSync(file, POLICIES['plain.yaml'])
  await command('policy', 'publish', '--message', 'staff again')
  expect(await status()).toBe(200)
})

test('a person who is switched off', { timeout: PATIENCE }, async () => {
  await command('people', 'disable', 'sam')
  expect(await status()).toBe(401)
  await gateway.server.house.people.enable(gateway.ids.get('sam')!, 'test')
})

test('an app that is removed', { timeout: PATIENCE }, async () => {
  await command('apps', 'remove', 'wiki')
  expect(await status()).toBe(403)
})
