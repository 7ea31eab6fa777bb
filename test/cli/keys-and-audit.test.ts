import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Audit, auditMigrations, createAudit } from '#audit'
import { silentLog } from '#core/log'
import { directoryMigrations, openDirectory, type People } from '#directory'
import { type Keys, keysMigrations, openKeys } from '#keys'
import { openStorage, type Storage } from '#storage'
import type { Arguments, Context } from '../../src/cli/verb.ts'
import { auditVerbs } from '../../src/cli/verbs/audit.ts'
import { keysVerbs } from '../../src/cli/verbs/keys.ts'

const clock = { now: () => Date.UTC(2026, 10, 22, 12) }
let storage: Storage
let audit: Audit
let keys: Keys
let people: People
beforeEach(async () => {
  const migrations = [...auditMigrations, ...keysMigrations, ...directoryMigrations]
  storage = await openStorage({ url: 'sqlite::memory:', clock, log: silentLog, migrations })
  audit = createAudit({ storage, clock, log: silentLog })
  keys = await openKeys({ storage, clock, log: silentLog, audit, masterKey: randomBytes(32) })
  people = await openDirectory({ storage, clock, log: silentLog, audit, directories: [], folder: '.' })
})
afterEach(() => storage.close())

async function run(words: string, flags: Record<string, string> = {}) {
  const said: string[] = []
  const wrong: string[] = []
  const values: unknown[] = []
  const args: Arguments = {
    positional: [],
    flag: (name) => flags[name],
    flags: (name) => (flags[name] === undefined ? [] : [flags[name]]),
    has: (name) => name in flags,
  }
  const context = {
    clock,
    json: false,
    out: (line: string) => said.push(line),
    err: (line: string) => wrong.push(line),
    print(value: unknown, human: () => string | readonly string[]) {
      values.push(value)
      said.push(...[human()].flat())
    },
    open: async () => ({ storage, audit, keys, people, clock, log: silentLog }),
  } as unknown as Context
  const verb = [...keysVerbs, ...auditVerbs].find((one) => one.words.join(' ') === words)!
  for (const name of Object.keys(flags)) expect(verb.options).toContain(name)
  return { code: await verb.run(args, context), said, wrong, value: values[0] as never }
}

test('keys list and rotate print each key on a line with its next moment', async () => {
  expect((await run('keys list')).said.map((line) => line.split(/\s+/).slice(0, 2))).toEqual([
    ['ES256', 'signing'],
    ['RS256', 'signing'],
    ['EdDSA', 'signing'],
  ])
  const { code, said } = await run('keys rotate', { alg: 'ES256' })
  expect(code).toBe(0)
  expect(said).toHaveLength(1)
  expect(said[0]).toMatch(/^ES256 {2}upcoming {2}\S{43} {2}signs from 2026-11-22T13:00:00Z$/)
  expect((await run('keys list')).said).toHaveLength(4)
  expect(await run('keys rotate', { alg: 'HS256' })).toMatchObject({
    code: 2,
    wrong: [expect.stringContaining('ES256, RS256, EdDSA')],
  })
})

test('audit tail ends with the newest, audit search begins with it', async () => {
  await audit.record('person-added', { actor: 'cli', subject: 'p1' })
  await audit.record('person-disabled', { actor: 'cli', subject: 'p1' })
  const tail = await run('audit tail', { limit: '2' })
  expect(tail.said).toEqual([
    '2026-11-22T12:00:00.000Z  person-added            actor=cli  subject=p1',
    '2026-11-22T12:00:00.000Z  person-disabled         actor=cli  subject=p1',
  ])
  const found = await run('audit search', { subject: 'p1', since: '7d' })
  expect(found.code).toBe(0)
  expect((found.value as { event: string }[]).map(({ event }) => event)).toEqual(['person-disabled', 'person-added'])
  expect((await run('audit search', { event: 'person-disabled', since: '2026-11-22' })).said).toHaveLength(1)
  expect(await run('audit search', { subject: 'p1', until: '2026-11-22T12:00:00Z' })).toMatchObject({
    code: 1,
    said: ['nothing found'],
  })
})

test.each([
  ['audit tail', { limit: '0' }, '--limit: expected a number from 1 to 1000'],
  ['audit tail', { limit: 'all' }, '--limit: expected a number from 1 to 1000'],
  ['audit search', { event: 'person-disable' }, '--event: there is no such event; did you mean person-disabled?'],
  [
    'audit search',
    { since: 'yesterday' },
    '--since: expected a length of time like 7d, or a moment like 2026-11-22T10:00:00Z',
  ],
  ['audit search', { before: '-1' }, '--before: expected the id of an entry'],
])('%s with %o is wrong use', async (words, flags, sentence) => {
  expect(await run(words, flags as unknown as Record<string, string>)).toMatchObject({ code: 2, wrong: [sentence] })
})
