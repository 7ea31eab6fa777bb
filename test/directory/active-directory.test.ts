/** Active Directory as a real domain controller has it, with the template and nothing else. */
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import type { Person } from '#directory'
import { AD_GROUPS, AD_STAFF, type Samba, startSamba } from '../support/samba.ts'
import { openHouse, refusalOf } from './house.ts'

const PASSWORD = 'Correct.Horse.9'
const dn = (name: string) => `CN=${name},${AD_STAFF}`
const group = (name: string) => `CN=${name},${AD_GROUPS}`
let samba: Samba

/** A password policy for one person (msDS-PasswordSettings). */
const settingsFor = (account: string, lines: readonly string[]) =>
  [
    `dn: CN=for ${account},CN=Password Settings Container,CN=System,DC=kestrel,DC=example`,
    'changetype: add',
    'objectClass: msDS-PasswordSettings',
    'msDS-PasswordSettingsPrecedence: 10',
    'msDS-PasswordReversibleEncryptionEnabled: FALSE',
    'msDS-PasswordHistoryLength: 0',
    'msDS-PasswordComplexityEnabled: FALSE',
    'msDS-MinimumPasswordLength: 8',
    'msDS-MinimumPasswordAge: 0',
    'msDS-LockoutObservationWindow: -18000000000',
    'msDS-LockoutDuration: -18000000000',
    `msDS-PSOAppliesTo: ${dn(account)}`,
    ...lines,
    '',
    '',
  ].join('\n')

beforeAll(async () => {
  samba = await startSamba()
  const { person, group: made } = samba
  await samba.modify(
    [
      person('sam', PASSWORD, [
        'userPrincipalName: sam.jansen@kestrel.example',
        'displayName: Sam Jansen',
        'givenName: Sam',
        'sn: Jansen',
        'mail: s.jansen@kestrel.example',
        'preferredLanguage: nl-NL',
      ]),
      person('kim', PASSWORD),
      made('Store Staff', [dn('sam')]),
      made('Staff', [group('Store Staff')]),
      made('Everybody', [group('Staff')]),
      person('pim', PASSWORD),
      made('Primary', [dn('pim')]),
      made('Above', [group('Primary')]),
      person('off', PASSWORD, ['userAccountControl: 514']),
      // 2020-01-01
      person('ended', PASSWORD, ['accountExpires: 132223104000000000']),
      person('fresh', PASSWORD, ['pwdLastSet: 0']),
      person('shut', PASSWORD),
      settingsFor('shut', ['msDS-MaximumPasswordAge: -9223372036854775808', 'msDS-LockoutThreshold: 3']),
      `dn: ${group('Store Staff')}\nchangetype: modify\nadd: member\nmember: ${dn('pim')}\n\n`,
    ].join(''),
  )
  const found = await samba.search('(cn=Primary)', 'primaryGroupToken')
  const token = /^primaryGroupToken: (\d+)$/m.exec(found)![1]
  await samba.modify(`dn: ${dn('pim')}\nchangetype: modify\nreplace: primaryGroupID\nprimaryGroupID: ${token}\n`)
}, 240_000)
afterAll(() => samba.end())

async function open(changes: Readonly<Record<string, unknown>> = {}) {
  const house = await openHouse([samba.settings(changes)])
  onTestFinished(() => house.people.close())
  return house
}

test('one person by account name, principal name and with the domain, with names, mail, language and groups in groups', async () => {
  const { people } = await open()
  const sam = (await people.verifyPassword('sam', PASSWORD)) as Person
  expect(sam).toMatchObject({
    username: 'sam',
    name: 'Sam Jansen',
    givenName: 'Sam',
    familyName: 'Jansen',
    mail: 's.jansen@kestrel.example',
    language: 'nl',
    disabled: false,
  })
  expect(sam.groups).toEqual(expect.arrayContaining(['Everybody', 'Staff', 'Store Staff']))
  for (const typed of ['SAM', 'sam.jansen@kestrel.example', 'KESTREL\\sam', 'kestrel\\Sam'])
    expect(await people.verifyPassword(typed, PASSWORD), typed).toMatchObject({ id: sam.id, username: 'sam' })
  expect(await people.verifyPassword('sam', 'wrong horse')).toBe('wrong')
  expect(await people.verifyPassword('kim', PASSWORD)).toMatchObject({ name: 'kim' })
})

test('it tells its time, and our own tables tell none', async () => {
  const { people } = await open()
  const before = Math.floor(Date.now() / 1000) * 1000
  const at = await people.clock('office')
  expect(at).toBeGreaterThanOrEqual(before)
  expect(at).toBeLessThanOrEqual(Date.now())
  expect(await people.clock('local')).toBeUndefined()
})

test.each([
  {},
  { groups_from: 'member_of', nested_groups: true },
  { group_filter: '(member={dn})', nested_groups: true },
])('groups in groups, and the primary group with those above it: %j', async (changes) => {
  const { people, said } = await open({ group_base_dn: AD_GROUPS, ...changes })
  expect((await people.find('sam'))?.groups).toEqual(['Everybody', 'Staff', 'Store Staff'])
  // Domain Users is the primary group of everybody, and stands elsewhere
  expect((await people.find('kim'))?.groups).toEqual([])
  for (const time of ['first', 'second'])
    expect((await people.find('pim'))?.groups, time).toEqual(['Above', 'Everybody', 'Primary', 'Staff', 'Store Staff'])
  expect(said.join('\n')).not.toContain('directory-groups-unknown')
})

test('where groups are searched everywhere, everybody has Domain Users', async () => {
  const { people } = await open()
  expect((await people.find('kim'))?.groups).toEqual(expect.arrayContaining(['Domain Users', 'Users']))
  expect((await (await open({ groups: { only: ['Store*'] } })).people.find('kim'))?.groups).toEqual([])
})

const NOBODY = [
  'PARTNER\\sam',
  'KESTREL\\KESTREL\\sam',
  'KESTREL\\',
  '\\sam',
  'sam@partner.example',
  'DC1$',
  'KESTREL\\*',
  '*',
  's*',
  'sam)(sAMAccountName=*',
  '*)(objectClass=*',
  'sam\\00',
  '\\73am',
  'sam)(|(cn=*',
  'ｓａｍ',
  '{username}',
  '{dn}',
]

test('nobody is found by another domain, a computer, or what would be more than a name in a filter', async () => {
  const { people } = await open()
  for (const typed of NOBODY) {
    expect(await people.find(typed), typed).toBeUndefined()
    expect(await people.verifyPassword(typed, PASSWORD), typed).toBe('wrong')
  }
})

test('where no domain is set, none may be typed', async () => {
  const { people } = await open({ domain: undefined })
  expect(await people.find('KESTREL\\sam')).toBeUndefined()
  expect(await people.find('sam')).toMatchObject({ username: 'sam' })
})

test('somebody who is renamed and moved is the same person, by objectGUID', async () => {
  await samba.modify(samba.person('robin', PASSWORD, ['displayName: Robin Vos']))
  const { people } = await open()
  const robin = (await people.find('robin')) as Person
  await samba.modify(
    `dn: ${dn('robin')}\nchangetype: modify\nreplace: sAMAccountName\nsAMAccountName: robin.smit\n\n` +
      `dn: ${dn('robin')}\nchangetype: modrdn\nnewrdn: CN=Robin Smit\ndeleteoldrdn: 1\nnewsuperior: CN=Users,DC=kestrel,DC=example\n`,
  )
  expect(await people.verifyPassword('robin.smit', PASSWORD)).toMatchObject({ id: robin.id, username: 'robin.smit' })
})

test('what the settings say wins over the template, each value by itself', async () => {
  const { people } = await open({
    user_filter: '(&(objectClass=user)(mail={username}))',
    attributes: { name: 'givenName' },
  })
  expect(await people.find('sam')).toBeUndefined()
  expect(await people.find('s.jansen@kestrel.example')).toMatchObject({ username: 'sam', name: 'Sam' })
})

test.each([
  ['off', 'person-disabled', 'disabled'],
  ['ended', 'person-disabled', 'account expired'],
  ['fresh', 'password-must-change', 'must change the password'],
])(
  '%s: the right password is answered with %s, a wrong one like any wrong one, and the operator reads more',
  async (account, code, state) => {
    const { people } = await open()
    expect(await people.verifyPassword(account, 'wrong horse')).toBe('wrong')
    expect(await refusalOf(people.verifyPassword(account, PASSWORD))).toBe(code)
    expect(await people.verifyPassword(account, 'wrong horse')).toBe('wrong')
    const disabled = code === 'person-disabled'
    const person = (await people.find(account))!
    expect(person.disabled).toBe(disabled)
    expect(await people.refresh(person.id)).toMatchObject({ disabled })
    expect((await people.list({ disabled: true })).map(({ username }) => username)).toEqual(disabled ? [account] : [])
    const steps = await people.test('office', account)
    expect(steps.at(-1)).toMatchObject({ step: 'account', ok: false, say: state })
    expect(steps.at(-1)?.fix).toBeTruthy()
  },
)

test('a locked account is for the operator to know: no answer tells whether the password was right', async () => {
  const { people, said } = await open()
  expect(await people.verifyPassword('shut', PASSWORD)).toMatchObject({ username: 'shut' })
  for (let i = 0; i < 3; i++) expect(await people.verifyPassword('shut', 'wrong horse')).toBe('wrong')
  for (const password of [PASSWORD, 'wrong horse']) expect(await people.verifyPassword('shut', password)).toBe('locked')
  expect(said.filter((line) => line.includes('directory-account-locked')).length).toBeGreaterThan(0)
  expect(said.join('\n')).not.toContain('shut')
  expect((await people.test('office', 'shut')).at(-1)).toMatchObject({
    step: 'account',
    say: 'locked after wrong passwords',
  })
  // guessing from outside does not end what the person has, nor other ways in
  const person = (await people.find('shut'))!
  expect(await people.refresh(person.id)).toMatchObject({ disabled: false })
})

test('whoever is switched off there is out here: those who must know are told, once; and back when it is taken back', async () => {
  await samba.modify(samba.person('leaver', PASSWORD))
  const { people, audit } = await open()
  const told: string[] = []
  people.onDisabled(async (id) => void told.push(id))
  const leaver = (await people.verifyPassword('leaver', PASSWORD)) as Person
  const control = (value: number) =>
    samba.modify(`dn: ${dn('leaver')}\nchangetype: modify\nreplace: userAccountControl\nuserAccountControl: ${value}\n`)
  await control(514)
  expect(await people.refresh(leaver.id)).toMatchObject({ id: leaver.id, disabled: true })
  expect(await people.refresh(leaver.id)).toMatchObject({ disabled: true })
  expect(told).toEqual([leaver.id])
  await control(512)
  expect(await people.verifyPassword('leaver', PASSWORD)).toMatchObject({ id: leaver.id, disabled: false })
  // what was said here is not taken back from there
  await people.disable(leaver.id, 'cli')
  expect(await people.verifyPassword('leaver', PASSWORD)).toBe('wrong')
  expect(await people.refresh(leaver.id)).toMatchObject({ disabled: true })
  const events = (await audit.search({ subject: leaver.id })).map(({ event, reason }) => [event, reason])
  expect(events).toEqual(
    expect.arrayContaining([
      ['person-disabled', 'upstream'],
      ['person-enabled', 'upstream'],
    ]),
  )
})

test('`directories test` shows each step, the objectGUID as other tools write it, and what a password is worth', async () => {
  const { people } = await open({ attributes: { other: { office: 'physicalDeliveryOfficeName' } } })
  const steps = await people.test('office', 'KESTREL\\sam')
  expect(steps.map(({ step, ok }) => [step, ok])).toEqual(
    ['resolve', 'connect', 'tls', 'bind', 'search', 'person', 'groups', 'account', 'strength'].map((step) => [
      step,
      true,
    ]),
  )
  const found = await samba.search('(sAMAccountName=sam)', 'objectGUID')
  const bytes = Buffer.from(/^objectGUID:: (.+)$/m.exec(found)![1]!, 'base64')
  const fields = `${bytes.readUInt32LE(0).toString(16).padStart(8, '0')}-${bytes.readUInt16LE(4).toString(16).padStart(4, '0')}`
  expect(steps.find(({ step }) => step === 'person')?.say).toContain(`objectGUID ${fields}-`)
  expect(steps.at(-1)?.say).toContain('`any`')
})

test('people change their own password, also when they must; the policy of the domain counts', async () => {
  await samba.modify(samba.person('newcomer', PASSWORD, ['pwdLastSet: 0']))
  // a policy of the domain allows a change once a day
  const minimum = (length: number, age: number) =>
    samba.modify(
      `dn: DC=kestrel,DC=example\nchangetype: modify\nreplace: minPwdAge\nminPwdAge: ${age === 0 ? 0 : -age}\n-\n` +
        `replace: minPwdLength\nminPwdLength: ${length}\n`,
    )
  await minimum(7, 0)
  const { people } = await open({ password_change: true })
  const newcomer = (await people.find('newcomer'))!
  const change = (current: string, next: string) => refusalOf(people.changePassword(newcomer.id, { current, next }))
  expect(await people.verifyPassword('newcomer', PASSWORD)).toMatchObject({
    toRenew: { id: newcomer.id },
    because: 'password-must-change',
  })
  expect(await change('wrong horse', 'Four.Yellow.Ladders')).toBe('password-wrong')
  // too short for the domain is what ours refuses as well; no capitals, no digits
  expect(await change(PASSWORD, 'four yellow ladders')).toBe('password-weak')
  await minimum(12, 0)
  expect(await change(PASSWORD, 'Nine.Char')).toBe('password-too-short')
  await minimum(7, 0)
  expect(await change(PASSWORD, 'Vier.gelbe.Türme.1')).toBe('no refusal')
  expect(await people.verifyPassword('newcomer', 'Vier.gelbe.Türme.1')).toMatchObject({ id: newcomer.id })
  expect(await change('Vier.gelbe.Türme.1', PASSWORD)).toBe('password-in-history')
  await minimum(7, 864_000_000_000)
  expect(await change('Vier.gelbe.Türme.1', 'Four.Yellow.Ladders')).toBe('password-too-young')
})

test('no password is changed in plain text', async () => {
  const plain = { url: `ldap://${samba.address}`, insecure_plain_text: true, password_change: true }
  expect(await refusalOf(open(plain))).toBe('settings-invalid')
})
