/** Servers that point elsewhere, answer garbage, or break off in the middle. */
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { watchLdap } from '../support/ldap-requests.ts'
import { BASE, type LdapSettings, type Slapd, startSlapd } from '../support/slapd.ts'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'
import { openHouse, refusalOf } from './house.ts'

const PASSWORD = 'correct horse'
let near: Slapd
let far: Slapd
/** In front of the server that is pointed to. */
let way: TcpProxy

beforeAll(async () => {
  far = await startSlapd([
    { uid: 'lea', name: 'Lea', password: PASSWORD },
    { uid: 'both', name: 'Far Both', password: PASSWORD },
  ])
  way = await startTcpProxy({ to: far.port })
  near = await startSlapd(
    [
      { uid: 'sam', name: 'Sam Jansen', password: PASSWORD },
      { uid: 'both', name: 'Near Both', password: PASSWORD },
    ],
    { staff: ['sam', 'lea'] },
  )
  await near.modify(
    `dn: ou=far,ou=people,${BASE}\nchangetype: add\nobjectClass: referral\nobjectClass: extensibleObject\nou: far\n` +
      `ref: ldap://127.0.0.1:${way.port}/ou=people,${BASE}\n`,
  )
})
afterAll(async () => {
  await way.close()
  await Promise.all([near.end(), far.end()])
})

const plain: Partial<LdapSettings> = { insecure_plain_text: true }
async function open(changes: Partial<LdapSettings>) {
  const house = await openHouse([near.settings({ ...plain, url: near.url, ...changes })])
  onTestFinished(() => house.people.close())
  return house
}

test('referrals are not followed: the other server is not even connected to', async () => {
  const before = way.connections
  for (const referrals of [[], ['ldap://127.0.0.1:1'], ['ldaps://ldap.example.com']]) {
    const { people } = await open({ referrals })
    expect(await people.find('lea')).toBeUndefined()
    expect(await people.verifyPassword('lea', PASSWORD)).toBe('wrong')
    expect(await people.verifyPassword('sam', PASSWORD)).toMatchObject({ groups: ['staff'] })
  }
  expect(way.connections).toBe(before)
  const { people } = await open({})
  expect((await people.test('staff', 'lea')).at(-1)?.fix).toContain('`referrals`')
})

test('an allowed one is followed for people: their password is shown there, their groups come from here', async () => {
  const traffic = watchLdap(way)
  const { people } = await open({ referrals: [`ldap://127.0.0.1:${way.port}`] })
  expect(await people.verifyPassword('lea', PASSWORD)).toMatchObject({ name: 'Lea', groups: ['staff'] })
  expect(traffic().requests).toContain('search')
  expect(await people.verifyPassword('lea', 'wrong horse')).toBe('wrong')
  expect(await people.find('nobody')).toBeUndefined()
  // somebody here and somebody there with one name are nobody
  expect(await people.find('both')).toBeUndefined()
  expect(await people.verifyPassword('both', PASSWORD)).toBe('wrong')
})

test('an allowed one that does not answer leaves names unknown, and is not held against the first server', async () => {
  const { people, said } = await open({ referrals: [`ldap://127.0.0.1:${way.port}`] })
  way.cut()
  onTestFinished(() => way.restore())
  for (let i = 0; i < 5; i++) expect(await refusalOf(people.find('lea'))).toBe('directory-unavailable')
  expect(said.join('\n')).not.toContain('directory-server-down')
  way.restore()
  expect(await people.find('lea')).toMatchObject({ name: 'Lea' })
})

/**
 * Flips one byte of every LDAP message of `data` (RFC 4511 §4.1.1): a server that is busy sends several in one piece, and
 * the last of them alone would say "nobody".
 */
function flipEach(data: Buffer, which: 'message-id' | 'operation'): Buffer {
  const changed = Buffer.from(data)
  for (let at = 0; at + 2 <= data.length; ) {
    // X.690 §8.1.3: a short length in one byte, or how many bytes of it follow
    const more = data[at + 1]! & 0x80 ? data[at + 1]! & 0x7f : 0
    const start = at + 2 + more
    const length = more === 0 ? data[at + 1]! : data.readUIntBE(at + 2, more)
    const operation = start + 2 + data[start + 1]!
    const flipped = which === 'operation' ? operation : operation - 1
    if (flipped < data.length) changed[flipped]! ^= 0xff
    at = start + length
  }
  return changed
}

test.each<[string, ((data: Buffer) => Buffer) | undefined]>([
  ['noise', undefined],
  ['only the first half', (data) => data.subarray(0, Math.ceil(data.length / 2))],
  ['an answer to something else', (data) => flipEach(data, 'message-id')],
  ['an operation that does not exist', (data) => flipEach(data, 'operation')],
  ['a text instead of LDAP', () => Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
])('garbled answers are no answer, and the next good one is: %s', async (_, change) => {
  const proxy = await startTcpProxy({ to: near.port })
  onTestFinished(() => proxy.close())
  const settings = { ...plain, url: `ldap://127.0.0.1:${proxy.port}`, timeout: '1s' }
  const { people, clock } = await open(settings)
  proxy.garble(change && ((data, direction) => (direction === 'to-client' ? change(data) : data)))
  expect(await refusalOf(people.find('sam'))).toBe('directory-unavailable')
  expect(await refusalOf(people.verifyPassword('sam', PASSWORD))).toBe('directory-unavailable')
  proxy.restore()
  clock.pass(90_000)
  expect(await people.verifyPassword('sam', PASSWORD)).toMatchObject({ groups: ['staff'] })
  // and on connections that are warm
  proxy.garble(change && ((data, direction) => (direction === 'to-client' ? change(data) : data)))
  expect(await refusalOf(people.verifyPassword('sam', PASSWORD))).toBe('directory-unavailable')
})
