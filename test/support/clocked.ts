/** A gateway in a process of its own, which can be killed, with a clock that goes on when the test says so. */
import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'

export interface Clocked {
  now(): number
  /** Time goes on in steps; after each, what the clockwork does about directories has been done. */
  pass(ms: number, step?: number): Promise<void>
  /** What the clockwork does at least once a minute has been done. */
  tick(): Promise<void>
  /** SIGKILL, wherever it is. */
  kill(): Promise<void>
  /** Starts it again, at the same time or a later one. */
  start(at?: number): Promise<void>
  stop(): Promise<void>
}

/** Starts on the settings file, at that time. */
export async function startClocked(config: string, at: number): Promise<Clocked> {
  let time = at
  let child: ChildProcess | undefined

  const heard = (from: ChildProcess) =>
    new Promise<void>((resolve, reject) => {
      const ended = (code: number | null) => reject(new Error(`the server ended with ${code}`))
      from.once('exit', ended)
      from.once('message', () => {
        from.off('exit', ended)
        resolve()
      })
    })
  const end = async (signal: NodeJS.Signals) => {
    const ending = child
    child = undefined
    if (!ending || ending.exitCode !== null || ending.signalCode !== null) return
    const gone = new Promise<void>((resolve) => ending.once('exit', () => resolve()))
    ending.kill(signal)
    await gone
  }
  const self: Clocked = {
    now: () => time,
    async pass(ms, step = ms) {
      for (let passed = 0; passed < ms; passed += step) {
        time += Math.min(step, ms - passed)
        const done = heard(child!)
        child!.send({ to: time, look: true })
        await done
      }
    },
    async tick() {
      const done = heard(child!)
      child!.send({ to: time, tick: true })
      await done
    },
    kill: () => end('SIGKILL'),
    async start(at = time) {
      time = at
      child = fork(join(import.meta.dirname, 'clocked-server.ts'), [config, String(time)], { execArgv: [] })
      await heard(child)
    },
    stop: () => end('SIGTERM'),
  }
  await self.start()
  return self
}
