/** What a client asks of an LDAP server, read from the bytes of a connection in plain text (RFC 4511 §4.1.1). */
import type { TcpProxy } from './tcp-proxy.ts'

const OPERATIONS: Readonly<Record<number, string>> = {
  96: 'bind',
  66: 'unbind',
  99: 'search',
  102: 'modify',
  119: 'extended',
  80: 'abandon',
}

export interface LdapTraffic {
  /** In the order in which they were sent. */
  readonly requests: readonly string[]
  /** How often the client had to wait for an answer before it could go on: requests sent side by side are one. */
  readonly roundTrips: number
}

/** Counts from now on, until the next call. The proxy should delay a little, or what is sent side by side may not be seen so. */
export function watchLdap(proxy: TcpProxy): () => LdapTraffic {
  let requests: string[] = []
  let roundTrips = 0
  let answered = true
  const rest = new Map<number, Buffer>()
  proxy.watch((data, direction, connection) => {
    if (direction === 'to-client') {
      answered = true
      return
    }
    if (answered) roundTrips++
    answered = false
    let bytes = Buffer.concat([rest.get(connection) ?? Buffer.alloc(0), data])
    for (let message = messageIn(bytes); message; message = messageIn(bytes)) {
      // sequence, then the number of the message, then the operation
      const inner = bytes.subarray(message.head, message.end)
      requests.push(OPERATIONS[inner[2 + inner[1]!]!] ?? 'other')
      bytes = bytes.subarray(message.end)
    }
    rest.set(connection, bytes)
  })
  return () => {
    const seen = { requests, roundTrips }
    requests = []
    roundTrips = 0
    answered = true
    return seen
  }
}

/** Definite lengths only (RFC 4511 §5.1). */
function messageIn(bytes: Buffer): { head: number; end: number } | undefined {
  if (bytes.length < 2) return undefined
  const long = bytes[1]! > 0x7f ? bytes[1]! & 0x7f : 0
  if (bytes.length < 2 + long) return undefined
  const length = long === 0 ? bytes[1]! : bytes.readUIntBE(2, long)
  const end = 2 + long + length
  return bytes.length < end ? undefined : { head: 2 + long, end }
}
