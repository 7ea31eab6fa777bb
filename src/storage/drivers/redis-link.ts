/**
 * The connections to the primary: one that writes, and waits for replicas, and one that reads meanwhile. Both lead to the
 * same start of the same server, or neither is used: what was written by one would otherwise be unknown to the other.
 *
 * Writes of one turn are confirmed together, as the writes of SQLite share a COMMIT: one `WAIT` after the last of them.
 * Nothing is queued and nothing sent twice: where there is no server fit for it, whoever asks is refused at once.
 *
 * INVARIANT: a promise given out here resolves only after as many replicas as asked for have confirmed the write; within a
 * unit of work (`unit.ts`) it is the unit that waits, once for all of its writes.
 */
import type { Millis } from '#core/clock'
import type { Log } from '#core/log'
import { Refusal } from '#core/refusal'
import { carriedBy, currentUnit, type Unit } from '../unit.ts'
import { isAnswer, isElsewhere, isForGood, isUnknownScript, translated, whyUnreachable } from './redis-errors.ts'
import { type Facts, judge } from './redis-fitness.ts'
import { ROOT, SCRIPTS, type ScriptName } from './redis-scripts.ts'

/** What we use of a connection that finds its server, and finds it again, by itself. */
export interface Connection {
  readonly status: string
  call(command: string, ...values: string[]): Promise<unknown>
  connect(): Promise<void>
  /** With `true` it comes back, to whatever is the primary then. */
  disconnect(again?: boolean): void
  on(event: 'ready' | 'close' | 'end', listener: () => void): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
}

export interface LinkOptions {
  readonly kind: 'single' | 'sentinel' | 'cluster'
  /** So many replicas confirm each write. */
  readonly replicas: number
  readonly log: Log
  connect(): Connection
}

/** A replica that has not confirmed after so long is not waited for. */
const CONFIRMED_WITHIN: Millis = 1000
/** For the first connection; later ones are tried for ever. */
const OPENED_WITHIN: Millis = 10_000
const AGAIN: Millis = 1000

interface Answer {
  readonly settle: () => void
  readonly reject: (error: unknown) => void
}

interface Line {
  readonly connection: Connection
  /** What is known of the server at its end, while it is connected. */
  facts?: Facts | undefined
}

export class RedisLink {
  readonly #options: LinkOptions
  readonly #writing: Line
  readonly #reading: Line
  readonly #digests = new Map<ScriptName, string>()
  #why = 'Redis cannot be reached'
  #told = ''
  #answers: Answer[] = []
  /** Stands for the `WAIT` to come; a new one for each group of writes. */
  #group: object | undefined
  #opening: (() => void) | undefined
  #closed = false

  constructor(options: LinkOptions) {
    this.#options = options
    this.#writing = this.#line()
    this.#reading = this.#line()
  }

  /** Resolves once both connections are in use. Throws `Refusal('storage-unavailable')` with a sentence for the operator. */
  async open(): Promise<void> {
    const { promise: inTime, resolve } = Promise.withResolvers<void>()
    this.#opening = resolve
    const timer = setTimeout(resolve, OPENED_WITHIN)
    for (const line of [this.#writing, this.#reading]) this.#begin(line)
    await inTime
    clearTimeout(timer)
    this.#opening = undefined
    if (this.#usable) return
    const why = this.#why
    await this.close()
    throw new Refusal('storage-unavailable', `state.url: ${why}`)
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#why = 'the storage is closed'
    // what is on its way is answered first
    await Promise.allSettled(
      [this.#writing, this.#reading].map(({ connection }) =>
        connection.status === 'ready' ? connection.call('PING') : undefined,
      ),
    )
    for (const { connection } of [this.#writing, this.#reading]) connection.disconnect()
  }

  /** A command that changes nothing. */
  async read<T>(command: string, ...values: string[]): Promise<T> {
    return (await this.#ask(this.#reading, () => this.#reading.connection.call(command, ...values))) as T
  }

  /** A script that changes nothing. */
  async look<T>(name: ScriptName, ...values: string[]): Promise<T> {
    return (await this.#run(this.#reading, name, values)) as T
  }

  /** A script that writes. Within a unit it resolves once it was executed, otherwise once it is confirmed. */
  async write<T>(name: ScriptName, ...values: string[]): Promise<T> {
    const unit = currentUnit()
    if (unit?.failure !== undefined) throw unit.failure
    let confirmed: Promise<void> | undefined
    const written = await this.#run(this.#writing, name, values, () => {
      confirmed = this.#confirmed(unit)
      // whoever hears that the script failed does not wait for this
      confirmed?.catch(() => {})
    })
    await confirmed
    return written as T
  }

  get #usable(): boolean {
    const [one, other] = [this.#writing.facts, this.#reading.facts]
    return !this.#closed && one !== undefined && other !== undefined && one.run === other.run && one.unfit === undefined
  }

  async #ask(line: Line, send: () => Promise<unknown>): Promise<unknown> {
    if (!this.#usable) throw new Refusal('storage-unavailable', this.#why)
    try {
      return await send()
    } catch (error) {
      if (isElsewhere(error)) this.#leave(line)
      throw translated(error)
    }
  }

  /** `sent` is called each time that something was sent: what comes after it on the same connection covers it. */
  async #run(line: Line, name: ScriptName, values: readonly string[], sent = () => {}): Promise<unknown> {
    const send = (how: 'EVALSHA' | 'EVAL', script: string) => {
      const answer = line.connection.call(how, script, '1', ROOT, ...values)
      sent()
      return answer
    }
    return this.#ask(line, async () => {
      try {
        return await send('EVALSHA', this.#digests.get(name)!)
      } catch (error) {
        if (!isUnknownScript(error)) throw error
        return send('EVAL', SCRIPTS[name])
      }
    })
  }

  /** Nothing to wait for where no replica is asked for, or where a unit waits. */
  #confirmed(unit: Unit | undefined): Promise<void> | undefined {
    if (this.#options.replicas === 0) return undefined
    if (!this.#group) {
      this.#group = {}
      setImmediate(() => void this.#confirm())
    }
    if (unit) {
      const answer = carriedBy(unit, this.#group)
      if (answer) this.#answers.push(answer)
      return undefined
    }
    return new Promise((settle, reject) => this.#answers.push({ settle, reject }))
  }

  async #confirm(): Promise<void> {
    const answers = this.#answers
    this.#answers = []
    this.#group = undefined
    const { replicas } = this.#options
    try {
      const wait = () => this.#writing.connection.call('WAIT', String(replicas), String(CONFIRMED_WITHIN))
      const confirmedBy = Number(await this.#ask(this.#writing, wait))
      if (confirmedBy < replicas)
        throw new Refusal(
          'storage-unavailable',
          `only ${confirmedBy} of ${replicas} replicas of Redis have confirmed a write`,
        )
      for (const { settle } of answers) settle()
    } catch (error) {
      for (const { reject } of answers) reject(error)
    }
  }

  #line(): Line {
    const line: Line = { connection: this.#options.connect() }
    line.connection.on('ready', () => void this.#check(line))
    line.connection.on('close', () => {
      if (line.facts !== undefined) this.#why = 'the connection to Redis was lost'
      line.facts = undefined
      this.#say()
    })
    // what the library itself takes for the end is none for us
    line.connection.on('end', () => {
      if (!this.#closed) setTimeout(() => this.#begin(line), AGAIN).unref()
    })
    line.connection.on('error', (error) => {
      if (!this.#usable) this.#why = whyUnreachable(error)
      this.#say()
      if (isForGood(error)) this.#opening?.()
    })
    return line
  }

  #begin({ connection }: Line): void {
    if (!this.#closed) connection.connect().catch(() => {})
  }

  /** Asked anew on each connection: after a failover it is another server. */
  async #check(line: Line): Promise<void> {
    try {
      const facts = judge(String(await line.connection.call('INFO')), this.#options.kind, this.#options.replicas)
      if (facts.unfit !== undefined) {
        this.#why = `this Redis ${facts.unfit}`
        this.#say()
        this.#leave(line)
        // a server that starts says so at once; one that runs tries again until it is mended
        this.#opening?.()
        return
      }
      const load = async ([name, script]: [string, string]) =>
        this.#digests.set(name as ScriptName, String(await line.connection.call('SCRIPT', 'LOAD', script)))
      await Promise.all(Object.entries(SCRIPTS).map(load))
      line.facts = facts
      const other = line === this.#writing ? this.#reading : this.#writing
      // one of the two was left behind at what is no primary any more, or is not the only one
      if (other.facts !== undefined && other.facts.run !== facts.run)
        for (const each of [line, other]) this.#leave(each)
      // until then the other one is still on its way
      if (this.#usable) this.#say()
    } catch (error) {
      // a connection that ended meanwhile has said why
      if (isAnswer(error)) this.#why = whyUnreachable(error)
      this.#leave(line)
    }
  }

  #leave(line: Line): void {
    line.facts = undefined
    if (!this.#closed) line.connection.disconnect(true)
  }

  /** Tells the log when that changes, and whoever waits for the opening. */
  #say(): void {
    if (this.#closed) return
    const usable = this.#usable
    const now = usable ? 'usable' : this.#why
    if (now === this.#told) return
    this.#told = now
    const { log } = this.#options
    if (!usable) {
      log.warn('state-unavailable', { reason: now })
      return
    }
    log.info('state-available', {})
    for (const doubt of this.#writing.facts!.doubts) log.warn('state-doubtful', { reason: doubt })
    this.#opening?.()
  }
}
