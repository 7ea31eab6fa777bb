/** Who somebody is here: the same whether a sync brings them or they sign in themselves. */
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import type { Directory } from '#config'
import { type LdapSettings, type Slapd, startSlapd } from '../support/slapd.ts'
import { LOCAL, openHouse, refusalOf } from './house.ts'

const PASSWORD = 'correct horse'
let slapd: Slapd

/** User name to the mail address and the number that stand in the directory. */
const THERE: Readonly<Record<string, readonly [mail: string, number?: string]>> = {
  'by-mail': ['mail@kestrel.example'],
  'other-domain': ['mail@partner.example'],
  'by-number': ['else@kestrel.example', '4711'],
  'two-people': ['twice@kestrel.example'],
  'number-of-two': ['none@kestrel.example', '9'],
  administrator: ['boss@kestrel.example'],
  unlinked: ['unlinked@kestrel.example'],
  disabled: ['disabled@kestrel.example'],
  nobody: ['nobody@kestrel.example', '1'],
  'first-of-two': ['shared@kestrel.example'],
}

beforeAll(async () => {
  slapd = await startSlapd(
    Object.entries(THERE).map(([uid, [mail, number]]) => ({
      ...{ uid, name: uid, password: PASSWORD, mail },
      lines: number === undefined ? [] : [`employeeNumber: ${number}`],
    })),
    { staff: Object.keys(THERE) },
  )
})
afterAll(() => slapd.end())

async function open() {
  const other = { employee_number: 'employeeNumber' }
  const settings = slapd.settings({ attributes: { ...slapd.settings().attributes, other } })
  const believed = { domains: ['kestrel.example'], link: { mail: true, attribute: 'employee_number' } }
  const staff = { ...settings, ...believed } as LdapSettings
  const directories = [{ ...LOCAL, domains: ['kestrel.example', 'partner.example'] } as Directory, staff]
  const house = await openHouse(directories)
  onTestFinished(() => house.people.close())
  const ids = new Map<string, string>()
  const add = async (username: string, mail: string, number?: string) => {
    const { id } = await house.people.add({ username: `here-${username}`, name: username, mail, groups: [] }, 'cli')
    ids.set(id, username)
    if (number !== undefined)
      await house.storage.records
        .withTables<{ people: { id: string; attributes: string } }>()
        .updateTable('people')
        .set({ attributes: JSON.stringify({ employee_number: [number] }) })
        .where('id', '=', id)
        .execute()
    return id
  }
  await add('by-mail', 'mail@kestrel.example')
  await add('other-domain', 'mail@partner.example')
  await add('by-number', 'different@kestrel.example', '4711')
  await add('two-people', 'twice@kestrel.example')
  await add('two-people-again', 'twice@kestrel.example')
  await add('number-of-two', 'a@kestrel.example', '9')
  await add('number-of-two-again', 'b@kestrel.example', '9')
  const boss = await add('administrator', 'boss@kestrel.example')
  await house.people.addToGroup(boss, 'administrators', 'cli')
  const unlinked = await add('unlinked', 'unlinked@kestrel.example')
  const upstreamId = (await house.people.upstreamIdOf('staff', 'unlinked'))!
  await house.people.link(unlinked, { directory: 'staff', upstreamId }, 'cli')
  await house.people.unlink(unlinked, 'staff', 'cli')
  await house.people.disable(await add('disabled', 'disabled@kestrel.example'), 'cli')
  await add('first-of-two', 'shared@kestrel.example')

  /** Whom each entry of the directory is here: one of ours by name, or somebody of its own. */
  const owners = async () => {
    const found: Record<string, string> = {}
    for (const username of Object.keys(THERE)) {
      const id = (await house.people.upstreamIdOf('staff', username))!
      const rows = house.storage.records.withTables<{
        people: { id: string; directory: string; upstream_id: string | null }
        identities: { person_id: string; directory: string; upstream_id: string }
      }>()
      const home = rows.selectFrom('people').select('id').where('directory', '=', 'staff').where('upstream_id', '=', id)
      const linked = rows
        .selectFrom('identities')
        .select('person_id')
        .where('directory', '=', 'staff')
        .where('upstream_id', '=', id)
      const owner = (await linked.executeTakeFirst())?.person_id
      found[username] = owner ? ids.get(owner)! : (await home.executeTakeFirst()) ? 'of their own' : 'nobody'
    }
    return found
  }
  return { ...house, owners }
}

const EXPECTED = {
  'by-mail': 'by-mail',
  'other-domain': 'of their own',
  'by-number': 'by-number',
  'two-people': 'of their own',
  'number-of-two': 'of their own',
  administrator: 'of their own',
  unlinked: 'of their own',
  disabled: 'disabled',
  nobody: 'of their own',
  'first-of-two': 'first-of-two',
}

test('a sync, sign-ins, and sign-ins after a sync say the same of everybody', async () => {
  const synced = await open()
  const dry = await synced.people.sync('staff', { dryRun: true }, 'cli')
  expect(Object.values(await synced.owners())).not.toContain('of their own')
  const wet = await synced.people.sync('staff', {}, 'cli')
  const { ms: _, ...expected } = dry
  // what a dry run says is what then happens, people who are known here already included
  expect(wet).toMatchObject(expected)
  expect(wet).toMatchObject({ added: 6, changed: 4 })
  expect(await synced.owners()).toEqual(EXPECTED)

  const alone = await open()
  for (const username of Object.keys(THERE)) await refusalOf(alone.people.verifyPassword(username, PASSWORD))
  expect(await alone.owners()).toEqual(EXPECTED)

  for (const username of Object.keys(THERE)) {
    const one = await synced.people.verifyPassword(username, PASSWORD)
    const other = await alone.people.verifyPassword(username, PASSWORD)
    const who = (person: unknown) => (person as { username?: string }).username ?? person
    expect(who(one), username).toEqual(who(other))
  }
  expect(await synced.owners()).toEqual(EXPECTED)
  await synced.people.sync('staff', { full: true }, 'cli')
  expect(await synced.owners()).toEqual(EXPECTED)
})
