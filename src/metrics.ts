/** What /metrics shows, in the format of Prometheus. */
import { AggregatorRegistry, Counter, collectDefaultMetrics, Gauge, type Metric, Registry } from 'prom-client'
import type { Access } from '#access'
import type { Clock } from '#core/clock'
import type { DirectoryState, People } from '#directory'
import type { Outbox } from '#sessions'
import type { ConnectionLoad, Storage } from '#storage'
import type { Counted, Counts } from './counts.ts'
import { BOUNDS, type FlowTime, type FlowTimes } from './flow-times.ts'
import type { Leader } from './leader.ts'

export interface Measured {
  /** Of the password queue. */
  load(): { done: number; running: number; waiting: number }
  directories(): readonly DirectoryState[]
  leads(): boolean
  /** Of the answers since the start. */
  times(): readonly FlowTime[]
  /** Outcomes of questions since the start. */
  decided(): Readonly<Record<string, number>>
  /** Refusals since the start, by door and code. */
  refused(): readonly Counted[]
  /** Pages that asked for a factor, since the start, by factor. */
  prompted(): readonly Counted[]
  connections(): ConnectionLoad | undefined
  /** Sign-outs that apps have yet to hear of, and for how long the first of them has waited. */
  outbox(): Promise<{ waiting: number; oldestSeconds: number }>
}

/** What a probe or a graph shows of a directory. */
const UP: Readonly<Record<DirectoryState['state'], number | undefined>> = {
  up: 1,
  returning: 1,
  down: 0,
  unknown: undefined,
}

export type Numbers = Awaited<ReturnType<Registry['getMetricsAsJSON']>>

export interface Workers {
  readonly wanted: number
  readonly serving: number
  /** Since the start, those that were told to among them. */
  readonly ended: number
}

/** What each process finds in the same database is told once: there is nothing to add up. */
const SHARED: readonly string[] = ['portico_sign_outs_waiting', 'portico_sign_outs_oldest_seconds']

/** Numbers of several processes, each already labelled with its `worker`, and how many of them there are. */
export async function metricsOfAll(
  all: readonly Numbers[],
  { wanted, serving, ended }: Workers,
): Promise<{ readonly text: string; readonly contentType: string }> {
  // the labels differ, so there is nothing to add up, and nothing is left out
  const each = all.map((metrics) =>
    metrics.filter(({ name }) => !SHARED.includes(name)).map((metric) => ({ ...metric, aggregator: 'first' as const })),
  )
  const register = AggregatorRegistry.aggregate(each)
  const workers = new Gauge({
    name: 'portico_workers',
    help: 'Processes that serve, and how many there should be',
    labelNames: ['state'],
    registers: [register],
  })
  workers.set({ state: 'serving' }, serving)
  workers.set({ state: 'wanted' }, wanted)
  new Gauge({ name: 'portico_worker_ends', help: 'Processes that ended since the start', registers: [register] }).set(
    ended,
  )
  for (const name of SHARED)
    toldOnce(
      register,
      all.flatMap((metrics) => metrics.filter((one) => one.name === name)),
    )
  return { text: await register.metrics(), contentType: register.contentType }
}

/** Of a process that has just begun nothing is known yet. */
function toldOnce(register: ReturnType<typeof AggregatorRegistry.aggregate>, told: Numbers): void {
  const [first] = told
  if (!first) return
  const known = told.flatMap(({ values }) => values.map(({ value }) => value)).filter((value) => !Number.isNaN(value))
  const { name, help } = first
  new Gauge({ name, help, registers: [register] }).set(known.length === 0 ? Number.NaN : Math.max(...known))
}

export interface MeasuredRooms {
  readonly people: Pick<People, 'load' | 'states'>
  readonly access: Pick<Access, 'decided'>
  readonly outbox: Pick<Outbox, 'pending' | 'oldest'>
  readonly clock: Clock
  readonly leader: Pick<Leader, 'leads'>
  readonly times: FlowTimes
  readonly storage: Pick<Storage, 'load'>
  /** By door and code. */
  readonly refusals: Pick<Counts, 'read'>
  /** By factor. */
  readonly prompts: Pick<Counts, 'read'>
}

export function measuredOf(rooms: MeasuredRooms): Measured {
  const { people, access, outbox, clock, leader, times, storage, refusals, prompts } = rooms
  return {
    ...{ load: people.load, directories: people.states, leads: leader.leads, times: times.read },
    ...{ decided: access.decided, refused: refusals.read, prompted: prompts.read, connections: storage.load },
    async outbox() {
      const [waiting, since] = await Promise.all([outbox.pending(), outbox.oldest()])
      return { waiting, oldestSeconds: since === undefined ? 0 : (clock.now() - since) / 1000 }
    },
  }
}

/** `worker`: the number of this process, where it is one of several. */
export function registerOf(measured: Measured, worker?: number): Registry {
  const { load, directories, leads, times, decided, refused, prompted, connections, outbox } = measured
  const register = new Registry()
  if (worker !== undefined) register.setDefaultLabels({ worker: String(worker) })
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
  register.registerMetric(answerTimes(times))
  const outcomes = () => Object.entries(decided()).map(([outcome, count]) => ({ values: [outcome], count }))
  countedBy(register, 'portico_decisions_total', 'What policies said to a question', ['outcome'], outcomes)
  countedBy(register, 'portico_refusals_total', 'Refusals, by door and by code', ['door', 'code'], refused)
  countedBy(register, 'portico_prompts_total', 'Pages that asked for a factor', ['factor'], prompted)
  signOuts(register, outbox)
  new Gauge({
    name: 'portico_database_connections',
    help: 'Connections to PostgreSQL, and what waits for one or for the turn of its transaction',
    labelNames: ['state'],
    registers: [register],
    collect() {
      for (const [state, count] of Object.entries(connections() ?? {})) this.set({ state }, count)
    },
  })
  new Gauge({
    name: 'portico_leader',
    help: 'Whether this process does what one of all processes does',
    registers: [register],
    collect() {
      this.set(leads() ? 1 : 0)
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

function countedBy(
  register: Registry,
  name: string,
  help: string,
  labelNames: string[],
  counts: () => readonly Counted[],
): void {
  new Counter({
    ...{ name, help, labelNames, registers: [register] },
    collect() {
      this.reset()
      for (const { values, count } of counts())
        this.inc(Object.fromEntries(labelNames.map((label, at) => [label, values[at]!])), count)
    },
  })
}

/**
 * Each answer tells what was found after the one before it: whoever graphs a database that does not answer does not wait for it. Before
 * the first look, and after one that failed, it is no number.
 */
function signOuts(register: Registry, look: Measured['outbox']): void {
  const unknown = { waiting: Number.NaN, oldestSeconds: Number.NaN }
  let found = unknown
  let looking = false
  const again = async () => {
    if (looking) return
    looking = true
    found = await look().catch(() => unknown)
    looking = false
  }
  new Gauge({
    ...{ name: 'portico_sign_outs_waiting', help: 'Sign-outs that apps have yet to hear of', registers: [register] },
    collect() {
      this.set(found.waiting)
      void again()
    },
  })
  new Gauge({
    ...{
      name: 'portico_sign_outs_oldest_seconds',
      help: 'How long the first of them has waited',
      registers: [register],
    },
    collect() {
      this.set(found.oldestSeconds)
    },
  })
}

/** A histogram of what was counted elsewhere: those of prom-client count by themselves. */
function answerTimes(times: Measured['times']): Metric {
  const name = 'portico_answer_seconds'
  const about = { name, help: 'How long answers took, by flow and outcome', type: 'histogram', aggregator: 'sum' }
  const get = async () => ({
    ...about,
    values: times().flatMap(({ flow, outcome, count, sum, within }) => {
      const labels = { flow, outcome }
      const bucket = (le: number | string, value: number) => ({
        ...{ metricName: `${name}_bucket`, labels: { ...labels, le }, value },
      })
      return [
        ...within.map((value, at) => bucket(BOUNDS[at]!, value)),
        bucket('+Inf', count),
        { metricName: `${name}_sum`, labels, value: sum },
        { metricName: `${name}_count`, labels, value: count },
      ]
    }),
  })
  return { ...about, get } as unknown as Metric
}
