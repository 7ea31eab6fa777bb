/** A machine's clock that can be stepped while processes run, by libfaketime. What counts without a date goes on. */
import { readdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { seconds } from '#core/clock'
import { portico, type Serving } from './serve.ts'

export interface Stepped {
  /** Off by so many seconds from now on, from the next time that a process looks at its clock. */
  step(offset: number): void
  /** What its clock says. */
  now(): number
  /** For commands that have this clock. */
  readonly env: NodeJS.ProcessEnv
  /** A gateway that has it. */
  serve(config: string): Promise<Serving>
}

function library(): string {
  for (const machine of readdirSync('/usr/lib')) {
    if (!machine.endsWith('-linux-gnu')) continue
    const folder = join('/usr/lib', machine, 'faketime')
    if (readdirSync(join('/usr/lib', machine)).includes('faketime')) return join(folder, 'libfaketimeMT.so.1')
  }
  throw new Error('libfaketime is not installed')
}

/** Kept in that folder; right at first. */
export function makeStepped(folder: string): Stepped {
  const file = join(folder, 'clock')
  let offset = 0
  const step = (by: number) => {
    offset = by
    // half a file is no time
    writeFileSync(`${file}.new`, `${by < 0 ? '' : '+'}${by}\n`)
    renameSync(`${file}.new`, file)
  }
  step(0)
  const env = {
    LD_PRELOAD: library(),
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_NO_CACHE: '1',
    // by the name of later versions, and of this one
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    DONT_FAKE_MONOTONIC: '1',
  }
  return {
    ...{ step, env },
    now: () => Date.now() + seconds(offset),
    async serve(config) {
      const serving = portico(['serve', '--config', config], { env })
      await serving.printed(/^ready /m)
      return serving
    },
  }
}
