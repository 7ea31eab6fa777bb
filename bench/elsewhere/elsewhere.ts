/**
 * Everything in PostgreSQL and Redis beside the embedded database: real servers as the tests start them, but as durable as an operator
 * would have them. Compared is the work per second of the gateway's own CPU; what the two others use is not in it.
 */
import { availableParallelism } from 'node:os'
import { startPostgres } from '../../test/support/postgres.ts'
import { startRedis } from '../../test/support/redis.ts'
import type { Figure } from '../judged.ts'
import { SCENARIOS } from '../load/scenarios.ts'
import type { Options } from '../policy/options.ts'
import { table } from '../table.ts'
import { beside, inTurns, type Server, startPortico } from '../throughput.ts'
import type { Found } from '../verdict.ts'

/** The tests' own server does not wait for the disk. The last line of a name wins. */
const DURABLE = ['fsync = on', 'full_page_writes = on', 'synchronous_commit = on', 'shared_buffers = 256MB']
const FLOWS = ['sso', 'client_credentials', 'refresh', 'introspection']
/** Two gateways, the load generator, and one for the databases. */
const CORES_FOR_TWO = 4

export async function elsewhere({ folder, quick, say }: Options): Promise<Found> {
  const [seconds, warmup] = quick ? [2, 1] : [10, 3]
  const closing: (() => Promise<void>)[] = []
  try {
    const postgres = await startPostgres({ settings: DURABLE })
    closing.unshift(() => postgres.end())
    const redis = await startRedis()
    closing.unshift(() => redis.end())
    const open = async (name: string, more?: object, cores?: string): Promise<Server> => {
      const server = await startPortico(folder, { name, ...(more ? { more } : {}), ...(cores ? { cores } : {}) })
      closing.unshift(() => server.running.stop())
      return server
    }
    const there = async () => ({ storage: { url: postgres.url(await postgres.create()) }, state: { url: redis.url } })
    const servers = [await open('embedded'), await open('elsewhere', await there())]
    const found = []
    for (const flow of quick ? FLOWS.slice(0, 2) : FLOWS) {
      say(`${SCENARIOS[flow]!.title}, embedded and in PostgreSQL and Redis`)
      const [embedded, other] = await inTurns(flow, servers, { seconds, warmup })
      const { ratio, spread } = beside(embedded!, other!)
      const walls = other!.perSecond / embedded!.perSecond
      found.push({ flow, title: SCENARIOS[flow]!.title, embedded: embedded!, other: other!, ratio, walls, spread })
    }
    let two: Figure = { why: `${availableParallelism()} cores; two gateways, load and databases want ${CORES_FOR_TWO}` }
    if (availableParallelism() >= CORES_FOR_TWO) {
      const pair = await open('two', { ...(await there()), workers: 2 }, '0,2')
      const [one, both] = await inTurns('sso', [servers[1]!, pair], { seconds, warmup, users: 32 })
      two = both!.perSecond / one!.perSecond
    }
    const errors = found.map(({ embedded, other }) => other.lastError ?? embedded.lastError).find(Boolean)
    return {
      told: { flows: found, two },
      figures: {
        elsewhere: errors === undefined ? Math.min(...found.map(({ ratio }) => ratio)) : { why: errors },
        'elsewhere-two': two,
      },
      verdicts: [],
      lines: table(
        ['flow', 'embedded, ops/CPU-s', 'elsewhere', 'ratio', 'by the clock', 'p99 ms, embedded', 'elsewhere'],
        found.map(({ title, embedded, other, ratio, walls }) => [
          title,
          embedded.perCpuSecond.toFixed(0),
          other.perCpuSecond.toFixed(0),
          ratio.toFixed(2),
          walls.toFixed(2),
          embedded.p99.toFixed(1),
          other.p99.toFixed(1),
        ]),
      ),
    }
  } finally {
    for (const close of closing) await close()
  }
}
