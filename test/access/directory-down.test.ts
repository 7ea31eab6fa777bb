/** A directory that is down, or cannot tell the groups of somebody, through a real LDAP server to the gate's answer. */
import { tmpdir } from 'node:os'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { accessMigrations, openAccess, openLivePolicies } from '#access'
import { auditMigrations, createAudit } from '#audit'
import type { App } from '#catalog'
import type { Directory } from '#config'
import { openHistory, openPlaces } from '#context'
import { hours } from '#core/clock'
import { silentLog } from '#core/log'
import { createHashing, directoryMigrations, openDirectory } from '#directory'
import { openDevices, openSessions, sessionsMigrations } from '#sessions'
import { openStorage } from '#storage'
import { inFolder } from '../policy/house.ts'
import { type Slapd, startSlapd } from '../support/slapd.ts'
import { emptyStorageUrl } from '../support/storage.ts'

const PASSWORD = 'three green tablets'
const FILES = {
  'p.yaml': {
    policy: 'p',
    rules: [
      { name: 'leavers', when: { 'user.groups': ['leavers'] }, deny: {} },
      { name: 'care', when: { 'user.groups': ['care'] }, allow: { strength: 'two-factors' } },
      { name: 'rest', allow: {} },
    ],
  },
  'q.yaml': {
    policy: 'q',
    rules: [
      { name: 'care', when: { 'user.groups': ['care'] }, allow: { strength: 'two-factors' } },
      { name: 'rest', allow: {} },
    ],
  },
  'r.yaml': { policy: 'r', rules: [{ name: 'staff', when: { 'user.groups': ['staff'] }, allow: {} }] },
}

let slapd: Slapd
beforeAll(async () => {
  slapd = await startSlapd([{ uid: 'sam', name: 'Sam', password: PASSWORD }], { staff: ['sam'] })
})
afterAll(() => slapd.end())

/** The gate with a directory of these settings; `ask` signs Sam in with the password and opens an app of each policy. */
async function openGate(settings: Directory) {
  const clock = { now: () => Date.parse('2026-11-23T09:00:00Z') }
  const migrations = [...auditMigrations, ...directoryMigrations, ...sessionsMigrations, ...accessMigrations]
  const storage = await openStorage({ url: await emptyStorageUrl(), clock, log: silentLog, migrations })
  onTestFinished(() => storage.close())
  const audit = createAudit({ storage, clock, log: silentLog })
  const hashing = createHashing({ clock })
  const people = await openDirectory({
    storage,
    clock,
    log: silentLog,
    audit,
    directories: [settings],
    folder: tmpdir(),
    hashing,
  })
  const sessions = openSessions({ storage, clock, log: silentLog, audit, defaults: { idle: hours(2), max: hours(12) } })
  const policies = await inFolder(FILES, (folder) => openLivePolicies({ folder, log: silentLog }))
  const access = openAccess({
    storage,
    keys: { derive: () => Buffer.alloc(32, 7) },
    clock,
    log: silentLog,
    people,
    sessions,
    devices: openDevices({ storage, clock, audit }),
    policies,
    places: openPlaces({ log: silentLog }),
    history: openHistory({ state: storage.state, clock }),
  })
  const sam = await people.verifyPassword('sam', PASSWORD)
  if (typeof sam === 'string' || !('id' in sam)) throw new Error('the fixture knows this password')
  const proofs = [{ factor: 'password', at: clock.now(), amr: ['pwd'] }]
  const { session } = await sessions.start({ personId: sam.id, proofs, address: '192.0.2.1' })
  const ask = (policy: string) =>
    access.ask({
      kind: 'app',
      app: { id: 'crm', policy, tags: [], audience: ['*'] } as unknown as App,
      session,
      address: '192.0.2.1',
      startedAt: clock.now(),
    })
  return { ask, people, sam }
}

test('groups that the directory cannot tell are unknown, and every rule on them is judged both ways', async () => {
  const { ask } = await openGate(slapd.settings({ group_base_dn: 'ou=nowhere,dc=kestrel,dc=example' }))
  const closed = await ask('p')
  expect(closed.facts.user).not.toHaveProperty('groups')
  // perhaps a leaver: no. Perhaps in care: two factors. Perhaps no member of the staff: no
  expect(closed).toMatchObject({ outcome: 'deny', decision: { rule: 'leavers' } })
  expect(closed.decision.trace[0]).toMatchObject({ matched: 'unknown', conditions: [{ result: 'unknown' }] })
  expect(await ask('q')).toMatchObject({
    outcome: 'challenge',
    decision: { rule: 'care', required: { strength: 'two-factors' } },
  })
  expect(await ask('r')).toMatchObject({ outcome: 'deny', decision: { rule: null } })
})

test('groups that were known before a directory went down are known, and decide as before', async () => {
  const { ask, people, sam } = await openGate(slapd.settings())
  const before = await Promise.all(['p', 'q', 'r'].map(ask))
  expect(before.map(({ outcome }) => outcome)).toEqual(['allow', 'allow', 'allow'])
  await slapd.stop()
  onTestFinished(() => slapd.start())
  await expect(people.refresh(sam.id)).resolves.toMatchObject({ groups: ['staff'] })
  const after = await Promise.all(['p', 'q', 'r'].map(ask))
  expect(after.map(({ decision }) => decision)).toEqual(before.map(({ decision }) => decision))
})
