/**
 * What a running server sees of a request that comes through whatever stands in front of it: told to `portico doctor` alone, who
 * proves by a ticket that it is at home in the same storage.
 *
 * ATTACK: a stranger must learn nothing here about the proxies, nor where from they are seen themselves. A ticket is a random
 * name in the storage of short-lived state, good once and for a minute; without one the path is one that there is not.
 */
import type { IncomingMessage } from 'node:http'
import { minutes } from '#core/clock'
import { randomId } from '#core/random'
import { Refusal } from '#core/refusal'
import { type BareHandler, normaliseAddress, requestContext } from '#http'
import type { Storage } from '#storage'

export interface Seen {
  /** Whoever connects to the server: the last proxy, where there is one. */
  readonly peer: string
  /** For whom the server takes whoever asks. */
  readonly address: string
  /** `X-Forwarded-For`, and so on, as they came. */
  readonly told: Readonly<Partial<Record<(typeof TOLD)[number], string>>>
}

const TOLD = ['forwarded', 'x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'host'] as const
const PREFIX = '/doctor/'
const TICKET_BYTES = 32
const TICKET = /^[\w-]{43}$/
const keyOf = (ticket: string): string => `doctor-ticket:${ticket}`

/** Where to ask once. */
export async function writeTicket({ state }: Pick<Storage, 'state'>): Promise<string> {
  const ticket = randomId(TICKET_BYTES)
  await state.set(keyOf(ticket), 'look', { ttl: minutes(1) })
  return `${PREFIX}${ticket}`
}

export function doctorDoor({ state }: Pick<Storage, 'state'>): BareHandler {
  return {
    prefix: PREFIX,
    async answer(request) {
      const ticket = request.url?.slice(PREFIX.length) ?? ''
      if (request.method !== 'GET' || !TICKET.test(ticket)) throw new Refusal('not-found')
      if ((await state.take(keyOf(ticket))) === undefined) throw new Refusal('not-found')
      const headers = { 'content-type': 'application/json', 'cache-control': 'no-store' }
      return { status: 200, headers, body: JSON.stringify(seenOf(request)) }
    },
  }
}

function seenOf(request: IncomingMessage): Seen {
  const { headers, socket } = request
  const told = TOLD.flatMap((name) => (headers[name] === undefined ? [] : [[name, String(headers[name])]]))
  const peer = normaliseAddress(socket.remoteAddress) ?? ''
  return { peer, address: requestContext(request).address, told: Object.fromEntries(told) }
}
