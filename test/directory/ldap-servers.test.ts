/** Several servers of one directory, connections that are kept, and what happens when they fail. */
import { createConnection, createServer, type Socket } from 'node:net'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { type LdapSettings, type Slapd, startSlapd } from '../support/slapd.ts'
import { openHouse, refusalOf } from './house.ts'

const PASSWORD = 'correct horse'
let slapd: Slapd

beforeAll(async () => {
  slapd = await startSlapd([{ uid: 'sam', name: 'Sam Jansen', password: PASSWORD }], { staff: ['sam'] })
})
afterAll(() => slapd.end())

/** A way to the server that counts connections, and can hang up on all of them, take no new ones, or say nothing. */
async function wayTo(port: number) {
  const sockets = new Set<Socket>()
  const way = { port: 0, connections: 0, mode: 'open' as 'open' | 'closed' | 'silent', hangUp: () => {} }
  const listener = createServer((socket) => {
    way.connections++
    sockets.add(socket)
    socket.on('error', () => {})
    if (way.mode === 'closed') return void socket.destroy()
    if (way.mode === 'silent') return
    const server = createConnection(port, '127.0.0.1')
    server.on('error', () => socket.destroy())
    socket.on('close', () => server.destroy())
    server.on('close', () => socket.destroy())
    socket.pipe(server)
    server.pipe(socket)
  })
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  way.port = (listener.address() as { port: number }).port
  way.hangUp = () => {
    for (const socket of sockets) socket.destroy()
    sockets.clear()
  }
  onTestFinished(() => {
    way.hangUp()
    listener.close()
  })
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
  expect(way.connections).toBeLessThanOrEqual(2 * 16 + 1)
})

test.each(['closed', 'silent'] as const)(
  'the first server is %s: the second answers, and is asked first from then on',
  async (mode) => {
    const [first, second] = [await wayTo(slapd.port), await wayTo(slapd.port)]
    const { people, said, clock } = await open({ ...plain(first.port, second.port), timeout: '1s' })
    first.mode = mode
    expect(await people.verifyPassword('sam', PASSWORD)).toMatchObject({ username: 'sam' })
    const tried = first.connections
    for (let i = 0; i < 5; i++) expect(await people.verifyPassword('sam', PASSWORD)).toMatchObject({ username: 'sam' })
    expect(first.connections).toBe(tried)
    expect(said.filter((line) => line.includes('directory-server-down'))).toHaveLength(1)
    // and is the first again once it is back
    first.mode = 'open'
    clock.pass(90_000)
    second.mode = 'closed'
    second.hangUp()
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
  way.mode = 'closed'
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
  way.mode = 'open'
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
  ])
})
