/** A primary of Redis is killed while two processes spend the same things: nothing is spent twice, what ended stays ended. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, expect, test } from 'vitest'
import { systemClock } from '#core/clock'
import { silentLog } from '#core/log'
import { openStorage } from '#storage'
import { temporaryFolder } from '../storage/folder.ts'
import { type RedisGroup, type RedisServer, startSentinel, until } from '../support/redis.ts'

const folder = temporaryFolder()
const children: ChildProcess[] = []
let group: RedisGroup | undefined
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  await group?.end()
})

/** So many of each kind; what nobody has spent when the server fails is spent after that. */
const THINGS = 4000

function start(records: string, url: string, name: string) {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'redis-process.ts'), records, url, name], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  children.push(child)
  const lines: string[] = []
  createInterface(child.stdout).on('line', (line) => lines.push(line))
  return { child, lines, ended: once(child, 'close') }
}

const executed = async (server: RedisServer) =>
  Number(/cmdstat_evalsha:calls=(\d+)/.exec(await server.ask('INFO', 'commandstats'))?.[1] ?? 0)

type Failing = (primary: RedisServer, replicas: readonly RedisServer[]) => Promise<unknown>
const FAILURES: readonly (readonly [string, Failing])[] = [
  [
    // what it did at last is known to nobody else, so nobody may have been told of it
    'killed before its replicas have heard of its last acts',
    async (primary, replicas) => {
      for (const replica of replicas) replica.freeze()
      // what was sent already they would still find when they go on
      await primary.ask('CLIENT', 'KILL', 'TYPE', 'replica')
      const before = await executed(primary)
      await until(
        () => executed(primary),
        (now) => now > before + 20,
      )
      await primary.stop()
      for (const replica of replicas) replica.continue()
    },
  ],
  // it comes back as a stranger, with what others have spent since
  ['frozen', async (primary) => primary.freeze()],
]

test.each(FAILURES)(
  'with the primary %s, each thing is spent once, by whoever was told so, and it goes on without a hand',
  async (how, fail) => {
    group = await startSentinel({ replicas: 2, down: 3000 })
    const records = `sqlite:${join(folder, `${how.split(' ')[0]}.db`)}`
    const storage = await openStorage({
      url: records,
      state: { url: group.url, sentinelPassword: 'watch' },
      clock: systemClock,
      log: silentLog,
      migrations: [],
    })
    for (let from = 0; from < THINGS; from += 200)
      await Promise.all(
        Array.from({ length: 200 }, (_, i) =>
          Promise.all([
            storage.state.set(`code:${from + i}`, 'x', { group: 'codes' }),
            storage.state.set(`swap:${from + i}`, 'fresh'),
            storage.state.set(`session:${from + i}`, 'x', { ttl: 3_600_000, alias: `public:${from + i}` }),
          ]),
        ),
      )
    // of somebody who does nothing meanwhile
    await storage.state.set('session:idle', 'x', { ttl: 3_600_000 })
    const processes = ['one', 'two'].map((name) => start(records, group!.url, name))
    const reached = (count: number) =>
      until(
        async () => Math.min(...processes.map(({ lines }) => lines.length)),
        (length) => length >= count,
      )
    await reached(300)

    const before = await group.primary()
    const began = performance.now()
    await fail(
      before,
      group.servers.filter((server) => server !== before),
    )
    const spentBefore = processes.map(({ lines }) => lines.length)
    // people notice nothing any more once a write is answered again
    const write = () => storage.state.set('again', 'v').then(() => true)
    await until(write, Boolean)
    const gap = performance.now() - began
    expect((await group.primary()).port).not.toBe(before.port)
    await until(async () => processes.every(({ lines }, i) => lines.length > spentBefore[i]! + 300), Boolean)
    if (how === 'frozen') before.continue()
    else await before.start()
    await group.followed(2)
    for (const { child } of processes) child.stdin!.write('stop\n')
    await Promise.all(processes.map(({ ended }) => ended))

    const won = processes.flatMap(({ lines }) => lines).filter((line) => /^(take|add|swap|end):/.test(line))
    const things = won.map((line) => line.split(' ')[0]!)
    expect(processes.flatMap(({ lines }) => lines).filter((line) => line.startsWith('bug'))).toEqual([])
    expect(things.length).toBeGreaterThan(500)
    expect(things.filter((thing, i) => things.indexOf(thing) !== i)).toEqual([])
    // what was answered is so, on whichever server it now is
    const holds = async (thing: string) => {
      const [kind, n] = thing.split(':')
      if (kind === 'take') expect(await storage.state.get(`code:${n}`), thing).toBeUndefined()
      if (kind === 'add') expect(await storage.state.get(`mark:${n}`), thing).toBeDefined()
      if (kind === 'swap') expect(await storage.state.get(`swap:${n}`), thing).toBe('used')
      if (kind === 'end') expect(await storage.state.getByAlias(`public:${n}`), thing).toBeUndefined()
    }
    for (let from = 0; from < things.length; from += 200) await Promise.all(things.slice(from, from + 200).map(holds))
    expect(await storage.state.get('session:idle')).toBe('x')
    await storage.close()
    console.log(
      `primary ${how}: ${things.length} spent, none twice; writes were refused for ${(gap / 1000).toFixed(1)} s`,
    )
    expect(gap).toBeLessThan(30_000)
  },
)
