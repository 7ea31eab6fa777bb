/** `people link` and `people unlink`, with a real OpenLDAP as the other directory. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { runCommand } from '../../src/cli/run.ts'
import type { House } from '../../src/cli/verb.ts'
import { identityVerbs } from '../../src/cli/verbs/people-identities.ts'
import { type Slapd, startSlapd } from '../support/slapd.ts'
import { LOCAL, openHouse } from './house.ts'

const PASSWORD = 'correct horse'
let slapd: Slapd
let folder: string
beforeAll(async () => {
  slapd = await startSlapd(
    [
      { uid: 's.jansen', name: 'Sam Jansen', password: PASSWORD, uuid: '0d1f0b52-5f0c-4a35-8f4f-0c3a6e2c7a11' },
      { uid: 'other', name: 'Somebody Else', password: PASSWORD },
    ],
    { care: ['s.jansen'] },
  )
  folder = await mkdtemp(join(tmpdir(), 'portico-identities-'))
  await writeFile(join(folder, 'portico.yaml'), 'directories: [{ id: local, kind: local }]\n')
})
afterAll(async () => {
  await slapd.end()
  await rm(folder, { recursive: true, force: true })
})

async function shell() {
  const house = await openHouse([LOCAL, slapd.settings()])
  onTestFinished(() => house.people.close())
  const sam = await house.people.add({ username: 'sam', name: 'Sam', groups: ['staff'] }, 'cli')
  await house.people.add({ username: 'kim', name: 'Kim' }, 'cli')
  const run = async (...words: string[]) => {
    const out: string[] = []
    const err: string[] = []
    const code = await runCommand({
      words: ['people', ...words, '--config', join(folder, 'portico.yaml')],
      verbs: identityVerbs,
      out: (line) => out.push(line),
      err: (line) => err.push(line),
      openHouse: async () => ({ ...(house as unknown as House), close: async () => {} }),
    })
    return { code, said: [...out, ...err].join('\n'), json: () => JSON.parse(out.join('\n')) }
  }
  return { ...house, id: sam.id, run }
}
const UUID = '0d1f0b52-5f0c-4a35-8f4f-0c3a6e2c7a11'

test.each([
  ['by the name there', ['--as', 's.jansen']],
  ['by the id there', ['--subject', UUID]],
])(
  'a person is known to another directory %s, signs in by it, and not any more once it is taken away',
  async (_, how) => {
    const { run, people, audit, id } = await shell()
    const linked = await run('link', 'SAM', '--directory', 'staff', ...how, '--json')
    expect(linked.code).toBe(0)
    expect(linked.json()).toEqual({ id, username: 'sam', directory: 'staff', subject: UUID, result: 'linked' })
    expect(await people.identities(id)).toMatchObject([{ directory: 'staff', upstreamId: UUID, linkedBy: 'cli' }])
    expect(await people.verifyPassword('s.jansen', PASSWORD)).toMatchObject({ id, groups: ['care', 'staff'] })

    const ended: string[] = []
    people.onUnlinked(async (person) => void ended.push(person))
    expect(await run('unlink', 'sam', '--directory', 'staff')).toMatchObject({
      code: 0,
      said: 'sam is not known to staff any more',
    })
    expect(ended).toEqual([id])
    expect([await people.identities(id), (await people.byId(id))?.groups]).toEqual([[], ['staff']])
    const now = await people.verifyPassword('s.jansen', PASSWORD)
    expect(now).toMatchObject({ username: 's.jansen' })
    expect((now as { id: string }).id).not.toBe(id)
    // once is enough, and said to be
    const again = await run('unlink', 'sam', '--directory', 'staff', '--json')
    expect([again.code, again.json().result]).toEqual([1, 'was-not-linked'])
    const events = (await audit.search({ subject: id })).map(({ event }) => event)
    expect(events).toEqual(expect.arrayContaining(['person-linked', 'person-unlinked']))
  },
)

test.each([
  ['nobody', ['link']],
  ['no directory', ['link', 'sam', '--as', 's.jansen']],
  ['nobody there', ['link', 'sam', '--directory', 'staff']],
  ['a name and an id', ['link', 'sam', '--directory', 'staff', '--as', 's.jansen', '--subject', UUID]],
  ['two people', ['link', 'sam', 'kim', '--directory', 'staff', '--as', 's.jansen']],
  ['a directory that there is not', ['link', 'sam', '--directory', 'nowhere', '--as', 's.jansen']],
  ['a directory that is ours', ['link', 'sam', '--directory', 'local', '--as', 'kim']],
  ['a name that nobody has there', ['link', 'sam', '--directory', 'staff', '--as', '*']],
  ['a person whom nobody knows', ['link', 'nobody', '--directory', 'staff', '--as', 's.jansen']],
  ['unlink without a directory', ['unlink', 'sam']],
  ['unlink of nobody', ['unlink', 'nobody', '--directory', 'staff']],
])('wrong use is told, ends with 2 and connects nobody: %s', async (_, words) => {
  const { run, people, id } = await shell()
  const { code, said } = await run(...words)
  expect(code).toBe(2)
  expect(said).not.toBe('')
  expect(await people.identities(id)).toEqual([])
})

test('what is somebody else’s already is not taken from them', async () => {
  const { run, people, id } = await shell()
  const link = (person: string, as: string) => run('link', person, '--directory', 'staff', '--as', as)
  expect((await link('kim', 's.jansen')).code).toBe(0)
  expect(await link('sam', 's.jansen')).toMatchObject({ code: 2, said: expect.stringContaining('identity-taken') })
  // nor does one person get two accounts of one directory, nor somebody who has signed in themselves
  expect((await link('kim', 'other')).code).toBe(2)
  const own = (await people.find('other'))!
  expect((await link('sam', 'other')).code).toBe(2)
  expect(await people.identities(id)).toEqual([])
  expect(await people.verifyPassword('other', PASSWORD)).toMatchObject({ id: own.id })
})
