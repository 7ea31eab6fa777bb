import { createConnection, createServer, type Socket } from 'node:net'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { directoryMigrations } from '#directory'
import { BASE, type LdapSettings, type Slapd, startSlapd } from '../support/slapd.ts'
import { LOCAL, openHouse, refusalOf } from './house.ts'

const PASSWORD = 'correct horse'
let slapd: Slapd

beforeAll(async () => {
  slapd = await startSlapd(
    [
      { uid: 'sam', name: 'Sam Jansen', password: PASSWORD, mail: 'sam@kestrel.example' },
      { uid: 'twin', name: 'First Twin', password: PASSWORD, ou: 'ou=stores' },
      { uid: 'twin', name: 'Second Twin', password: PASSWORD, ou: 'ou=care' },
      { uid: ['many', 'names'], name: 'Many Names', password: PASSWORD },
      { uid: 'comma, (star*) \\ ', name: 'Odd Characters', password: PASSWORD },
      { uid: 'moving', name: 'Moving On', password: PASSWORD },
    ],
    {
      staff: ['sam', 'moving'],
      // groups inside groups, and around in a circle
      ring: ['sam', `cn=staff,ou=groups,${BASE}`],
      'odd, (name*)': ['comma, (star*) \\ '],
    },
  )
  await slapd.modify(
    `dn: cn=staff,ou=groups,${BASE}\nchangetype: modify\nadd: member\nmember: cn=ring,ou=groups,${BASE}\nmember: cn=staff,ou=groups,${BASE}\n`,
  )
})
afterAll(() => slapd.end())

const open = (changes: Partial<LdapSettings> = {}) => openHouse([slapd.settings(changes)])

test('ldaps, StartTLS and plain text on loopback all work, each with what the settings must say', async () => {
  for (const changes of [
    {},
    { url: slapd.url, start_tls: true },
    { url: slapd.url, insecure_plain_text: true },
    { url: slapd.ldapsUrl.replace('127.0.0.1', 'localhost') },
  ]) {
    const { people } = await open(changes)
    expect(await people.verifyPassword('sam', PASSWORD), JSON.stringify(changes)).toMatchObject({
      name: 'Sam Jansen',
      groups: ['ring', 'staff'],
    })
    expect(await people.verifyPassword('sam', 'wrong horse')).toBe('wrong')
  }
})

test.each([
  ['another authority', () => ({ ca_file: slapd.otherCaFile }), 'directory-unavailable'],
  [
    'another authority, StartTLS',
    () => ({ url: slapd.url, start_tls: true, ca_file: slapd.otherCaFile }),
    'directory-unavailable',
  ],
  ['no authority', () => ({ url: slapd.url, start_tls: true, ca_file: undefined as never }), 'directory-unavailable'],
  [
    'another host name in the certificate',
    () => ({ url: slapd.ldapsUrl.replace('127.0.0.1', '127.0.0.2') }),
    'directory-unavailable',
  ],
  ['wrong service password', () => ({ bind_password: 'wrong' }), 'directory-unavailable'],
  ['no service account where one is needed', () => ({ bind_dn: '' }), 'directory-unavailable'],
  ['a base that does not exist', () => ({ base_dn: 'ou=nowhere,dc=kestrel,dc=example' }), 'directory-unavailable'],
  [
    'an attribute for the id that nobody has',
    () => ({ attributes: { ...slapd.settings().attributes, id: 'employeeNumber' } }),
    'directory-unavailable',
  ],
])('it cannot tell, and does not say "wrong" or "nobody": %s', async (_, changes, code) => {
  const { people } = await open(changes())
  expect(await refusalOf(people.verifyPassword('sam', PASSWORD))).toBe(code)
  expect(await refusalOf(people.find('sam'))).toBe(code)
})

test.each([
  ['plain text without saying so', () => ({ url: slapd.url })],
  ['plain text to another machine', () => ({ url: 'ldap://ldap.kestrel.example', insecure_plain_text: true })],
  ['a service account without password', () => ({ bind_password: undefined as never })],
  ['StartTLS on ldaps', () => ({ start_tls: true })],
  ['no such CA file', () => ({ ca_file: '/nowhere/ca.pem' })],
  ['a CA file without a certificate', () => ({ ca_file: '/etc/hostname' })],
  ['a filter that cannot be parsed', () => ({ user_filter: '(uid={username}' })],
  ['a filter without a place', () => ({ user_filter: '(uid=sam)' })],
  ['a place among stars', () => ({ user_filter: '(uid=*{username}*)' })],
  ['a group filter without a place', () => ({ group_filter: '(cn=staff)' })],
])('settings that cannot be right are refused at start: %s', async (_, changes) => {
  expect(await refusalOf(open(changes()))).toBe('settings-invalid')
})

test('a server that tells no time is none to compare with', async () => {
  const { people } = await open()
  expect(await people.clock(slapd.settings({}).id)).toBeUndefined()
})

test('two entries with one name are nobody, and the operator is told without the name', async () => {
  const { people, said } = await open()
  expect(await people.find('twin')).toBeUndefined()
  expect(await people.verifyPassword('twin', PASSWORD)).toBe('wrong')
  expect(said.join('\n')).toContain('directory-ambiguous')
  expect(said.join('\n')).not.toContain('twin')
})

test('names, DNs and groups with commas, stars, parentheses and backslashes work and inject nothing', async () => {
  const { people } = await open()
  // the directory ignores the blank at the end and so do we
  const odd = await people.verifyPassword('comma, (star*) \\', PASSWORD)
  expect(odd).toMatchObject({ name: 'Odd Characters', groups: ['odd, (name*)'] })
})

test('each name of an entry leads to the same person', async () => {
  const { people } = await open()
  const first = await people.find('many')
  expect(await people.find('names')).toMatchObject({ id: first!.id })
  expect(await people.verifyPassword('names', PASSWORD)).toMatchObject({ id: first!.id })
})

test('a filter may compare several attributes, and only a whole value counts', async () => {
  const { people } = await open({
    user_filter: '(&(objectClass=inetOrgPerson)(|(uid={username})(mail={username}@kestrel.example)(mail={username})))',
  })
  const sam = await people.find('sam@kestrel.example')
  expect(sam).toMatchObject({ username: 'sam' })
  expect(await people.verifyPassword('SAM@kestrel.example', PASSWORD)).toMatchObject({ id: sam!.id })
  expect(await people.find('sam@kestrel')).toBeUndefined()
})

test('disabled people and their groups survive what the directory says, and groups given here stay apart', async () => {
  const { people, storage, clock } = await open()
  const sam = (await people.find('sam'))!
  await people.addToGroup(sam.id, 'testers', 'cli')
  await people.addToGroup(sam.id, 'staff', 'cli')
  clock.pass(3_600_000)
  expect(await people.verifyPassword('sam', PASSWORD)).toMatchObject({ groups: ['ring', 'staff', 'testers'] })
  await people.removeFromGroup(sam.id, 'testers', 'cli')
  expect(await refusalOf(people.removeFromGroup(sam.id, 'staff', 'cli'))).toBe('directory-read-only')
  expect((await people.byId(sam.id))?.groups).toEqual(['ring', 'staff'])
  const rows = await storage.records.selectFrom('memberships').selectAll().where('person_id', '=', sam.id).execute()
  expect(new Set(rows.map(({ source }) => source))).toEqual(new Set(['staff']))
  expect(await refusalOf(people.change(sam.id, { name: 'Other' }, 'cli'))).toBe('directory-read-only')
  expect(await refusalOf(people.setPassword(sam.id, 'a new password', 'cli'))).toBe('directory-read-only')
  expect(await people.hasPassword(sam.id)).toBe(true)
})

test('a name cannot be taken by a local person while somebody upstream has it here', async () => {
  const { people } = await openHouse([LOCAL, slapd.settings()])
  const sam = (await people.find('sam'))!
  expect(await refusalOf(people.add({ username: 'SAM', name: 'Not Sam' }, 'cli'))).toBe('person-exists')
  expect(await people.find('sam')).toEqual(sam)
})

test('a renamed entry is the same person, and its old name given to somebody else is another', async () => {
  const server = await startSlapd([{ uid: 'ada', name: 'Ada One', password: PASSWORD }])
  onTestFinished(() => server.end())
  const { people } = await openHouse([server.settings()])
  const ada = (await people.find('ada'))!
  await server.modify(`dn: uid=ada,ou=people,${BASE}\nchangetype: modrdn\nnewrdn: uid=ada.one\ndeleteoldrdn: 1\n`)
  expect(await people.refresh(ada.id)).toBe('gone')
  await server.modify(
    `dn: uid=ada,ou=people,${BASE}\nchangetype: add\nobjectClass: inetOrgPerson\nuid: ada\ncn: Ada Two\nsn: Two\nuserPassword: another horse\n`,
  )
  expect(await people.verifyPassword('ada', PASSWORD)).toBe('wrong')
  const second = await people.verifyPassword('ada', 'another horse')
  expect(second).toMatchObject({ username: 'ada', name: 'Ada Two' })
  expect((second as { id: string }).id).not.toBe(ada.id)
  expect(await people.verifyPassword('ada.one', PASSWORD)).toMatchObject({ id: ada.id, username: 'ada.one' })
  expect(await people.find('ada')).toEqual(second)
})

test('a person the directory deleted is gone at the next refresh and cannot sign in', async () => {
  const server = await startSlapd([{ uid: 'ada', name: 'Ada', password: PASSWORD }])
  onTestFinished(() => server.end())
  const { people } = await openHouse([server.settings()])
  const ada = (await people.find('ada'))!
  expect(await people.refresh(ada.id)).toEqual(ada)
  await server.modify(`dn: uid=ada,ou=people,${BASE}\nchangetype: delete\n`)
  expect(await people.refresh(ada.id)).toBe('gone')
  expect(await people.verifyPassword('ada', PASSWORD)).toBe('wrong')
})

test('a directory that goes down: its people are known with their last groups, nobody’s password is "wrong", local people go on', async () => {
  const server = await startSlapd(
    [
      { uid: 'ada', name: 'Ada', password: PASSWORD },
      { uid: 'bea', name: 'Bea', password: PASSWORD },
    ],
    { staff: ['ada', 'bea'] },
  )
  onTestFinished(() => server.end())
  const { people, clock } = await openHouse([server.settings(), LOCAL])
  const ada = (await people.find('ada'))!
  const leo = await people.add({ username: 'leo', name: 'Leo', password: PASSWORD }, 'cli')
  await server.stop()
  expect(await people.find('ada')).toEqual(ada)
  expect(await people.refresh(ada.id)).toEqual(ada)
  expect((await people.byId(ada.id))?.groups).toEqual(['staff'])
  for (const username of ['ada', 'bea', 'nobody']) {
    expect(await refusalOf(people.verifyPassword(username, PASSWORD)), username).toBe('directory-unavailable')
    expect(await refusalOf(people.verifyPassword(username, 'wrong horse')), username).toBe('directory-unavailable')
  }
  expect(await refusalOf(people.find('bea'))).toBe('directory-unavailable')
  expect(await people.find('leo')).toEqual(leo)
  expect(await people.verifyPassword('leo', PASSWORD)).toEqual(leo)
  expect(await people.verifyPassword('leo', 'wrong horse')).toBe('wrong')
  await server.start()
  // for a while nobody asks a server that did not answer again and again
  expect(await refusalOf(people.verifyPassword('bea', PASSWORD))).toBe('directory-unavailable')
  clock.pass(90_000)
  expect(await people.verifyPassword('bea', PASSWORD)).toMatchObject({ groups: ['staff'] })
})

test('with two directories, one down: the other’s people sign in, and "wrong" is not said where the one down may know better', async () => {
  const [down, up] = await Promise.all([
    startSlapd([{ uid: 'ada', name: 'Ada', password: PASSWORD }]),
    startSlapd([{ uid: 'bea', name: 'Bea', password: PASSWORD }]),
  ])
  onTestFinished(async () => void (await Promise.all([down.end(), up.end()])))
  const { people } = await openHouse([down.settings({ id: 'first' }), up.settings({ id: 'second' })])
  await down.stop()
  // nobody knows yet whether the first has a bea too
  expect(await refusalOf(people.verifyPassword('bea', 'wrong horse'))).toBe('directory-unavailable')
  expect(await people.verifyPassword('bea', PASSWORD)).toMatchObject({ directory: 'second' })
  expect(await people.verifyPassword('bea', 'wrong horse')).toBe('wrong')
  expect(await refusalOf(people.verifyPassword('ada', PASSWORD))).toBe('directory-unavailable')
})

test('groups that cannot be found out are unknown, and keep their last value once there was one', async () => {
  const { people, reopen, said } = await open({ group_base_dn: 'ou=nowhere,dc=kestrel,dc=example' })
  const sam = await people.verifyPassword('sam', PASSWORD)
  expect(sam).toMatchObject({ username: 'sam', groups: undefined })
  await people.addToGroup((sam as { id: string }).id, 'testers', 'cli')
  expect((await people.find('sam'))?.groups).toBeUndefined()
  expect(said.join('\n')).toContain('directory-groups-unknown')
  const repaired = await reopen([slapd.settings()])
  expect(await repaired.verifyPassword('sam', PASSWORD)).toMatchObject({ groups: ['ring', 'staff', 'testers'] })
  const broken = await reopen([
    slapd.settings({
      group_filter: '(&(objectClass=groupOfNames)(member={dn})',
      group_base_dn: 'ou=nowhere,dc=kestrel,dc=example',
    }),
  ]).catch(() => reopen([slapd.settings({ group_base_dn: 'ou=nowhere,dc=kestrel,dc=example' })]))
  expect(await broken.verifyPassword('sam', PASSWORD)).toMatchObject({ groups: ['ring', 'staff', 'testers'] })
})

test('a group that is or looks like administrators is left out however it is written and found; the operator is told once', async () => {
  const written = [
    'administrators',
    'Administrators',
    'ADMİNİSTRATORS',
    'ａｄｍｉｎｉｓｔｒａｔｏｒｓ',
    '𝐚𝐝𝐦𝐢𝐧𝐢𝐬𝐭𝐫𝐚𝐭𝐨𝐫𝐬',
    'adminiſtratorſ',
    'admin\u200bistrators',
    '\u00a0administrators\u3000',
    'administrators\u202e',
    'admin\u3164istrators',
    '\ufff9administrators',
    'administrators \u200b',
    'ádministrators',
  ]
  // other groups, which give nothing: names are compared exactly
  const others = ['administratorѕ', 'cn=administrators', 'it/administrators', 'administrators/it', 'administrator']
  const all = [...written, ...others]
  const server = await startSlapd(
    [{ uid: 'ada', name: 'Ada' }],
    Object.fromEntries(all.map((_, i) => [`group ${i}`, i === 0 ? [`cn=group 1,ou=groups,${BASE}`] : ['ada']])),
  )
  onTestFinished(() => server.end())
  await server.modify(
    all
      .map(
        (name, i) =>
          `dn: cn=group ${i},ou=groups,${BASE}\nchangetype: modify\nadd: description\ndescription:: ${Buffer.from(name).toString('base64')}\n`,
      )
      .join('\n'),
  )
  const settings = server.settings()
  const { people, said } = await openHouse([
    {
      ...settings,
      // the first one holds the person through another group only
      group_filter: `(&(objectClass=groupOfNames)(|(member={dn})(member=cn=group 1,ou=groups,${BASE})))`,
      attributes: { ...settings.attributes, group: 'description' },
    },
  ])
  const ada = (await people.find('ada'))!
  expect(ada.groups).toEqual([...others].sort())
  await people.refresh(ada.id)
  const warnings = said.filter((line) => line.includes('directory-administrators-ignored'))
  expect(warnings).toEqual([JSON.stringify(['directory-administrators-ignored', { directory: 'staff' }, 'undefined'])])
  expect((await people.test('staff', 'ada')).find(({ step }) => step === 'groups')?.say).toBe(
    `${[...others].sort().join(', ')}; administrators is left out: it is given in Portico only`,
  )
})

test('somebody stored as administrator because of a directory is none after the update, and none after the next refresh', async () => {
  const server = await startSlapd([{ uid: 'ada', name: 'Ada' }], { administrators: ['ada'], staff: ['ada'] })
  onTestFinished(() => server.end())
  const house = await openHouse([server.settings()])
  const { id } = (await house.people.find('ada'))!
  const { records } = house.storage
  const db = records.withTables<{
    people: { id: string; groups: string }
    memberships: { person_id: string; group_name: string; source: string }
  }>()
  const taint = async () => {
    await db
      .insertInto('memberships')
      .values(
        ['administrators', 'Administrators'].map((group_name) => ({ person_id: id, group_name, source: 'staff' })),
      )
      .execute()
    const groups = JSON.stringify(['Administrators', 'administrators', 'staff'])
    await db.updateTable('people').set({ groups }).where('id', '=', id).execute()
  }
  await taint()
  expect(await house.people.refresh(id)).toMatchObject({ groups: ['staff'] })
  expect(await house.people.groups()).toEqual([{ name: 'staff', members: 1 }])

  const update = directoryMigrations.find(({ name }) => name === 'directory-002-administrators-from-here')!
  await taint()
  await update.up(records)
  expect(await house.people.byId(id)).toMatchObject({ groups: ['staff'] })
  expect(await house.people.groups()).toEqual([{ name: 'staff', members: 1 }])

  // what was given here stays, with all that a directory says besides
  await house.people.addToGroup(id, 'administrators', 'cli')
  await taint()
  await update.up(records)
  expect(await house.people.byId(id)).toMatchObject({ groups: ['administrators', 'staff'] })
})

test('a server that accepts and then says nothing is given up in time', async () => {
  const silent = await fakeServer(() => {})
  const { people } = await open({ url: `ldap://127.0.0.1:${silent}`, insecure_plain_text: true, timeout: '1s' })
  expect(await refusalOf(people.verifyPassword('sam', PASSWORD))).toBe('directory-unavailable')
})

test('a server that hangs up after the bind does not make the search run as nobody', async () => {
  // answers the bind (message 2) with success, then closes; a client that connects again would get a second connection
  let connections = 0
  const port = await fakeServer((socket) => {
    connections++
    socket.once('data', () => socket.end(Buffer.from('300c02010261070a010004000400', 'hex')))
  })
  const { people } = await open({ url: `ldap://127.0.0.1:${port}`, insecure_plain_text: true })
  expect(await refusalOf(people.find('sam'))).toBe('directory-unavailable')
  expect(connections).toBe(1)
})

// the number of the first message inside TLS depends on who counts
test.each(['02', '03'])(
  'an answer smuggled in before TLS begins is not taken for the server’s: message %s',
  async (message) => {
    // a stranger in the middle passes everything on, and appends to the plain StartTLS answer the beginning of a bind
    // answer "success" whose last field swallows the real answer
    const smuggled = Buffer.from(`301a0201${message}61150a01000400040e`, 'hex')
    const port = await fakeServer((socket) => {
      const server = createConnection(slapd.port, '127.0.0.1')
      socket.pipe(server)
      let first = true
      server.on('data', (data: Buffer) => {
        socket.write(first ? Buffer.concat([data, smuggled]) : data)
        first = false
      })
      socket.on('close', () => server.destroy())
      server.on('error', () => socket.destroy())
    })
    const { people } = await open({ url: `ldap://127.0.0.1:${port}`, start_tls: true })
    expect(await people.verifyPassword('sam', 'wrong horse')).toBe('wrong')
    expect(await people.verifyPassword('sam', PASSWORD)).toMatchObject({ username: 'sam' })
  },
)

test.each([
  ['nothing listens', () => ({ url: 'ldaps://127.0.0.1:1' }), 'connect', /listens/],
  ['another authority', () => ({ ca_file: slapd.otherCaFile }), 'tls', /ca_file/],
  ['wrong service password', () => ({ bind_password: 'wrong' }), 'bind', /bind_password/],
  ['wrong base', () => ({ base_dn: 'ou=nowhere,dc=kestrel,dc=example' }), 'search', /base_dn/],
  ['nobody of that name', () => ({ user_filter: '(mail={username})' }), 'search', /user_filter/],
])('`directories test` stops at the step that fails and says what to do: %s', async (_, changes, step, fix) => {
  const { people } = await open(changes())
  const steps = await people.test('staff', 'sam')
  expect(steps.at(-1)).toMatchObject({ step, ok: false })
  expect(steps.at(-1)?.fix).toMatch(fix)
  expect(steps.slice(0, -1).every(({ ok }) => ok)).toBe(true)
  expect(await refusalOf(people.test('nowhere'))).toBe('directory-unknown')
})

/** A TCP server for one test, ended with it. */
async function fakeServer(serve: (socket: Socket) => void): Promise<number> {
  const sockets: Socket[] = []
  const server = createServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => {})
    serve(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as { port: number }).port
}
