/**
 * An app signs somebody out whose session began at another provider: the browser goes there in between, and comes back to our
 * sign-out page, the one address that the provider knows. Where the app wants it is kept here until then, for this browser: not
 * every provider hands back what it was given (`state`, `RelayState`).
 */
import { minutes } from '#core/clock'
import { sha256 } from '#core/digest'
import { randomId } from '#core/random'
import type { PageRequest, SetCookie } from '#http'
import type { State } from '#storage'

export interface SignOutReturn {
  /** `address` is one that the app has registered. Answers the cookie by which the browser finds it again. */
  keep(address: string): Promise<SetCookie>
  /** Where the browser goes when it comes back now; undefined where nothing is kept for it. */
  find(request: Pick<PageRequest, 'cookies'>): Promise<string | undefined>
  /** The same, once: nothing is kept any more. */
  take(request: Pick<PageRequest, 'cookies'>): Promise<string | undefined>
  /** Takes the cookie back. */
  readonly gone: SetCookie
}

const COOKIE = 'portico-signed-out'
/** The provider may ask whether that is meant. */
const LONGEST = minutes(10)
const TICKET = /^[A-Za-z0-9_-]{20,64}$/

export function createSignOutReturn(state: State): SignOutReturn {
  const key = (ticket: string) => `sign-out-return:${sha256(ticket)}`
  const ticketOf = ({ cookies }: Pick<PageRequest, 'cookies'>): string | undefined => {
    const ticket = cookies.get(COOKIE)
    return ticket !== undefined && TICKET.test(ticket) ? ticket : undefined
  }
  return {
    async keep(address) {
      const ticket = randomId(32)
      await state.set(key(ticket), address, { ttl: LONGEST })
      return { name: COOKIE, value: ticket, maxAge: LONGEST / 1000 }
    },
    async find(request) {
      const ticket = ticketOf(request)
      return ticket === undefined ? undefined : state.get(key(ticket))
    },
    async take(request) {
      const ticket = ticketOf(request)
      return ticket === undefined ? undefined : state.take(key(ticket))
    },
    gone: { name: COOKIE, value: '' },
  }
}
