/**
 * What is worth tokens once — a code, a refresh token, a device code, an answer from another screen — is spent at the end: when
 * everything it gives is written, by the last write before the answer. A request that breaks off has spent nothing and may
 * come again; a copy that runs beside it never sees half of it.
 *
 * INVARIANT: of any number of copies exactly one is answered with tokens: whose swap finds the thing as it was looked up.
 * One that had looked before and comes too late is refused and ends nothing, for what it could end are the tokens of an answer
 * that is on its way. One that looks when the thing is spent is a second use (RFC 6749 §4.1.2, RFC 9700 §4.14.2): the engine
 * ends the grant.
 */
import type { IncomingMessage } from 'node:http'

/** One thing that a request is about to spend. */
interface Redemption {
  /** False: somebody else has spent it. */
  spend(): Promise<boolean>
  /** What was issued for it, should it be for nothing. */
  readonly issued: (() => Promise<unknown>)[]
}

export interface Redemptions {
  /** The request redeems this: `settle` spends it. */
  begin(request: IncomingMessage, spend: Redemption['spend']): void
  /** Where the request redeems something: how to take back what it has just written for it. */
  issued(request: IncomingMessage, takeBack: () => Promise<unknown>): void
  /**
   * Spends what the request redeems, if anything. False: it came too late, what it wrote is taken back, and its answer must not
   * leave. To be called when nothing is left to do that could fail.
   */
  settle(request: IncomingMessage): Promise<boolean>
  /** The request had looked before the thing was spent, whatever it finds when it looks again. */
  tooLate(request: IncomingMessage): void
  isTooLate(request: IncomingMessage | undefined): boolean
}

export function createRedemptions(): Redemptions {
  const open = new WeakMap<IncomingMessage, Redemption>()
  const late = new WeakSet<IncomingMessage>()
  return {
    begin: (request, spend) => void open.set(request, { spend, issued: [] }),
    issued: (request, takeBack) => void open.get(request)?.issued.push(takeBack),
    async settle(request) {
      const redemption = open.get(request)
      open.delete(request)
      if (!redemption || (await redemption.spend())) return true
      for (const takeBack of redemption.issued) await takeBack()
      return false
    },
    tooLate: (request) => void late.add(request),
    isTooLate: (request) => request !== undefined && late.has(request),
  }
}
