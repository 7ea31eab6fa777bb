/** What /metrics shows, in the format of Prometheus. */
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import type { DirectoryState } from '#directory'

export interface Measured {
  /** Of the password queue. */
  load(): { done: number; running: number; waiting: number }
  directories(): readonly DirectoryState[]
}

/** What a probe or a graph shows of a directory. */
const UP: Readonly<Record<DirectoryState['state'], number | undefined>> = {
  up: 1,
  returning: 1,
  down: 0,
  unknown: undefined,
}

export function registerOf({ load, directories }: Measured): Registry {
  const register = new Registry()
  collectDefaultMetrics({ register, prefix: 'portico_' })
  new Gauge({
    name: 'portico_password_queue',
    help: 'Password checks running and waiting',
    labelNames: ['state'],
    registers: [register],
    collect() {
      const { running, waiting } = load()
      this.set({ state: 'running' }, running)
      this.set({ state: 'waiting' }, waiting)
    },
  })
  new Gauge({
    name: 'portico_directory_up',
    help: 'Whether a directory answers; absent before it was asked',
    labelNames: ['directory'],
    registers: [register],
    collect() {
      for (const { id, state } of directories()) if (UP[state] !== undefined) this.set({ directory: id }, UP[state])
    },
  })
  return register
}
