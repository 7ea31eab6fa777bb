/**
 * Password hashes, argon2id (RFC 9106), behind one bounded fair queue. Four at once on one core thrash its cache and
 * serve a third of the people; so one per core, and who would wait too long is told to come back.
 */
import { availableParallelism } from 'node:os'
import { type Algorithm, hash as argon2, verify as argon2Verify, parseOptions } from '@node-rs/argon2'
import { type Clock, type Millis, seconds } from '#core/clock'
import { randomBytes } from '#core/random'
import { Refusal } from '#core/refusal'
import { createHashThreads, type HashThreads } from './hash-threads.ts'
import { createQueue } from './queue.ts'

/** OWASP's first choice: 19 MiB, two passes, one lane. */
const COST = Object.freeze({ memoryCost: 19_456, timeCost: 2, parallelism: 1, outputLen: 32 })
// the enum is ambient, so its value must be written out: 2 is Argon2id
const ARGON2ID = 2 as Algorithm

export interface HashingOptions {
  readonly clock: Clock
  /** Hashes at the same time; one per core by default, with several processes their share of the cores. */
  readonly places?: number
  /** So many share the cores of this machine; one unless given. */
  readonly processes?: number
  /** A process that answers people meanwhile has threads of its own for hashes, which step back. */
  readonly ownThreads?: boolean
  /** How many may wait, 2,000 by default. */
  readonly waiting?: number
  /** How long one may wait, 10 s by default. */
  readonly deadline?: Millis
}

export interface Hashing {
  /** A PHC string. `line`: with whom it waits, as `Queue.run` says. Throws `overloaded`. */
  hash(password: string, line?: string): Promise<string>
  /** Throws `overloaded`. An unreadable PHC string is compared with nobody's hash and false, at the same cost. */
  verify(phc: string | undefined, password: string, line?: string): Promise<boolean>
  /** Whether the string was made with another algorithm or another cost than today's. */
  outdated(phc: string): boolean
  readonly places: number
  /** For metrics: hashes finished since the start, running now, waiting now. */
  load(): { done: number; running: number; waiting: number }
  /** Whoever waits is refused nothing and answered nothing: for the end of a process. */
  close(): Promise<void>
}

/** Those that Node shares out. */
const SHARED: HashThreads = { hash: argon2, verify: argon2Verify, close: async () => undefined }

export function createHashing(options: HashingOptions): Hashing {
  const threads = options.ownThreads ? createHashThreads() : SHARED
  const places = options.places ?? Math.max(1, Math.floor(availableParallelism() / (options.processes ?? 1)))
  const queue = createQueue({
    clock: options.clock,
    places,
    waiting: options.waiting ?? 2_000,
    deadline: options.deadline ?? seconds(10),
    refuse: (reason) => new Refusal('overloaded', `password hashing: ${reason}`, { retryAfter: 2 }),
  })
  let done = 0
  const counted = <T>(work: () => Promise<T>, line: string | undefined): Promise<T> =>
    queue.run(async () => {
      const result = await work()
      done++
      return result
    }, line)
  const hash = (password: string) => threads.hash(password, { ...COST, algorithm: ARGON2ID, salt: randomBytes(16) })
  /** What unknown people are compared with, at today's cost: nobody knows a password that gives these 32 random bytes. */
  const nobody = `$argon2id$v=19$m=${COST.memoryCost},t=${COST.timeCost},p=${COST.parallelism}$${phcBytes(16)}$${phcBytes(COST.outputLen)}`

  return Object.freeze({
    places,
    hash: (password: string, line?: string) => counted(() => hash(password), line),
    verify: (phc: string | undefined, password: string, line?: string) =>
      counted(async () => {
        const readable = phc !== undefined && costOf(phc) !== undefined
        const equal = await threads.verify(readable ? phc : nobody, password)
        return readable && equal
      }, line),
    outdated(phc: string) {
      const cost = costOf(phc)
      return (
        !cost ||
        !(Object.keys(COST) as (keyof typeof COST)[]).every((key) => cost[key] === COST[key]) ||
        cost.algorithm !== ARGON2ID
      )
    },
    load: () => ({ done, running: queue.running, waiting: queue.waiting }),
    close: threads.close,
  })
}

/** The base64 of PHC strings has no padding. */
const phcBytes = (length: number): string => randomBytes(length).toString('base64').replaceAll('=', '')

function costOf(phc: string): ReturnType<typeof parseOptions> | undefined {
  try {
    return parseOptions(phc)
  } catch {
    return undefined
  }
}
