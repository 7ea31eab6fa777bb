/** What happens to a Redis, and what is answered meanwhile: never yes without it, and afterwards it goes on by itself. */
import { once } from 'node:events'
import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { createLog } from '#audit'
import { systemClock } from '#core/clock'
import { silentLog } from '#core/log'
import type { Refusal } from '#core/refusal'
import { openStorage, type Storage } from '#storage'
import { temporaryFolder } from '../storage/folder.ts'
import {
  makeCertificate,
  type RedisServer,
  startCluster,
  startRedis,
  startSentinel,
  startTlsRedis,
  until,
} from '../support/redis.ts'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'

const folder = temporaryFolder()
const ending: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end()
})

async function server(...lines: string[]): Promise<RedisServer> {
  const redis = await startRedis(...lines)
  ending.push(redis.end)
  return redis
}

async function proxied(to: RedisServer): Promise<TcpProxy & { url: string }> {
  const proxy = await startTcpProxy({ to: to.port })
  ending.push(proxy.close)
  return Object.assign(proxy, { url: `redis://127.0.0.1:${proxy.port}` })
}

let count = 0
async function open(
  url: string,
  more: { caFile?: string; password?: string; replicas?: number; sentinelPassword?: string } = {},
  log = silentLog,
) {
  const storage = await openStorage({
    url: `sqlite:${join(folder, `records-${count++}.db`)}`,
    state: { url, ...more },
    clock: systemClock,
    log,
    migrations: [],
  })
  ending.push(storage.close)
  return storage
}

const refusal = async (act: Promise<unknown>): Promise<string> => {
  const error = await act.then(
    () => undefined,
    (thrown: unknown) => thrown as Refusal,
  )
  expect(error).toMatchObject({ code: 'storage-unavailable', status: 503 })
  return error!.detail!
}
/** Writes, and tries each again until it is answered: what was answered by yes is in `answered`. */
async function spending(storage: Storage) {
  const answered: string[] = []
  let going = true
  const work = (async () => {
    for (let i = 0; going; i++) {
      const key = `key:${i}`
      const said = await storage.state.add(key, 'v', { ttl: 600_000 }).catch(() => undefined)
      if (said) answered.push(key)
      else await new Promise((resolve) => setTimeout(resolve, 20))
    }
  })()
  return {
    answered,
    async stop() {
      going = false
      await work
    },
  }
}
const works = (storage: Storage) => until(() => storage.state.set('again', 'v').then(() => true), Boolean)

test.each(['SIGTERM', 'SIGKILL'] as const)(
  'ended by %s under load and started again: all that was answered is there, nothing refused is taken for done',
  async (signal) => {
    const redis = await server()
    const storage = await open(redis.url)
    for (let round = 0; round < 5; round++) {
      await redis.ask('FLUSHALL')
      const load = await spending(storage)
      await until(
        async () => load.answered.length,
        (length) => length > 50 + 40 * round,
      )
      await redis.stop(signal)
      expect(await refusal(storage.state.get('key:0'))).toMatch(/Redis/)
      expect(await refusal(storage.state.add('key:0', 'v'))).toMatch(/Redis/)
      const before = load.answered.length
      await redis.start()
      await until(
        async () => load.answered.length,
        (length) => length > before + 20,
      )
      await load.stop()
      // none of them is new
      for (const key of load.answered) expect(await storage.state.add(key, 'v'), key).toBe(false)
    }
  },
)

test('cut off: refused at once, and as before when the way is there again', async () => {
  const redis = await server()
  const proxy = await proxied(redis)
  const storage = await open(proxy.url)
  await storage.state.set('k', 'v')
  for (let round = 0; round < 10; round++) {
    proxy.cut()
    await until(() => refusal(storage.state.take('k')), Boolean)
    expect(await refusal(storage.state.get('k'))).toMatch(/Redis/)
    proxy.restore()
    await works(storage)
    expect(await storage.state.get('k')).toBe('v')
  }
  // flapping: connections that end all the time
  for (let round = 0; round < 10; round++) {
    proxy.hangUp()
    await storage.state.get('k').catch(() => {})
  }
  await works(storage)
  expect(await storage.state.get('k')).toBe('v')
})

test('half-open, where nobody says anything any more: refused after some seconds, then at once, and it comes back', async () => {
  const redis = await server()
  const proxy = await proxied(redis)
  const storage = await open(proxy.url)
  await storage.state.set('k', 'v')
  proxy.silence()
  await Promise.all([refusal(storage.state.take('k')), refusal(storage.state.get('k'))])
  // what was on its way was executed or was not; nobody was told yes
  expect(await refusal(storage.state.get('k'))).toMatch(/Redis/)
  proxy.restore()
  await works(storage)
  await storage.state.get('k')
})

test('slow: answered late, and refused where it takes longer than anybody waits', async () => {
  const redis = await server()
  const proxy = await proxied(redis)
  const storage = await open(proxy.url)
  proxy.delay(300)
  await storage.state.set('k', 'v')
  expect(await storage.state.get('k')).toBe('v')
  proxy.delay(8000)
  await refusal(storage.state.get('k'))
  proxy.restore()
  await works(storage)
  expect(await storage.state.get('k')).toBe('v')
})

test('full: what makes it larger is refused and changes nothing; what was kept is read, spent and ended all the same', async () => {
  const redis = await server()
  const storage = await open(redis.url)
  const { state } = storage
  await state.set('code', 'secret', { group: 'g' })
  await state.set('session', 'old', { alias: 'public', group: 'g', ttl: 600_000 })
  await state.addMember('set', 'member', 600_000)
  await state.increment('tries', 3, 600_000)
  await redis.ask('CONFIG', 'SET', 'maxmemory', '1')
  const attempts = [
    () => state.set('session', 'new'),
    () => state.add('mark', 'x', { alias: 'free', group: 'g' }),
    () => state.compareAndSwap('session', 'old', 'new'),
    () => state.compareAndSwap('session', 'old', 'new', { alias: 'other' }),
    () => state.increment('tries', 1, 600_000),
    () => state.increment('others', 1, 600_000),
    () => state.addMember('set', 'another', 600_000),
  ]
  for (const attempt of attempts) expect(await refusal(attempt())).toBe('Redis is full')
  expect(await state.getByAlias('public')).toEqual({ key: 'session', value: 'old' })
  expect((await state.group('g')).map(({ key }) => key).sort()).toEqual(['code', 'session'])
  expect(await state.get('tries')).toBe('3')
  expect(await state.members('set')).toEqual(['member'])
  expect(await state.get('mark')).toBeUndefined()
  expect(await state.take('code')).toBe('secret')
  expect(await state.take('code')).toBeUndefined()
  expect(await state.delete('session')).toBe(true)
  expect(await state.removeMember('set', 'member')).toBe(true)
  await redis.ask('CONFIG', 'SET', 'maxmemory', '256mb')
  await state.set('session', 'new')
  expect(await state.get('session')).toBe('new')
})

test.each([
  ['an eviction policy that forgets', ['maxmemory-policy allkeys-lru'], /maxmemory-policy allkeys-lru.*set noeviction/],
  ['no append-only file and no replica', ['appendonly no'], /appendonly yes/],
  ['a node of a cluster', ['cluster-enabled yes'], /redis\+cluster/],
])('%s is said at the start, in a sentence', async (_what, lines, why) => {
  const redis = await server(...lines)
  expect(await refusal(open(redis.url))).toMatch(why)
})

test('a wrong policy that comes later, with a restart, is refused then, and right again it serves without a hand', async () => {
  const redis = await server()
  const lines: string[] = []
  const storage = await open(
    redis.url,
    {},
    createLog({ level: 'info', stream: { write: (line: string) => lines.push(line) } }),
  )
  await storage.state.set('k', 'v')
  await redis.ask('CONFIG', 'SET', 'maxmemory-policy', 'volatile-ttl')
  await redis.ask('CONFIG', 'REWRITE')
  await redis.stop('SIGTERM')
  await redis.start()
  await until(
    () => refusal(storage.state.get('k')),
    (said) => said.includes('volatile-ttl'),
  )
  await redis.ask('CONFIG', 'SET', 'maxmemory-policy', 'noeviction')
  await works(storage)
  expect(await storage.state.get('k')).toBe('v')
  expect(lines.join('')).toMatch(/state-unavailable.*volatile-ttl/)
  expect(lines.at(-1)).toContain('state-available')
})

test('while it loads its data it is waited for, and nothing is answered from half of it', async () => {
  const redis = await server(
    'loading-process-events-interval-bytes 1024',
    'key-load-delay 2000',
    'enable-debug-command yes',
  )
  const storage = await open(redis.url)
  await Promise.all(Array.from({ length: 500 }, (_, i) => storage.state.set(`k${i}`, 'v')))
  // as an image, which is read key by key
  await redis.ask('BGREWRITEAOF')
  await until(
    () => redis.ask('INFO', 'persistence'),
    (said) => /aof_rewrite_in_progress:0/.test(said) && /aof_rewrite_scheduled:0/.test(said),
  )
  await redis.stop()
  await redis.start()
  expect(await refusal(storage.state.get('k1'))).toMatch(/Redis/)
  await works(storage)
  for (let i = 0; i < 500; i++) expect(await storage.state.get(`k${i}`)).toBe('v')
})

test('a primary that is made a replica is left at once, and nothing is read from it', async () => {
  const [redis, other] = [await server(), await server()]
  const storage = await open(redis.url)
  await storage.state.set('k', 'v')
  await redis.ask('REPLICAOF', '127.0.0.1', String(other.port))
  await until(
    () => refusal(storage.state.set('k', 'w')),
    (said) => said.includes('is a replica'),
  )
  expect(await refusal(storage.state.get('k'))).toMatch(/Redis/)
  await redis.ask('REPLICAOF', 'NO', 'ONE')
  await works(storage)
})

test('over TLS: with the right authority and password only; neither is told in what is said', async () => {
  const redis = await startTlsRedis()
  ending.push(redis.end)
  const storage = await open(redis.url, { caFile: redis.caFile })
  await storage.state.set('k', 'v')
  expect(await storage.state.get('k')).toBe('v')
  const [, plain] = /^rediss:\/\/:.*@(.*)$/.exec(redis.url)!
  expect(await refusal(open(redis.url))).toMatch(/cannot be reached \([A-Z_]*(CERT|SIGN)[A-Z_]*\)/)
  const said = await refusal(open(`rediss://${plain}`, { caFile: redis.caFile, password: 'another' }))
  expect(said).toContain('does not accept our user name and password')
  expect(await refusal(open(redis.url, { caFile: join(folder, 'nowhere.pem') }))).toContain('ca_file cannot be read')
})

describe('over TLS to more than one server', () => {
  async function certificate() {
    const tls = await makeCertificate()
    ending.push(tls.remove)
    return tls
  }
  /** With the authority it serves; without it nobody is believed, and that is said. */
  async function believed(url: string, caFile: string): Promise<Storage> {
    expect(await refusal(open(url, { sentinelPassword: 'watch' }))).toMatch(/Redis/)
    const storage = await open(url, { caFile, sentinelPassword: 'watch' })
    await storage.state.set('code', 'secret')
    return storage
  }

  test('whom the sentinels name is reached, and whoever takes over', async () => {
    const tls = await certificate()
    const group = await startSentinel({ replicas: 2, tls })
    ending.push(group.end)
    const storage = await believed(group.url, tls.caFile)
    const before = await group.primary()
    await before.stop()
    await works(storage)
    expect((await group.primary()).port).not.toBe(before.port)
    expect(await storage.state.take('code')).toBe('secret')
  })

  test('the node of a cluster that has our slot is reached', async () => {
    const tls = await certificate()
    const cluster = await startCluster({ tls })
    ending.push(cluster.end)
    const [first] = cluster.nodes
    // without replicas none can confirm
    const url = cluster.url.replace(/[^/]*\?/, `127.0.0.1:${first!.port}?`)
    expect(await refusal(open(url, { replicas: 0 }))).toMatch(/Redis/)
    const storage = await open(url, { caFile: tls.caFile, replicas: 0 })
    await storage.state.set('code', 'secret')
    expect(await storage.state.take('code')).toBe('secret')
  })
})

test('two connections that end up at different servers are not used: what one wrote the other would not find', async () => {
  const [one, other] = [await server(), await server()]
  // an address behind which there are two
  let seen = 0
  let apart = true
  const sockets = new Set<Socket>()
  const balancer = createServer((client) => {
    const onto = createConnection({ host: '127.0.0.1', port: apart && ++seen % 2 === 0 ? other.port : one.port })
    for (const socket of [client, onto]) sockets.add(socket.on('error', () => {}))
    client.pipe(onto).pipe(client)
  })
  balancer.listen(0, '127.0.0.1')
  await once(balancer, 'listening')
  ending.push(async () => {
    for (const socket of sockets) socket.destroy()
    balancer.close()
  })
  const opening = open(`redis://127.0.0.1:${(balancer.address() as AddressInfo).port}`)
  const first = await Promise.race([
    opening.then(() => 'used'),
    until(
      async () => seen,
      (count) => count >= 6,
    ).then(() => 'left, and made anew'),
  ])
  expect(first).toBe('left, and made anew')
  apart = false
  const storage = await opening
  await storage.state.set('k', 'v')
  expect(await storage.state.get('k')).toBe('v')
  expect(await other.ask('DBSIZE')).toBe('0')
})

test('a node of a cluster that goes is followed by its replica, by clients that know only the other nodes too', async () => {
  const cluster = await startCluster({ replicas: 1 })
  ending.push(cluster.end)
  const storage = await open(cluster.url)
  await storage.state.set('code', 'secret')
  expect(await storage.state.take('code')).toBe('secret')
  const holder = await cluster.holder()
  const others = await open(
    `redis+cluster://${cluster.nodes.filter((node) => node !== holder).map(({ port }) => `127.0.0.1:${port}`)}`,
  )
  await holder.stop()
  await until(() => refusal(storage.state.get('code')), Boolean)
  await holder.start()
  await works(storage)
  await works(others)
  expect(await storage.state.take('code')).toBeUndefined()
})
