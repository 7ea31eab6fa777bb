/**
 * How soon it is felt that something was revoked: for each kind of token and each way, from the answer to whoever revoked until the
 * first refusal, at a server in a process of its own. What is revoked at the command line is revoked in another process, as there.
 *
 *     npm run bench -- --scenarios revocation
 *     node bench/revocation/revocation.ts [--quick] [--json]
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Options } from '../policy/options.ts'
import { MAIN, writeFolder } from '../portico-folder.ts'
import { freePort, start } from '../processes.ts'
import { openRooms } from '../rooms.ts'
import { table, targets } from '../table.ts'
import type { Found, Verdict } from '../verdict.ts'
import { createConsumer } from './consumer.ts'
import { type Felt, measure } from './measure.ts'
import { WAYS } from './ways.ts'
import { createWorld, POLICIES } from './world.ts'

/** Milliseconds between two looks at the list, as docs/apis.md has it. */
const POLLED = { usual: 2_000, quick: 250 }
/** What a look itself may take on a busy machine. */
const SLACK = 1_000

async function felt({ folder, quick, say }: Options): Promise<Felt[]> {
  const every = quick ? POLLED.quick : POLLED.usual
  const port = await freePort()
  const file = writeFolder(join(folder, 'portico'), { port, managementPort: await freePort() })
  const policies = join(folder, 'portico/policies')
  rmSync(policies, { recursive: true })
  mkdirSync(policies)
  for (const [name, text] of Object.entries(POLICIES)) writeFileSync(join(policies, name), text)
  const house = await openRooms(file)
  const running = await start({ args: [MAIN, 'serve', '--config', file], port, log: join(folder, 'log'), folder })
  try {
    const world = await createWorld(`http://127.0.0.1:${port}`, house)
    const consumer = await createConsumer(world.issuer)
    // everybody who waits for the list waits for the same look
    let look: Promise<void> | undefined
    const next = () => {
      look ??= new Promise<void>((resolve) => setTimeout(resolve, every))
        .then(() => consumer.poll())
        .then(() => {
          look = undefined
        })
      return look
    }
    const found: Felt[] = []
    for (const way of WAYS) {
      say(way.name)
      found.push(...(await measure(world, way, consumer, next)))
    }
    return found
  } finally {
    await running.stop()
    await house.close()
  }
}

function verdictsOf(found: readonly Felt[], every: number): Verdict[] {
  const [direct, polled] = [
    found.filter(({ seenBy }) => seenBy !== 'list'),
    found.filter(({ seenBy }) => seenBy === 'list'),
  ]
  const late = direct.filter(({ asked }) => asked > 1)
  const slowest = Math.max(...polled.map(({ after }) => after))
  return [
    {
      what: 'asked of the gateway, the first question after the revocation is refused',
      wanted: 'each',
      is: late.length === 0 ? 'each' : late.map(({ kind, way }) => `not ${kind}, ${way}`).join('; '),
      met: late.length === 0,
    },
    {
      what: `a gateway that polls the list every ${every} ms refuses, at the latest`,
      wanted: `≤ ${every + SLACK} ms`,
      is: `${slowest.toFixed(0)} ms`,
      met: slowest <= every + SLACK,
    },
  ]
}

export async function revocation(options: Options): Promise<Found> {
  const found = await felt(options)
  const told = {
    api: '/authz/api',
    introspection: 'introspection',
    userinfo: 'userinfo',
    refresh: 'refresh',
    list: 'list, polled',
  }
  return {
    told: found,
    verdicts: verdictsOf(found, options.quick ? POLLED.quick : POLLED.usual),
    lines: table(
      ['revoked by', 'token', 'refused by', 'question', 'ms after'],
      found.map(({ kind, way, seenBy, asked, after }) => [way, kind, told[seenBy], String(asked), after.toFixed(1)]),
    ),
  }
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { json: { type: 'boolean', default: false }, quick: { type: 'boolean', default: false } },
  })
  const folder = mkdtempSync(join(tmpdir(), 'portico-bench-'))
  try {
    const say = (line: string) => console.error(`… ${line}`)
    const { told, verdicts, lines } = await revocation({ folder, quick: values.quick, say })
    console.log(
      values.json ? JSON.stringify({ found: told, verdicts }) : [...lines!, '', ...targets(verdicts)].join('\n'),
    )
    process.exitCode = verdicts.every(({ met }) => met) ? 0 : 1
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
