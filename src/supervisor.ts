/**
 * Several processes behind one address, among which the kernel spreads the connections. This one starts another where one has died,
 * tells all of them what it is told, and answers for all of them on `management.listen`. It opens no room and no database.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'
import { createLog } from '#audit'
import type { Context } from '#cli'
import { type Millis, minutes, seconds, stopwatch } from '#core/clock'
import { parseDuration } from '#core/duration'
import { type HttpServer, tryAddress } from '#http'
import { conditionOfAll } from './condition.ts'
import { whyNotListening } from './listening.ts'
import { openManagement } from './management.ts'
import type { Stopping } from './stopping.ts'
import type { FromWorker, Told, ToWorker } from './worker-talk.ts'
import { type Claim, firstWords } from './workers.ts'

/** The one that takes the place of one that died waits so long, twice as long each time, and up to the longest. */
const FIRST_WAIT: Millis = 250
const LONGEST_WAIT: Millis = seconds(30)
/** Who lived so long did not die of its start. */
const LIVED: Millis = minutes(1)
/** Beyond what settings and requests in flight may take. */
const PATIENCE: Millis = seconds(20)
/** A worker that is asked how it is and says nothing: its event loop stands still. */
const ANSWERS_WITHIN: Millis = seconds(2)

const PROGRAM = join(import.meta.dirname, 'worker.js')

interface Place {
  readonly number: number
  process?: ChildProcess | undefined
  serving: boolean
  startedAt: Millis
  /** In a row, soon after their start. */
  deaths: number
  again?: NodeJS.Timeout | undefined
}

type Options = Pick<Context, 'settings' | 'folder' | 'out' | 'err'> & { workers: number; stopping: Stopping }

/** Resolves with the exit code once everything has ended. */
export async function supervise({ settings: given, folder, workers, stopping, out, err }: Options): Promise<number> {
  let settings = given
  const log = createLog({ level: settings.log.level })
  const places: Place[] = Array.from({ length: workers }, (_, i) => ({
    ...{ number: i + 1, serving: false, startedAt: 0, deaths: 0 },
  }))
  const questions = new Map<number, (answer: Told[keyof Told] | undefined) => void>()
  let asked = 0
  let ended = 0
  let over = false

  const tell = (to: ChildProcess, message: ToWorker) => {
    if (to.connected) to.send(message, () => {})
  }

  /** Resolves once it serves or has ended. */
  function start(place: Place): Promise<{ claim?: Claim; refused?: string }> {
    const process = fork(PROGRAM, [], { serialization: 'advanced' })
    Object.assign(place, { process, startedAt: stopwatch() })
    let refused: string | undefined
    return new Promise((resolve) => {
      process.on('message', (message: FromWorker) => {
        if (message.said === 'here')
          tell(process, { do: 'start', worker: { number: place.number, of: workers }, settings, folder })
        else if (message.said === 'serving') {
          place.serving = true
          log.info('worker-serving', { number: place.number, process: process.pid })
          resolve({ claim: message })
        } else if (message.said === 'refused') {
          refused = message.why
          log.error('worker-refused', { number: place.number, detail: message.why })
        } else {
          questions.get(message.question)?.(message.answer)
          questions.delete(message.question)
        }
      })
      // an end is told by `exit`; a channel that breaks before is no reason for us to break
      process.on('error', () => {})
      process.once('exit', (code, signal) => {
        Object.assign(place, { serving: false, process: undefined })
        ended++
        resolve(refused === undefined ? {} : { refused })
        if (over) return
        log.error('worker-ended', { number: place.number, code: code ?? undefined, signal: signal ?? undefined })
        startAgain(place)
      })
    })
  }

  function startAgain(place: Place): void {
    place.deaths = stopwatch() - place.startedAt < LIVED ? place.deaths + 1 : 1
    const wait = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** (place.deaths - 1))
    place.again = setTimeout(() => void start(place), wait)
  }

  /** What each worker answers that does. */
  async function askAll<K extends keyof Told>(what: K): Promise<Told[K][]> {
    const answers = places.map(({ process, serving }) => {
      if (!process || !serving) return undefined
      const question = ++asked
      const { promise, resolve } = Promise.withResolvers<Told[keyof Told] | undefined>()
      questions.set(question, resolve)
      const tooLong = setTimeout(() => {
        questions.delete(question)
        resolve(undefined)
      }, ANSWERS_WITHIN)
      tell(process, { do: 'tell', question, what })
      return promise.finally(() => clearTimeout(tooLong))
    })
    return (await Promise.all(answers)).filter((one) => one !== undefined) as Told[K][]
  }
  const serving = () => places.filter((place) => place.serving).length

  /** Everybody ends, those who do not by force. */
  async function end(): Promise<void> {
    over = true
    const living = places.flatMap(({ process, again }) => {
      clearTimeout(again)
      return process ?? []
    })
    const all = (message: ToWorker) => {
      for (const process of living) tell(process, message)
    }
    const gone = living.map((process) => new Promise((resolve) => process.once('exit', resolve)))
    stopping.hurry.addEventListener('abort', () => all({ do: 'stop', hurry: true }))
    all({ do: 'stop', hurry: stopping.hurry.aborted })
    const force = setTimeout(() => {
      for (const process of living) process.kill('SIGKILL')
    }, PATIENCE + parseDuration(settings.drain)!)
    await Promise.all(gone)
    clearTimeout(force)
  }

  let management: HttpServer
  try {
    // what only one program may have is found out before the kernel lets several of ours have it
    settings = { ...given, listen: await tryAddress(given.listen) }
    management = await openManagement({
      ...{ listen: settings.management.listen, log },
      async condition() {
        const { failing, ...more } = conditionOfAll(await askAll('condition'))
        return { failing: over ? ['stopping'] : failing, ...more, workers: { serving: serving(), wanted: workers } }
      },
      async metrics() {
        const { metricsOfAll } = await import('./metrics.ts')
        return metricsOfAll(await askAll('numbers'), { wanted: workers, serving: serving(), ended })
      },
    })
  } catch (error) {
    const why = whyNotListening(error, settings)
    if (why === undefined) throw error
    err(why)
    return 2
  }
  process.on('SIGHUP', () => {
    for (const { process } of places) if (process) tell(process, { do: 'reload' })
  })
  const stopped = stopping.told.then(() => 'stopped' as const)
  // alone: it makes the database, the master key and the keys where there are none, and says what is wrong once
  const first = await Promise.race([start(places[0]!), stopped])
  const failed = first !== 'stopped' && !first.claim && !over
  if (first !== 'stopped' && first.claim) {
    const others = Promise.all(places.slice(1).map(start))
    if ((await Promise.race([others, stopped])) !== 'stopped')
      for (const line of firstWords(settings.issuer, first.claim)) out(line)
    await stopping.told
  }
  await end()
  await management.close()
  if (!failed) return 0
  err(first.refused ?? 'the first process ended before it served')
  return 2
}
