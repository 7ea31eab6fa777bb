/** How long from the command to the first answer, and what an idle server needs of memory. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { rssBytes } from './load/processes.ts'
import { MAIN, writeFolder } from './portico-folder.ts'
import { freePort, start } from './processes.ts'
import { median } from './verdict.ts'

const REPEATS = 3
const IDLE = 5000
const root = join(import.meta.dirname, '..')

export interface StartUp {
  /** After an installation, nothing compiled yet: master key, database, signing keys. Median, in milliseconds. */
  readonly first: number
  /** On the database that is there then. Median, in milliseconds. */
  readonly second: number
  /** Some seconds after the start, nothing asked of it. */
  readonly idleMb: number
}

export async function startUp(folder: string): Promise<StartUp> {
  const first: number[] = []
  const second: number[] = []
  const idle: number[] = []
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    const place = join(folder, `start-${repeat}`)
    const port = await freePort()
    const file = writeFolder(place, { port, managementPort: await freePort() })
    // as `npx portico` does: by the first line of the entrance
    const args = ['--max-semi-space-size=4', MAIN, 'serve', '--config', file]
    const options = { args, port, log: join(place, 'log'), folder: place }
    rmSync(join(root, 'data/compile-cache'), { recursive: true, force: true })
    for (const times of [first, second]) {
      const running = await start(options)
      times.push(running.milliseconds)
      if (repeat === 0) {
        await new Promise((resolve) => setTimeout(resolve, IDLE))
        idle.push(rssBytes(running.pid) / 1048576)
      }
      await running.stop()
    }
  }
  return { first: Math.round(median(first)), second: Math.round(median(second)), idleMb: Math.round(Math.max(...idle)) }
}
