/**
 * Whether a provider answers, seen from what it is asked for: its document or metadata, pushed requests, tokens. Whoever
 * is sent there meets a page of its own, so nothing is known of that.
 *
 *     answers → one question fails: doubted, looked at soon → a look fails as well: down → a look is answered
 */
import { type Clock, type Instant, type Millis, seconds } from '#core/clock'
import { randomNumber } from '#core/random'
import { Refusal } from '#core/refusal'
import type { Outbound } from '#http'
import type { DirectoryHealth } from '../kind.ts'

export interface Reach {
  /** The door outwards for one request to the provider. What it comes to is remembered. */
  readonly outbound: Outbound
  /**
   * Finding the provider itself. Nobody waits for one that does not answer while others have just waited in vain: the work
   * is left out, for a time that grows. Throws `directory-unavailable`.
   */
  find<T>(work: () => Promise<T>): Promise<T>
  health(): DirectoryHealth
  /** A short look, for somebody who only wants to leave. Throws `directory-unavailable`. */
  answers(): Promise<void>
  /** Asks it, however often it failed, and answers whether it answers. Never throws. */
  look(): Promise<boolean>
}

interface Parts {
  readonly directory: string
  readonly outbound: Outbound
  readonly clock: Clock
  readonly timeout: Millis
  /** The smallest question that the provider has to answer: the text in which it names its addresses. Throws what is wrong. */
  readonly ask: (within: Millis) => Promise<string>
}

const FIRST_WAIT = seconds(1)
const LONGEST_WAIT = seconds(60)
/** So long somebody waits who only wants to leave. */
const SHORT_LOOK = seconds(2)
/** Addresses that gave no answer and are looked at again; a provider names no more. */
const MOST_ADDRESSES = 4
const ANSWER_LIMIT = 256 * 1024

export function createReach({ directory, outbound, clock, timeout, ask }: Parts): Reach {
  const unavailable = (cause: unknown) =>
    new Refusal('directory-unavailable', `directory ${directory}: provider cannot be asked`, { cause })
  /** Addresses without their queries. */
  const silent = new Set<string>()
  let answered = false
  /** Looks in a row that failed, after the first failure that was met. */
  let missed = 0
  let failing: { readonly since: Instant; readonly code: string } | undefined
  let waits = 0
  let waitUntil: Instant = 0

  const notAnswered = (cause: unknown): void => {
    failing ??= { since: clock.now(), code: codeOf(cause) }
  }

  function wait(): void {
    // of many who wait for the same answer one is enough
    if (clock.now() < waitUntil) return
    const length = Math.min(FIRST_WAIT * 2 ** waits++, LONGEST_WAIT)
    // spread, so that many processes do not come back in the same moment
    waitUntil = clock.now() + length * (0.75 + (randomNumber() % 512) / 1024)
  }

  function found(): void {
    answered = true
    waits = 0
    waitUntil = 0
    if (missed === 0 && silent.size === 0) failing = undefined
  }

  return {
    async outbound(url, request) {
      const address = withoutQuery(url)
      try {
        const answer = await outbound(url, request)
        if (answer.status < 500) {
          silent.delete(address)
          found()
          return answer
        }
        // RFC 9110 §15.6: it says itself that it cannot
        throw new Error(`status ${answer.status}`)
      } catch (cause) {
        if (silent.size < MOST_ADDRESSES) silent.add(address)
        notAnswered(cause)
        throw unavailable(cause)
      }
    },

    async find(work) {
      if (clock.now() < waitUntil) throw unavailable(new Error('asked again and again without an answer'))
      try {
        const result = await work()
        found()
        return result
      } catch (cause) {
        wait()
        notAnswered(cause)
        throw cause instanceof Refusal && cause.code === 'directory-unavailable' ? cause : unavailable(cause)
      }
    },

    async answers() {
      if (clock.now() < waitUntil) throw unavailable(new Error('asked again and again without an answer'))
      try {
        await ask(Math.min(timeout, SHORT_LOOK))
      } catch (cause) {
        notAnswered(cause)
        throw unavailable(cause)
      }
    },

    async look() {
      try {
        const named = await ask(timeout)
        // one that has moved is where it says now, and what is left of the old place holds nobody up
        for (const address of silent) if (!isNamed(address, named)) silent.delete(address)
        // exactly what failed is asked again: a provider may have several servers behind its addresses
        for (const address of [...silent]) {
          const { status } = await outbound(address, { timeout, limit: ANSWER_LIMIT })
          // RFC 9110 §15.6.2: whoever does not know the method is there
          if (status >= 500 && status !== 501) throw new Error(`status ${status}`)
          silent.delete(address)
        }
        missed = 0
        found()
        return true
      } catch (cause) {
        // with the failure that was met before it is the second one; without, it may have been the one connection
        missed += failing === undefined ? 0 : 1
        notAnswered(cause)
        return false
      }
    },

    health() {
      if (failing && missed > 0) return { state: 'down', ...failing }
      // INVARIANT: one that has never answered this process is not up, or a restart in an outage would end it
      const state = answered ? 'up' : 'unknown'
      return failing ? { state, doubted: true } : { state }
    },
  }
}

/** As a whole: in JSON and in XML it ends with a quote, or with its query. */
const isNamed = (address: string, text: string): boolean =>
  ['"', "'", '?', '#', '<'].some((end) => text.includes(address + end))

const withoutQuery = (url: string): string => url.split(/[?#]/)[0]!

/** What went wrong in one word: `ECONNREFUSED`, `outbound-failed`, `status-503`. */
function codeOf(error: unknown): string {
  const causes: Error[] = []
  for (let one = error; one instanceof Error && causes.length < 5; one = one.cause) causes.push(one)
  const code = causes.findLast((one) => 'code' in one && typeof one.code === 'string') as { code: string } | undefined
  return (
    code?.code ??
    causes
      .at(-1)
      ?.message.match(/^status \d{3}$/)?.[0]
      .replace(' ', '-') ??
    'no-answer'
  )
}
