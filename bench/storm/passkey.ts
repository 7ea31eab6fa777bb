/** Sign-ins with a passkey, and beside them, on the same server, those with a password. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { Options } from '../policy/options.ts'
import { LOAD_CORE, onCore } from '../processes.ts'
import { table } from '../table.ts'
import type { Found } from '../verdict.ts'
import type { SignIns } from './signing-in.ts'

export async function passkey({ folder, quick }: Options): Promise<Found> {
  const script = join(import.meta.dirname, 'signing-in.ts')
  const [command, all] = onCore(LOAD_CORE, [script, '--folder', folder, '--seconds', quick ? '2' : '12'])
  const said = await text(spawn(command, all, { stdio: ['ignore', 'pipe', 'inherit'] }).stdout)
  const told = JSON.parse(said) as Readonly<Record<'passkey' | 'password', SignIns>>
  return {
    told,
    verdicts: [],
    lines: table(
      ['sign-in', 'ops/s', 'ops/CPU-s', 'CPU µs', 'p50 ms', 'p99 ms', 'MB'],
      Object.entries(told).map(([what, { perSecond, perCpuSecond, p50, p99, rssMb }]) => [
        `with a ${what}`,
        ...[perSecond, perCpuSecond, 1e6 / perCpuSecond].map((value) => value.toFixed(0)),
        ...[p50, p99].map((value) => value.toFixed(1)),
        rssMb.toFixed(0),
      ]),
    ),
  }
}
