/**
 * The questions of proxies alone: beside a koa route that reads a cookie, per second of CPU, and how late at half of that.
 * `npm run bench -- --scenarios forward_auth`.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { flowRows, flowVerdicts } from './report.ts'
import { targets } from './table.ts'
import { throughput } from './throughput.ts'

/** Answers the exit code. */
export async function forwardAuthAlone(quick: boolean, json: boolean): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'portico-bench-'))
  try {
    const [warmup, seconds] = quick ? [2, 4] : [3, 12]
    const load = loadavg()[0]!
    const say = (line: string) => console.error(`… ${line}`)
    const compared = await throughput({ folder, scenarios: ['forward_auth'], alg: 'ES256', warmup, seconds, say })
    const verdicts = flowVerdicts(compared)
    if (json) console.log(JSON.stringify({ load, compared, verdicts }))
    else
      console.log(
        [...flowRows(compared), '', `load of the machine before: ${load.toFixed(1)}`, '', ...targets(verdicts)].join(
          '\n',
        ),
      )
    return verdicts.every(({ met }) => met) ? 0 : 1
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
