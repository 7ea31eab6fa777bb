/** Several servers of one directory, connections that are kept, and what happens when they fail. */
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { type LdapSettings, type Slapd, startSlapd } from '../support/slapd.ts'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'
import { openHouse, refusalOf } from './house.ts'

const PASSWORD = 'correct horse'
let slapd: Slapd

beforeAll(async () => {
  slapd = await startSlapd([{ uid: 'sam', name: 'Sam Jansen', password: PASSWORD }], { staff: ['sam'] })
})
afterAll(() => slapd.end())

async function wayTo(port: number): Promise<TcpProxy> {
  const way = await startTcpProxy({ to: port })
  onTestFinished(() => way.close())
  return way
}

const plain = (...ports: number[]): Partial<LdapSettings> => ({
  url: ports.map((port) => `ldap://127.0.0.1:${port}`),
  insecure_plain_text: true,
})

async function open(changes: Partial<LdapSettings>) {
  const house = await openHouse([slapd.settings(changes)])
  onTestFinished(() => house.people.close())
  return house
}

test('connections are kept: ten sign-ins in a row need two of them', async () => {
  const way = await wayTo(slapd.port)
  const { people, clock } = await open(plain(way.port))
  for (let i = 0; i < 10; i++) expect(await people.verifyPassword('sam', PASSWORD)).toMatchObject({ username: 'sam' })
  expect(way.connections).toBe(2)
  // what nobody used for long is not used again: something on the way may have forgotten it
  clock.pass(31_000)
  expect(await people.verifyPassword('sam', PASSWORD)).toMatchObject({ username: 'sam' })
  expect(way.connections).toBe(4)
})

test('a connection on which somebody showed a password is nobody’s on the next use', async () => {
  const { people } = await open({})
  for (const [password, wanted] of [
    [PASSWORD, { username: 'sam' }],
    ['wrong horse', 'wrong'],
    ['', 'wrong'],
    [PASSWORD, { username: 'sam' }],
    ['wrong horse', 'wrong'],
  ] as const) {
    const answer = await people.verifyPassword('sam', password)
    if (wanted === 'wrong') expect(answer).toBe('wrong')
    else expect(answer).toMatchObject(wanted)
  }
})

test('what the server hung up on while nobody used it is opened anew, and nobody notices', async () => {
  const way = await wayTo(slapd.port)
  const { people, said } = await open(plain(way.port))
  expect(await people.verifyPassword('sam', PASSWORD)).toMatchObject({ username: 'sam' })
  for (let i = 0; i < 3; i++) {
    way.hangUp()
    expect(await people.verifyPassword('sam', PASSWORD)).toMatchObject({ username: 'sam' })
  }
  expect(said.join('\n')).not.toContain('directory-server-down')
})

test('fifty at once get their own connections, and what is kept afterwards is few', async () => {
  const way = await wayTo(slapd.port)
  const { people } = await open(plain(way.port))
  await people.find('sam')
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, i) => people.verifyPassword('sam', i % 2 ? PASSWORD : 'wrong horse')),
  )
  answers.forEach((answer, i) => {
    if (i % 2) expect(answer).toMatchObject({ username: 'sam' })
    else expect(answer).toBe('wrong')
  })
  // one each, and the one that looked for the person; how many are shared is a matter of who comes when
  expect(way.connections).toBeLessThanOrEqual(50 + 1)
  expect(way.open).toBeLessThanOrEqual(2 * 16 + 1)
})

test.each(['cut', 'silence'] as const)(
  'the first server fails (%s): the second answers, and is asked first from then on',
  async (mode) => {
    const [first, second] = [await wayTo(slapd.port), await wayTo(slapd.port)]
    const { people, said, clock } = await open({ ...plain(first.port, second.port), timeout: '1s' })
    first[mode]()
    expect(await people.verifyPassword('sam', PASSWORD)).toMatchObject({ username: 'sam' })
    const tried = first.connections
    for (let i = 0; i < 5; i++) expect(await people.verifyPassword('sam', PASSWORD)).toMatchObject({ username: 'sam' })
    expect(first.connections).toBe(tried)
    expect(said.filter((line) => line.includes('directory-server-down'))).toHaveLength(1)
    // and is the first again once it is back
    first.restore()
    clock.pass(90_000)
    second.cut()
    expect(await people.verifyPassword('sam', PASSWORD)).toMatchObject({ username: 'sam' })
    expect(said.join('\n')).toContain('directory-server-up')
  },
)

test('a wrong password is an answer: nobody asks the second server, whose answer could be another', async () => {
  const [first, second] = [await wayTo(slapd.port), await wayTo(slapd.port)]
  const { people } = await open(plain(first.port, second.port))
  expect(await people.verifyPassword('sam', 'wrong horse')).toBe('wrong')
  expect(await people.find('nobody')).toBeUndefined()
  expect(second.connections).toBe(0)
})

test('where no server answers again and again nobody waits any more; then one looks for all, and all is well', async () => {
  const way = await wayTo(slapd.port)
  const { people, clock } = await open(plain(way.port))
  way.cut()
  for (let i = 0; i < 3; i++) expect(await refusalOf(people.find('sam'))).toBe('directory-unavailable')
  const tried = way.connections
  await Promise.all(
    Array.from({ length: 20 }, async () => expect(await refusalOf(people.find('sam'))).toBe('directory-unavailable')),
  )
  expect(way.connections).toBe(tried)
  clock.pass(10_000)
  await Promise.all(
    Array.from({ length: 20 }, async () => expect(await refusalOf(people.find('sam'))).toBe('directory-unavailable')),
  )
  expect(way.connections).toBe(tried + 1)
  way.restore()
  clock.pass(120_000)
  expect(await people.find('sam')).toMatchObject({ username: 'sam' })
  expect(await people.verifyPassword('sam', PASSWORD)).toMatchObject({ username: 'sam' })
})

test('`directories test` looks at each server by itself, and searches through the first that answers', async () => {
  const { people } = await open({ url: ['ldaps://127.0.0.1:1', slapd.ldapsUrl] })
  const steps = await people.test('staff', 'sam')
  expect(steps.map(({ step, ok }) => `${step} ${ok}`)).toEqual([
    'resolve true',
    'connect false',
    'resolve true',
    'connect true',
    'tls true',
    'bind true',
    'search true',
    'person true',
    'groups true',
    'account true',
    'strength true',
  ])
})
