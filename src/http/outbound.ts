/** The one door outwards: everything Portico fetches from somebody else's server goes through here. */
import { lookup as dnsLookup } from 'node:dns'
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import type { Millis } from '#core/clock'
import { Refusal } from '#core/refusal'
import { createNetworks, isSpecialUse, normaliseAddress } from './networks.ts'

export interface OutboundRequest {
  readonly method?: 'GET' | 'POST'
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** For the whole exchange; 5 s by default. */
  readonly timeout?: Millis
  /** Bytes of the answer's body; 64 KiB by default. More is an error, not a cut. */
  readonly limit?: number
}

export interface OutboundAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** The lines of `Set-Cookie`, which cannot be one text (RFC 6265 §3). */
  readonly setCookies: readonly string[]
  readonly body: string
}

export type Outbound = (url: string, request?: OutboundRequest) => Promise<OutboundAnswer>

const TIME_LIMIT = 5_000
const SIZE_LIMIT = 65_536

/**
 * ATTACK: server-side request forgery. The address is judged after resolution and the connection goes to the very
 * address that was judged, so a name cannot change its mind in between (DNS rebinding). Redirects are not followed.
 * Throws `Refusal('outbound-refused' | 'outbound-failed')`.
 */
export function createOutbound(allow: readonly string[]): Outbound {
  const allowed = createNetworks(allow)
  const mayReach = (address: string) => !isSpecialUse(address) || allowed.has(normaliseAddress(address) ?? '')

  const guardedLookup: LookupFunction = (hostname, options, callback) => {
    dnsLookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, '', 4)
      const fine = addresses.filter(({ address }) => mayReach(address))
      const first = fine[0]
      if (!first) return callback(Object.assign(new Error('address refused'), { code: 'OUTBOUND_REFUSED' }), '', 4)
      if (options.all) return callback(null, fine as never, first.family)
      callback(null, first.address, first.family)
    })
  }

  return (address, options = {}) =>
    new Promise((resolve, reject) => {
      const url = URL.parse(address)
      if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password) {
        reject(new Refusal('outbound-refused', 'address is no plain http or https url'))
        return
      }
      const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
      if (isIP(host) && !mayReach(host)) {
        reject(new Refusal('outbound-refused', 'address is in a special-use network'))
        return
      }
      const limit = options.limit ?? SIZE_LIMIT
      const send = url.protocol === 'https:' ? httpsRequest : httpRequest
      const request = send(
        url,
        {
          method: options.method ?? 'GET',
          headers: {
            ...options.headers,
            ...(options.body === undefined ? {} : { 'content-length': Buffer.byteLength(options.body) }),
          },
          lookup: guardedLookup,
          agent: false,
          signal: AbortSignal.timeout(options.timeout ?? TIME_LIMIT),
        },
        (response) => {
          const chunks: Buffer[] = []
          let size = 0
          response.on('data', (chunk: Buffer) => {
            size += chunk.length
            if (size > limit) request.destroy(new Error('answer is too large'))
            else chunks.push(chunk)
          })
          response.on('error', (cause) => reject(new Refusal('outbound-failed', 'answer broke off', { cause })))
          response.on('end', () => {
            // an answer that came in one piece has ended before destroying it could tell
            if (size > limit) return reject(new Refusal('outbound-failed', 'answer is too large'))
            const headers = Object.fromEntries(
              Object.entries(response.headers).map(([name, value]) => [name, String(value)]),
            )
            const setCookies = response.headers['set-cookie'] ?? []
            const body = Buffer.concat(chunks).toString('utf8')
            resolve({ status: response.statusCode ?? 0, headers, setCookies, body })
          })
        },
      )
      request.on('error', (cause: NodeJS.ErrnoException) => {
        const code = cause.code === 'OUTBOUND_REFUSED' ? 'outbound-refused' : 'outbound-failed'
        reject(new Refusal(code, 'request to another server', { cause }))
      })
      request.end(options.body)
    })
}
