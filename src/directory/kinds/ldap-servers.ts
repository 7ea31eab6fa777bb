/**
 * The servers of a directory, in the order of the settings. One that fails is asked last, for a time that grows; when each
 * has failed again and again, nobody waits for them any more until it is time to look again, and then one looks for all.
 */
import { type Clock, type Instant, type Millis, seconds } from '#core/clock'
import type { Log } from '#core/log'
import { randomNumber } from '#core/random'
import { Refusal } from '#core/refusal'
import type { DirectoryHealth } from '../kind.ts'
import { codeOf, type Server } from './ldap-connection.ts'

export interface Servers {
  /** Tries one after the other. Throws what the last one said; `DirectoryDown` where nobody was asked. */
  use<T>(work: (server: Server, index: number) => Promise<T>): Promise<T>
  /** The same, and each is asked, however often it failed: for who looks whether one is back. */
  look<T>(work: (server: Server, index: number) => Promise<T>): Promise<T>
  /** Whether one of them answered when it was asked last. */
  answers(): boolean
  health(): DirectoryHealth
}

interface Health {
  /** One after the other, without an answer between. */
  failures: number
  notBefore: Instant
  /** When it failed first, of those. */
  failing: Instant
}

const FIRST_WAIT: Millis = seconds(1)
const LONGEST_WAIT: Millis = seconds(60)
/** So many failures in a row, and nobody waits for it any more. */
const GIVEN_UP = 3
/** Where each has failed so often in a row, the directory is down: once may have been the one connection. */
const DOWN = 2
/** RFC 4511 appendix A.2: busy, unavailable. Every other result is an answer of a server that lives. */
const NO_ANSWER = new Set(['ldap-51', 'ldap-52'])

/** Said without a server having been asked. */
export class DirectoryDown extends Error {
  readonly code: string
  constructor(code: string) {
    super('directory is down')
    this.code = code
  }
}

export function createServers(
  servers: readonly Server[],
  { clock, log, directory }: { clock: Clock; log: Log; directory: string },
): Servers {
  const health = servers.map((): Health => ({ failures: 0, notBefore: 0, failing: 0 }))
  let said = 'unknown'
  /** When one of them answered last. */
  let lastAnswer: Instant | undefined

  /** Who may be asked now: those that answer first, then those that may be back, then those that failed just now. */
  function candidates(now: Instant): number[] {
    const all = servers.map((_, index) => index)
    const rank = (index: number) => {
      const { failures, notBefore } = health[index]!
      return failures === 0 ? 0 : notBefore <= now ? 1 : 2
    }
    return all
      .filter((index) => rank(index) < 2 || health[index]!.failures < GIVEN_UP)
      .sort((a, b) => rank(a) - rank(b) || a - b)
  }

  function failed(index: number, code: string): void {
    const one = health[index]!
    if (one.failures === 0) one.failing = clock.now()
    one.failures++
    // spread, so that many processes do not come back in the same moment
    const wait = Math.min(FIRST_WAIT * 2 ** (one.failures - 1), LONGEST_WAIT) * (0.75 + (randomNumber() % 512) / 1024)
    one.notBefore = clock.now() + wait
    said = code
    if (one.failures === 1) log.warn('directory-server-down', { directory, server: index + 1, code })
  }

  function answered(index: number): void {
    const one = health[index]!
    if (one.failures > 0) log.info('directory-server-up', { directory, server: index + 1 })
    one.failures = 0
    one.notBefore = 0
    lastAnswer = clock.now()
  }

  async function askInTurn<T>(
    order: readonly number[],
    work: (server: Server, index: number) => Promise<T>,
  ): Promise<T> {
    let last: unknown
    for (const index of order) {
      const { failures } = health[index]!
      // whoever looks whether it is back looks for all
      if (failures >= GIVEN_UP) health[index]!.notBefore = clock.now() + servers[index]!.timeout
      try {
        const result = await work(servers[index]!, index)
        answered(index)
        return result
      } catch (error) {
        const code = codeOf(error)
        // a conclusion of ours from what a server answered, which another one would answer as well
        if (error instanceof Refusal) {
          answered(index)
          throw error
        }
        if (code.startsWith('ldap-') && !NO_ANSWER.has(code)) {
          answered(index)
          throw error
        }
        failed(index, code)
        last = error
      }
    }
    throw last
  }

  return {
    async use(work) {
      const order = candidates(clock.now())
      if (order.length === 0) throw new DirectoryDown(said)
      return askInTurn(order, work)
    },
    look: (work) => {
      const all = servers.map((_, index) => index)
      return askInTurn(
        all.sort((a, b) => health[a]!.failures - health[b]!.failures || a - b),
        work,
      )
    },
    answers: () => lastAnswer !== undefined && health.some(({ failures }) => failures === 0),
    health() {
      const down = health.every(({ failures }) => failures >= DOWN)
      if (down) return { state: 'down', since: Math.min(...health.map(({ failing }) => failing)), code: said }
      return lastAnswer === undefined ? { state: 'unknown' } : { state: 'up' }
    },
  }
}
