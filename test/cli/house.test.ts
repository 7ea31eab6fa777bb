/** Verbs on real rooms in a folder of their own. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { loadSettings } from '#config'
import { silentLog } from '#core/log'
import { runCommand } from '../../src/cli/run.ts'
import { allVerbs } from '../../src/cli/verbs/list.ts'
import { openHouse } from '../../src/house.ts'
import { missingFile } from '../../src/missing.ts'

const VERBS = await allVerbs()

const clock = { now: () => Date.UTC(2026, 10, 22, 12) }
let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'portico-cli-'))
  const settings = { storage: { url: 'sqlite:portico.db' }, secrets: { key_file: 'master.key' } }
  writeFileSync(join(folder, 'portico.yaml'), JSON.stringify(settings))
})
afterEach(() => rmSync(folder, { recursive: true }))

const open = (context: { settings: never; folder: string }) =>
  openHouse({ settings: context.settings, folder: context.folder, clock, log: silentLog })

async function run(...words: string[]) {
  const out: string[] = []
  const err: string[] = []
  const code = await runCommand({
    words: [...words, '--config', join(folder, 'portico.yaml')],
    verbs: VERBS,
    openHouse: (context) => open(context as never),
    missing: missingFile,
    out: (line) => out.push(line),
    err: (line) => err.push(line),
    clock,
  })
  return { code, out, err }
}
const file = (name: string, text: string) => {
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}

test.each([
  ['people list'],
  ['people disable sam'],
  ['groups list'],
  ['apps list'],
  ['apps show web'],
  ['sessions list'],
  ['keys list'],
  ['audit tail'],
  ['directories test local'],
  ['policy explain --user sam --app web --policies policies'],
])('`%s` makes no database where there is none, and says where it looked', async (line) => {
  const { code, out, err } = await run(...line.split(' '))
  expect({ code, out }).toEqual({ code: 2, out: [] })
  expect(err.join('\n')).toContain(join(folder, 'portico.db'))
  expect(err.join('\n')).toContain('--config')
  expect(readdirSync(folder)).toEqual(['portico.yaml'])
})

test('`people add` makes the database; without the master key nothing makes another one but a start', async () => {
  expect((await run('people', 'add', 'sam', '--name', 'Sam')).code).toBe(0)
  expect((await run('people', 'list')).out[0]).toMatch(/^sam /)
  rmSync(join(folder, 'master.key'))
  const { code, err } = await run('people', 'list')
  expect(code).toBe(2)
  expect(err[0]).toContain(join(folder, 'master.key'))
  expect(readdirSync(folder)).not.toContain('master.key')
})

test('a password set by `people password` or an import ends every session of the person, and the same one ends none', async () => {
  await run('people', 'add', 'sam', '--name', 'Sam', '--password-file', file('password', 'correct horse'))
  const { settings } = loadSettings(join(folder, 'portico.yaml'), {})
  const house = await open({ settings: settings as never, folder })
  try {
    const { id } = (await house.people.find('sam'))!
    const signIn = () => house.sessions.start({ personId: id, proofs: [], address: '127.0.0.1' })
    const sessions = async () => (await house.sessions.ofPerson(id)).length
    await signIn()
    const same = file('same.csv', 'username,name,password\nsam,Sam,correct horse\n')
    expect((await run('people', 'import', same)).err).toEqual(['0 added, 0 changed, 1 unchanged, 0 refused'])
    expect(await sessions()).toBe(1)
    const other = file('other.csv', 'username,name,password\nsam,Sam,another horse\n')
    expect((await run('people', 'import', other, '--dry-run')).code).toBe(0)
    expect(await sessions()).toBe(1)
    expect((await run('people', 'import', other)).err).toEqual(['0 added, 1 changed, 0 unchanged, 0 refused'])
    expect(await sessions()).toBe(0)
    await signIn()
    await run('people', 'password', 'sam', '--password-file', file('password', 'a third horse'))
    expect(await sessions()).toBe(0)
    expect(await house.audit.search({ event: 'tokens-revoked', subject: id })).toHaveLength(2)
  } finally {
    await house.close()
  }
})

test('`config check` and the verbs of the catalog say which folder is not there', async () => {
  writeFileSync(join(folder, 'portico.yaml'), 'organisation: Kestrel\ncatalog: nowhere\npolicies: neither\n')
  const { code, out } = await run('config', 'check')
  expect(code).toBe(1)
  const at = join(folder, 'portico.yaml')
  expect(out.map((line) => line.split(' ').slice(0, 2))).toEqual([
    [`${at}:3:1`, 'folder-missing'],
    [`${at}:2:1`, 'folder-missing'],
  ])
  for (const words of ['apps search grafana', 'apps add grafana', 'catalog check', 'catalog show grafana']) {
    const said = await run(...words.split(' '))
    expect(said.code, words).toBe(2)
    expect(said.err[0], words).toContain(join(folder, 'nowhere'))
  }
})

test('an app for a group that nobody is in is registered with a warning', async () => {
  const catalog = join(import.meta.dirname, '../../apps-catalog')
  writeFileSync(join(folder, 'portico.yaml'), JSON.stringify({ catalog, storage: { url: 'sqlite:portico.db' } }))
  await run('people', 'add', 'sam', '--name', 'Sam', '--group', 'staff')
  const add = ['apps', 'add', 'grafana', '--set', 'base_url=https://grafana.example.com', '--policy', 'p']
  const { code, err } = await run(...add, '--audience', 'staff', '--audience', 'stuff')
  expect(code).toBe(0)
  expect(err).toEqual([expect.stringContaining('`stuff`')])
})

test('`audit search --subject` takes a user name, or the id of somebody who is gone', async () => {
  await run('people', 'add', 'sam', '--name', 'Sam')
  const [line] = (await run('audit', 'search', '--subject', 'SAM')).out
  expect(line).toContain('person-added')
  const id = /subject=(\S+)/.exec(line!)![1]!
  await run('people', 'remove', 'sam')
  expect((await run('audit', 'search', '--subject', id)).out[0]).toContain('person-removed')
  expect((await run('audit', 'search', '--subject', 'sam')).code).toBe(1)
})
