import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runCommand } from '../../src/cli/run.ts'
import type { House, Verb } from '../../src/cli/verb.ts'
import { directoriesVerbs } from '../../src/cli/verbs/directories.ts'
import { mergeDirectories } from '../../src/cli/verbs/directories-merge.ts'
import { groupsVerbs } from '../../src/cli/verbs/groups.ts'
import { peopleVerbs } from '../../src/cli/verbs/people.ts'
import { openHouse, type TestHouse } from './house.ts'

const verbs: readonly Verb[] = [...peopleVerbs, ...groupsVerbs, ...directoriesVerbs, mergeDirectories]
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'portico-verbs-'))
  await writeFile(join(folder, 'portico.yaml'), 'directories: [{ id: local, kind: local }]\n')
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** A command line on one house: its exit code and what it printed. */
async function shell(more = '') {
  const settings = join(folder, more === '' ? 'portico.yaml' : 'more.yaml')
  if (more !== '') await writeFile(settings, `directories: [{ id: local, kind: local }]\n${more}`)
  const house: TestHouse = await openHouse()
  const run = async (...words: string[]) => {
    const out: string[] = []
    const err: string[] = []
    const code = await runCommand({
      words: [...words, '--config', settings],
      verbs,
      out: (line) => out.push(line),
      err: (line) => err.push(line),
      openHouse: async () => ({ ...(house as unknown as House), close: async () => {} }),
    })
    return { code, out, err, json: () => JSON.parse(out.join('\n')) }
  }
  const file = async (name: string, text: string) => {
    await writeFile(join(folder, name), text)
    return join(folder, name)
  }
  return { ...house, run, file }
}

test('a person’s life on the command line', async () => {
  const { run, file, people } = await shell()
  const secret = await file('password.txt', 'correct horse\n')
  const added = await run(
    'people',
    'add',
    'sam',
    '--name',
    'Sam Jansen',
    '--group',
    'staff',
    '--group',
    'care',
    '--mail',
    'sam@kestrel.example',
    '--language',
    'nl',
    '--password-file',
    secret,
  )
  expect(added).toMatchObject({ code: 0, err: [] })
  expect(await people.verifyPassword('sam', 'correct horse')).toMatchObject({
    groups: ['care', 'staff'],
    language: 'nl',
  })
  const shown = await run('people', 'show', 'SAM', '--json')
  expect(shown.json()).toMatchObject({
    username: 'sam',
    name: 'Sam Jansen',
    groups: ['care', 'staff'],
    mail_verified: false,
    disabled: false,
    has_password: true,
  })
  expect((await run('people', 'show', shown.json().id)).out[0]).toBe('sam: Sam Jansen')
  expect(await run('people', 'disable', 'sam')).toMatchObject({ code: 0, out: ['disabled sam'] })
  expect((await run('people', 'list', '--disabled', '--json')).json()).toHaveLength(1)
  expect((await run('people', 'list', '--enabled', '--json')).json()).toEqual([])
  expect(await run('people', 'enable', 'sam')).toMatchObject({ code: 0 })
  await file('password.txt', 'another horse')
  expect(await run('people', 'password', 'sam', '--password-file', secret)).toMatchObject({ code: 0 })
  expect(await people.verifyPassword('sam', 'another horse')).not.toBe('wrong')
  expect(await run('people', 'remove', 'sam')).toMatchObject({ code: 0 })
  expect((await run('people', 'show', 'sam')).code).toBe(2)
  expect((await run('people', 'list')).out).toEqual(['nobody'])
})

test.each([
  [['people', 'add']],
  [['people', 'add', 'sam']],
  [['people', 'add', 'sam', '--name', 'Sam', '--language', 'fr']],
  [['people', 'add', '=sam', '--name', 'Sam']],
  [['people', 'add', 'sam', '--name', 'Sam', '--password', 'secret']],
  [['people', 'add', 'sam', '--name', 'Sam', '--password-file', '/nowhere']],
  [['people', 'add', 'sam', '--name', 'Sam', '--directory', 'nowhere']],
  [['people', 'show']],
  [['people', 'show', 'nobody']],
  [['people', 'disable', 'nobody']],
  [['people', 'password', 'nobody']],
  [['people', 'list', '--disabled', '--enabled']],
  [['people', 'import']],
  [['people', 'import', '/nowhere.csv']],
  [['people', 'import', '/etc/hostname']],
  [['groups', 'add', 'staff']],
  [['groups', 'add', 'staff', 'nobody']],
  [['directories', 'test']],
  [['directories', 'test', 'nowhere']],
])('wrong use is told and ends with 2: %j', async (words) => {
  const { run, people } = await shell()
  const { code, err, out } = await run(...words)
  expect(code).toBe(2)
  expect(err.length).toBeGreaterThan(0)
  expect(out).toEqual([])
  expect(await people.list()).toEqual([])
})

test('an import gives the file back with result and reason, harmless to spreadsheets, without passwords', async () => {
  const { run, file, people } = await shell()
  const name = await file(
    'people.csv',
    'username,name,password\nsam,"=cmd|\' /C calc\'!A0",correct horse\n-kim,"@Kim",correct horse\nleo,Leo,12345678\nshort,Row\n',
  )
  const dry = await run('people', 'import', name, '--dry-run')
  expect(dry.code).toBe(1)
  expect(dry.err).toEqual(['1 added, 0 changed, 0 unchanged, 3 refused (dry run: nothing was written)'])
  expect(await people.list()).toEqual([])
  const { code, out } = await run('people', 'import', name)
  expect(code).toBe(1)
  expect(out).toEqual(dry.out)
  expect(out[0]).toBe('username,name,password,result,reason')
  expect(out[1]).toBe("sam,'=cmd|' /C calc'!A0,,added,")
  expect(out[2]).toMatch(/^'-kim,'@Kim,,refused,"username-invalid: /)
  expect(out[3]).toMatch(/^leo,Leo,,refused,password-weak: /)
  expect(out[4]).toMatch(/^,,,refused,"cells-wrong: /)
  expect(out.join('\n')).not.toContain('correct horse')
  // the result is itself a file that can be imported; passwords are not in it, so leo comes without one
  const again = await run('people', 'import', await file('again.csv', out.join('\n')), '--json')
  expect(again.json()).toMatchObject({ dry_run: false, added: 1, changed: 0, unchanged: 1, refused: 2 })
  expect(await people.find('sam')).toMatchObject({ name: "=cmd|' /C calc'!A0" })
})

test('people without a password are counted and named, with what to do about it; nobody else is', async () => {
  const { run, file, people } = await shell()
  await people.add({ username: 'has.one', name: 'H', password: 'correct horse' }, 'cli')
  await people.add({ username: 'has.none', name: 'N' }, 'cli')
  await people.add({ username: 'gone', name: 'G', disabled: true }, 'cli')
  const rows = [
    'username,name,password,disabled',
    'has.one,H,,',
    'has.none,N,,',
    'gone,G,,yes',
    'given,New,correct horse,',
  ]
  const name = await file('mixed.csv', [...rows, 'off,Off,,yes', 'added,Added,,', 'x y,Bad,,', ''].join('\n'))
  const said =
    '2 without a password, who cannot sign in with one yet: has.none, added; give them one with `people password'
  for (const dry of [['--dry-run'], []]) {
    const { err } = await run('people', 'import', name, ...dry)
    expect(err[1], dry.join()).toContain(said)
  }
  expect((await run('people', 'import', name, '--json')).json()).toMatchObject({ unchanged: 6, without_password: 2 })
  await people.setPassword((await people.find('added'))!.id, 'a lamp post in the rain', 'cli')
  const given = await file('given.csv', 'username,password\nhas.none,correct horse battery\nadded,\n')
  expect((await run('people', 'import', given)).err).toEqual(['0 added, 1 changed, 1 unchanged, 0 refused'])
  const many = Array.from({ length: 1200 }, (_, i) => `m${i},M`).join('\n')
  const { err } = await run('people', 'import', await file('many.csv', `username,name\n${many}\n`))
  expect(err[1]).toMatch(/^1200 without a password, .*: m0, m1, m2, m3, m4 and 1195 more;/)
})

test('what `people list --csv` prints can be imported and changes nothing', async () => {
  const { run, file, people } = await shell()
  await people.add(
    {
      username: 'sam',
      name: '=Sam, "the" store',
      groups: ['staff', 'care'],
      mail: 'sam@kestrel.example',
      organisation: 'retail/nl',
      language: 'nl',
    },
    'cli',
  )
  await people.add({ username: 'boss', name: 'Boss', groups: ['administrators'], disabled: true }, 'cli')
  const { out } = await run('people', 'list', '--csv')
  expect(out).toHaveLength(3)
  const again = await run('people', 'import', await file('list.csv', out.join('\r\n')), '--json')
  expect(again).toMatchObject({ code: 0 })
  expect(again.json()).toMatchObject({ unchanged: 2, added: 0, changed: 0, refused: 0 })
})

test('JSON Lines come back as JSON Lines, and text in another encoding is refused row by row', async () => {
  const { run, file, people } = await shell()
  const lines = await run(
    'people',
    'import',
    await file('people.jsonl', '{"username":"sam","name":"Sam","groups":["staff"]}\n{"username":"kim"}\n'),
  )
  expect(lines.out.map((line) => JSON.parse(line))).toEqual([
    { username: 'sam', name: 'Sam', groups: 'staff', result: 'added' },
    { username: 'kim', result: 'refused', reason: expect.stringMatching(/^name-missing: /) },
  ])
  const latin1 = join(folder, 'latin1.csv')
  await writeFile(latin1, Buffer.from('username,name\nzoe,Zo\u00eb\nleo,Leo\n', 'latin1'))
  const { json } = await run('people', 'import', latin1, '--json')
  expect(json()).toMatchObject({
    added: 1,
    refused: 1,
    rows: [{ reason: expect.stringMatching(/^encoding-invalid/) }, { result: 'added' }],
  })
  expect(await people.find('zoe')).toBeUndefined()
})

test('only --allow-administrators lets an import make administrators', async () => {
  const { run, file, people } = await shell()
  const name = await file('admins.csv', 'username,name,groups\neve,Eve,administrators\n')
  expect((await run('people', 'import', name)).code).toBe(1)
  expect(await people.list()).toEqual([])
  expect((await run('people', 'import', name, '--allow-administrators')).code).toBe(0)
  expect(await people.list({ group: 'administrators' })).toHaveLength(1)
})

test('the last administrator is taken away only with --force: disabled, removed, out of the group, by an import', async () => {
  const { run, file, people } = await shell()
  const [, bea] = await Promise.all(
    ['ada', 'bea'].map((username) =>
      people.add({ username, name: username, groups: ['administrators', 'staff'] }, 'cli'),
    ),
  )
  await people.add({ username: 'sam', name: 'Sam', groups: ['staff'] }, 'cli')
  await people.disable(bea!.id, 'cli')
  // bea counts no more, and may go altogether
  for (const words of [
    ['people', 'disable', 'ada'],
    ['people', 'remove', 'ada'],
    ['groups', 'remove', 'administrators', 'ada'],
  ]) {
    const { code, err, out } = await run(...words)
    expect([code, out]).toEqual([1, []])
    expect(err[0]).toMatch(
      /^last-administrator: `ada` is the last administrator .*`groups add administrators USERNAME`.*--force/,
    )
    expect(await people.find('ada')).toMatchObject({ disabled: false, groups: ['administrators', 'staff'] })
  }
  const rows = await file('off.csv', 'username,disabled\nada,yes\nsam,yes\n')
  const imported = await run('people', 'import', rows, '--allow-administrators')
  expect(imported.code).toBe(1)
  expect(imported.out[1]).toMatch(/^ada,yes,refused,last-administrator: /)
  expect(imported.out[2]).toBe('sam,yes,changed,')
  expect((await people.find('ada'))!.disabled).toBe(false)

  expect((await run('groups', 'remove', 'staff', 'ada')).code).toBe(0)
  expect((await run('people', 'remove', 'bea')).code).toBe(0)
  await people.add({ username: 'cleo', name: 'Cleo', groups: ['administrators'] }, 'cli')
  expect((await run('people', 'disable', 'ada')).code).toBe(0)
  expect((await run('people', 'disable', 'ada')).code).toBe(0)
  expect((await run('groups', 'remove', 'administrators', 'cleo', '--force')).code).toBe(0)
  // nobody is left to protect
  expect((await run('people', 'remove', 'ada')).code).toBe(0)
})

test('of two administrators who are switched off at the same moment one stays', async () => {
  const { people } = await shell()
  const both = await Promise.all(
    ['ada', 'bea'].map((username) => people.add({ username, name: username, groups: ['administrators'] }, 'cli')),
  )
  const results = await Promise.allSettled(both.map(({ id }) => people.disable(id, 'cli')))
  expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
  expect(await people.list({ group: 'administrators', disabled: false })).toHaveLength(1)
})

test('whoever stands in break_glass goes with --force only, also where other administrators are left', async () => {
  const { run, people } = await shell('break_glass: [Glass]\n')
  for (const username of ['ada', 'glass'])
    await people.add({ username, name: username, groups: ['administrators', 'staff'] }, 'cli')
  for (const words of [
    ['people', 'disable'],
    ['people', 'remove'],
    ['groups', 'remove', 'administrators'],
  ]) {
    const { code, err } = await run(...words, 'glass')
    expect(code).toBe(1)
    expect(err[0]).toMatch(/^break-glass: `glass` stands in `break_glass`.*--force/)
  }
  expect((await people.find('glass'))!.groups).toContain('administrators')
  expect((await run('groups', 'remove', 'staff', 'glass')).code).toBe(0)
  expect((await run('people', 'disable', 'glass', '--force')).code).toBe(0)
  expect((await run('people', 'enable', 'glass')).code).toBe(0)
})

test('groups are listed, joined and left', async () => {
  const { run, people } = await shell()
  await people.add({ username: 'sam', name: 'Sam' }, 'cli')
  expect((await run('groups', 'list')).out).toEqual(['no groups'])
  expect((await run('groups', 'add', 'staff', 'sam')).out).toEqual(['sam: staff'])
  expect((await run('groups', 'add', 'care', 'sam', '--json')).json()).toMatchObject({ groups: ['care', 'staff'] })
  expect((await run('groups', 'list', '--json')).json()).toEqual([
    { name: 'care', members: 1 },
    { name: 'staff', members: 1 },
  ])
  expect((await run('groups', 'remove', 'care', 'sam')).out).toEqual(['sam: staff'])
})

test('`directories test` prints each step and ends with 1 when one fails', async () => {
  const { run, people } = await shell()
  await people.add({ username: 'sam', name: 'Sam' }, 'cli')
  expect(await run('directories', 'test', 'local', '--user', 'sam')).toMatchObject({
    code: 0,
    out: expect.arrayContaining(['ok']),
  })
  const failed = await run('directories', 'test', 'local', '--user', 'nobody')
  expect(failed.code).toBe(1)
  expect(failed.out.join('\n')).toMatch(/FAIL person +\d+ ms [\s\S]*to fix:/)
  expect((await run('directories', 'test', 'local', '--json')).json()).toMatchObject({
    directory: 'local',
    ok: true,
    steps: [{ step: 'storage', ok: true, ms: expect.any(Number) }],
  })
})

test('a merge says what is wrong with how it is asked for, and does nothing then', async () => {
  const { run, file, audit } = await shell()
  const merge = (...words: string[]) => run('directories', 'merge', ...words)
  expect((await merge()).err).toEqual([expect.stringMatching(/^usage: portico directories merge RULES\.yaml/)])
  expect((await merge('a.yaml', 'b.yaml')).code).toBe(2)
  expect(await merge('nowhere.yaml')).toMatchObject({ code: 2, err: ['file-unreadable: nowhere.yaml: ENOENT'] })
  const rules = await file('merge.yaml', 'from: local\ninto: there\nmatch: [username: same]\npairs: nowhere.csv\n')
  expect(await merge(rules, '--result', 'rows.txt')).toMatchObject({
    code: 2,
    err: ['--result: expected a file name that ends with .csv or .jsonl'],
  })
  const { code, err } = await merge(rules, '--dry-run')
  expect(code).toBe(2)
  expect(err).toEqual([expect.stringMatching(/merge\.yaml:2:7 directory-unknown `into` .*`local`$/)])
  expect(await audit.search({ event: 'directories-merged' })).toEqual([])
})
