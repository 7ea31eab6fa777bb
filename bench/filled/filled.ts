/** Whether anything is slower for what has gathered over months: the same flows on a full store and on an empty one, in turns. */
import { readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Target } from '../load/flows.ts'
import { SCENARIOS } from '../load/scenarios.ts'
import type { Options } from '../policy/options.ts'
import { MAIN } from '../portico-folder.ts'
import { start } from '../processes.ts'
import { table } from '../table.ts'
import { beside, inTurns, startPortico } from '../throughput.ts'
import type { Found } from '../verdict.ts'
import { fillPlace } from './place.ts'

const WHOLE = { people: 200_000, apps: 1000, sessions: 1_000_000, receipts: 10_000_000 }
/** Of that, unless `--full` is given. */
const USUAL = 1 / 10
const SMALL = 1 / 100
const FLOWS = ['sso', 'client_credentials', 'refresh', 'introspection', 'userinfo', 'forward_auth', 'login']

export async function filled({ folder, quick, full, say }: Options): Promise<Found> {
  const share = full ? 1 : quick ? SMALL : USUAL
  const [people, sessions, receipts] = [WHOLE.people, WHOLE.sessions, WHOLE.receipts].map((all) => all * share)
  const amount = { people: people!, sessions: sessions!, receipts: receipts!, apps: WHOLE.apps }
  const empty = await startPortico(folder, { name: 'empty' })
  let stop = empty.running.stop
  try {
    const place = await startPortico(folder, { name: 'filled' })
    say(`filling: ${shown(amount)}`)
    const began = performance.now()
    await fillPlace(place, amount)
    const seconds = (performance.now() - began) / 1000
    const gigabytes = statSync(join(dirname(place.file), 'portico.db')).size / 1e9
    const port = Number(new URL((JSON.parse(readFileSync(place.target, 'utf8')) as Target).issuer).port)
    const log = join(dirname(place.file), 'log')
    const running = await start({
      args: [MAIN, 'serve', '--config', place.file],
      port,
      log,
      folder: dirname(place.file),
    })
    stop = () => Promise.all([empty.running.stop(), running.stop()]).then(() => undefined)
    const servers = [empty, { target: place.target, running }]
    const found = []
    for (const flow of quick ? FLOWS.slice(0, 3) : FLOWS) {
      say(`${SCENARIOS[flow]!.title}, filled and empty`)
      const [few, many] = await inTurns(flow, servers, { seconds: quick ? 2 : 8, warmup: flow === 'login' ? 5 : 2 })
      const { ratio, spread } = beside(few!, many!)
      // how much longer one takes
      found.push({ flow, title: SCENARIOS[flow]!.title, few: few!, many: many!, slower: 1 / ratio, spread })
    }
    const errors = found.find(({ few, many }) => few.errors + many.errors > 0)
    const slowest = Math.max(...found.map(({ slower }) => slower))
    return {
      told: { amount, seconds, gigabytes, flows: found },
      figures: {
        filled: errors
          ? { why: `errors: ${errors.many.lastError ?? errors.few.lastError}` }
          : full
            ? slowest
            : { value: slowest, small: shown(amount) },
      },
      verdicts: [],
      lines: [
        `filled with ${shown(amount)}: ${gigabytes.toFixed(1)} GB, in ${seconds.toFixed(0)} s${full ? '' : ``}`,
        '',
        ...table(
          ['flow', 'empty, ops/CPU-s', 'filled', 'takes longer', 'p99 ms, empty', 'filled'],
          found.map(({ title, few, many, slower }) => [
            title,
            few.perCpuSecond.toFixed(0),
            many.perCpuSecond.toFixed(0),
            `${slower.toFixed(2)} ×`,
            few.p99.toFixed(1),
            many.p99.toFixed(1),
          ]),
        ),
      ],
    }
  } finally {
    await stop()
  }
}

const shown = (amount: Readonly<Record<string, number>>) =>
  Object.entries(amount)
    .map(([what, count]) => `${count.toLocaleString('en')} ${what}`)
    .join(', ')
