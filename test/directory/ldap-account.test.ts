/** What a directory says about accounts and passwords: a password policy of OpenLDAP, and every word of Active Directory. */
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import type { Person } from '#directory'
import { BASE, type LdapSettings, type Slapd, startSlapd } from '../support/slapd.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'
import { openHouse, refusalOf } from './house.ts'

const PASSWORD = 'correct horse'
const POLICY = `cn=policy,${BASE}`
let slapd: Slapd

beforeAll(async () => {
  slapd = await startPolicies()
})
afterAll(() => slapd.end())

async function startPolicies(): Promise<Slapd> {
  const old = ['pwdChangedTime: 20200101000000Z']
  const server = await startSlapd(
    [
      { uid: 'sam', name: 'Sam Jansen', password: PASSWORD, lines: ['employeeNumber: 4711', 'departmentNumber: 12'] },
      { uid: 'off', name: 'Switched Off', password: PASSWORD, lines: ['pwdAccountLockedTime: 000001010000Z'] },
      { uid: 'fresh', name: 'Fresh Start', password: PASSWORD, lines: ['pwdReset: TRUE'] },
      { uid: 'stale', name: 'Stale Bread', password: PASSWORD, lines: old },
      { uid: 'kim', name: 'Kim', password: PASSWORD },
      { uid: 'shut', name: 'Shut Out', password: PASSWORD },
      { uid: 'mute', name: 'Mute', lines: ['jpegPhoto:: /9j/4A=='] },
    ],
    { staff: ['sam'] },
    { modules: 'moduleload ppolicy', database: `overlay ppolicy\nppolicy_default "${POLICY}"` },
  )
  await server.modify(
    [
      `dn: ${POLICY}`,
      'changetype: add',
      'objectClass: device',
      'objectClass: pwdPolicy',
      'cn: policy',
      'pwdAttribute: userPassword',
      'pwdMaxAge: 86400000',
      'pwdMustChange: TRUE',
      'pwdLockout: TRUE',
      'pwdMaxFailure: 3',
      'pwdMinLength: 10',
      'pwdCheckQuality: 2',
      'pwdInHistory: 3',
      '',
    ].join('\n'),
  )
  return server
}

/** One for a test alone. */
async function startPolicyServer(): Promise<Slapd> {
  const server = await startPolicies()
  onTestFinished(() => server.end())
  return server
}

async function open(changes: Partial<LdapSettings> = {}) {
  const house = await openHouse([slapd.settings(changes)])
  onTestFinished(() => house.people.close())
  return house
}
const attributes = (other: Record<string, string>) => ({ attributes: { ...slapd.settings().attributes, other } })

test.each([
  ['fresh', 'password-must-change', 'must change the password'],
  ['stale', 'password-expired', undefined],
])(
  'a password policy: %s is told %s after the right password, and nothing after a wrong one',
  async (uid, code, state) => {
    const { people } = await open()
    expect(await people.verifyPassword(uid, 'wrong horse')).toBe('wrong')
    expect(await refusalOf(people.verifyPassword(uid, PASSWORD))).toBe(code)
    expect(await people.find(uid)).toMatchObject({ disabled: false })
    if (state)
      expect((await people.test('staff', uid)).at(-1)).toMatchObject({ step: 'account', ok: false, say: state })
  },
)

test('a password policy: whom an administrator locked for ever is disabled here, and may not be told more', async () => {
  const { people } = await open()
  expect(await people.find('off')).toMatchObject({ disabled: true })
  // such a server does not even compare the password
  for (const password of [PASSWORD, 'wrong horse']) expect(await people.verifyPassword('off', password)).toBe('locked')
  expect((await people.test('staff', 'off')).at(-1)).toMatchObject({ step: 'account', ok: false, say: 'disabled' })
})

test('a password policy: that somebody is locked after wrong passwords is for the operator to know, and disables nobody', async () => {
  const { people, said } = await open()
  for (let i = 0; i < 3; i++) expect(await people.verifyPassword('shut', 'wrong horse')).toBe('wrong')
  // such a server says no more than "wrong", whatever the password is; its entry does
  for (const password of [PASSWORD, 'wrong horse']) expect(await people.verifyPassword('shut', password)).toBe('locked')
  expect(said.filter((line) => line.includes('directory-account-locked'))).toHaveLength(2)
  expect(await people.find('shut')).toMatchObject({ disabled: false })
  expect((await people.test('staff', 'shut')).at(-1)).toMatchObject({ say: 'locked after wrong passwords' })
  expect(said.join('\n')).not.toContain('shut')
})

/** Active Directory's answer to a bind (RFC 4511 §4.2.2) with this diagnostic. */
function diagnostic(messageId: number, data: string): Buffer {
  const text = Buffer.from(
    `80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data ${data}, v1db1`,
  )
  const inner = Buffer.concat([Buffer.from([0x0a, 1, 49, 4, 0, 4, text.length]), text])
  const bind = Buffer.concat([Buffer.from([0x61, inner.length]), inner])
  return Buffer.concat([Buffer.from([0x30, 3 + bind.length, 2, 1, messageId]), bind])
}

test.each([
  ['52e', 'wrong'],
  ['525', 'wrong'],
  ['530', 'directory-forbids'],
  ['531', 'directory-forbids'],
  ['532', 'password-expired'],
  ['533', 'person-disabled'],
  ['701', 'person-disabled'],
  ['773', 'password-must-change'],
  ['775', 'locked'],
  ['57', 'wrong'],
  ['constructor', 'wrong'],
  ['5320', 'wrong'],
])('Active Directory says %s: the answer is %s', async (data, wanted) => {
  const way = await startTcpProxy({ to: slapd.port })
  onTestFinished(() => way.close())
  const settings = slapd.settings({
    url: `ldap://127.0.0.1:${way.port}`,
    insecure_plain_text: true,
    template: 'active-directory',
  })
  const { people } = await openHouse([settings])
  onTestFinished(() => people.close())
  // answers to refused binds become those of a domain controller
  way.garble((bytes, direction) =>
    direction === 'to-client' && bytes[5] === 0x61 && bytes[9] === 49 ? diagnostic(bytes[4]!, data) : bytes,
  )
  const answer = await people.verifyPassword('kim', 'wrong horse').catch((error: { code: string }) => error.code)
  expect(answer).toBe(wanted)
  // the same words of a server that is none mean nothing
  const { people: other } = await openHouse([{ ...settings, template: 'openldap' }])
  onTestFinished(() => other.close())
  expect(await other.verifyPassword('kim', 'wrong horse')).toBeOneOf(['wrong', 'locked'])
})

test('attributes that the settings map are the person’s, follow the directory, and win over what was given here', async () => {
  const { people, reopen, storage } = await open(
    attributes({ employee_number: 'employeeNumber', department: 'DEPARTMENTNUMBER' }),
  )
  const sam = (await people.verifyPassword('sam', PASSWORD)) as Person
  expect(sam.attributes).toEqual({ employee_number: ['4711'], department: ['12'] })
  const rows = storage.records.withTables<{ people: { id: string; attributes: string } }>()
  const given = JSON.stringify({ department: ['99'], locker: ['7'] })
  await rows.updateTable('people').set({ attributes: given }).where('id', '=', sam.id).execute()
  await slapd.modify(
    `dn: ${slapd.dn('sam')}\nchangetype: modify\nadd: departmentNumber\ndepartmentNumber: 11\n-\ndelete: employeeNumber\n`,
  )
  expect(await people.refresh(sam.id)).toMatchObject({ attributes: { department: ['11', '12'], locker: ['7'] } })
  expect((await people.byId(sam.id))?.attributes).not.toHaveProperty('employee_number')
  // what is mapped no more goes, and what was given here is there again
  const without = await reopen([slapd.settings()])
  expect((await without.refresh(sam.id)) as Person).toMatchObject({ attributes: { department: ['99'], locker: ['7'] } })
})

test('values that are no text are left out, and of too many values none is taken for all of them', async () => {
  const { people, reopen } = await open(attributes({ about: 'jpegPhoto', department: 'departmentNumber' }))
  expect((await people.find('mute'))?.attributes).toEqual({})
  const sam = (await people.find('sam'))!
  const before = sam.attributes
  const many = Array.from({ length: 150 }, (_, i) => `departmentNumber: d${i}`).join('\n')
  await slapd.modify(`dn: ${slapd.dn('sam')}\nchangetype: modify\nadd: departmentNumber\n${many}\n`)
  expect(await people.refresh(sam.id)).toMatchObject({ attributes: before })
  const fewer = await reopen([slapd.settings(attributes({ title: 'title' }))])
  expect(await fewer.refresh(sam.id)).toMatchObject({ attributes: {} })
})

test('people change their own password under the policy of the directory, and only where the settings say so', async () => {
  const server = await startPolicyServer()
  const { people, reopen, audit, said } = await openHouse([server.settings({ password_change: true })])
  onTestFinished(() => people.close())
  const sam = (await people.find('sam'))!
  const change = (current: string, next: string, id = sam.id) => refusalOf(people.changePassword(id, { current, next }))
  expect(people.changesPassword('staff')).toBe(true)
  expect(await change('wrong horse', 'four yellow ladders')).toBe('password-wrong')
  expect(await change('', 'four yellow ladders')).toBe('password-wrong')
  // by our own rules, by the length of the directory, by its history
  expect(await change(PASSWORD, 'password123')).toBe('password-weak')
  expect(await change(PASSWORD, 'nine char')).toBe('password-too-short')
  expect(await change(PASSWORD, PASSWORD)).toBe('password-in-history')
  expect(await people.verifyPassword('sam', PASSWORD)).toMatchObject({ id: sam.id })
  expect(await change(PASSWORD, 'vier gelbe Türme')).toBe('no refusal')
  expect(await people.verifyPassword('sam', PASSWORD)).toBe('wrong')
  expect(await people.verifyPassword('sam', 'vier gelbe Tu\u0308rme')).toMatchObject({ id: sam.id })
  expect(await change('vier gelbe Türme', PASSWORD)).toBe('password-in-history')
  await server.modify(`dn: ${POLICY}\nchangetype: modify\nadd: pwdMinAge\npwdMinAge: 3600\n`)
  expect(await change('vier gelbe Türme', 'four yellow ladders')).toBe('password-too-young')
  await server.modify(`dn: ${POLICY}\nchangetype: modify\ndelete: pwdMinAge\n`)
  expect((await audit.search({ subject: sam.id })).map(({ event }) => event)).toContain('person-changed')
  // who must change it can; after its end such a server takes no change
  const fresh = (await people.find('fresh'))!
  expect(await change(PASSWORD, 'four yellow ladders', fresh.id)).toBe('no refusal')
  expect(await people.verifyPassword('fresh', 'four yellow ladders')).toMatchObject({ id: fresh.id })
  const stale = (await people.find('stale'))!
  expect(await change(PASSWORD, 'four yellow ladders', stale.id)).toBe('password-expired')
  // what a server refuses says nothing against the server
  expect(said.join('\n')).not.toContain('directory-server-down')
  const without = await reopen([server.settings()])
  onTestFinished(() => without.close())
  expect(without.changesPassword('staff')).toBe(false)
  expect(await refusalOf(without.changePassword(sam.id, { current: PASSWORD, next: 'four yellow ladders' }))).toBe(
    'directory-read-only',
  )
})

test('a name that belongs to somebody else by now changes nobody’s password', async () => {
  const server = await startPolicyServer()
  const { people } = await openHouse([server.settings({ password_change: true })])
  onTestFinished(() => people.close())
  const sam = (await people.find('sam'))!
  await server.modify(
    `dn: ${server.dn('sam')}\nchangetype: delete\n\ndn: ${server.dn('sam')}\nchangetype: add\nobjectClass: inetOrgPerson\n` +
      `uid: sam\ncn: Another Sam\nsn: Sam\nuserPassword: ${PASSWORD}\n`,
  )
  expect(await refusalOf(people.changePassword(sam.id, { current: PASSWORD, next: 'four yellow ladders' }))).toBe(
    'password-wrong',
  )
  expect(await people.verifyPassword('sam', PASSWORD)).toMatchObject({ name: 'Another Sam' })
})
