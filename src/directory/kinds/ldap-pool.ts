/** Connections to one LDAP server, kept for the next use: a handshake and a bind cost more than a search. */
import { ResultCodeError } from 'ldapts'
import { type Clock, type Instant, seconds } from '#core/clock'
import { type Connected, close, codeOf, openConnection, type Server, within } from './ldap-connection.ts'

export interface Pool {
  readonly server: Server
  /** Hands `work` a connection nobody else uses. Errors come as they are. */
  lease<T>(work: (connected: Connected) => Promise<T>): Promise<T>
  close(): void
}

/** Servers and what stands between hang up on who says nothing for long. */
const LONGEST_IDLE = seconds(30)
const MOST_IDLE = 8
/** How a connection ends that the server, or something on the way, gave up while nobody used it. */
const HUNG_UP: ReadonlySet<string> = new Set(['connection-closed', 'ECONNRESET', 'EPIPE'])

/** `prepare` is done once on each connection, before anything else. */
export function createPool(server: Server, clock: Clock, prepare: (connected: Connected) => Promise<void>): Pool {
  let idle: { readonly connected: Connected; readonly since: Instant }[] = []
  let closed = false

  function take(): Connected | undefined {
    for (let last = idle.pop(); last; last = idle.pop()) {
      if (clock.now() - last.since <= LONGEST_IDLE && !last.connected.socket.destroyed) {
        last.connected.socket.ref()
        return last.connected
      }
      close(last.connected.socket)
    }
    return undefined
  }

  function keep(connected: Connected): void {
    const { socket } = connected
    if (closed || idle.length >= MOST_IDLE || socket.destroyed) close(socket)
    else {
      // an idle connection keeps no process alive
      socket.unref()
      idle.push({ connected, since: clock.now() })
    }
  }

  async function use<T>(connected: Connected, work: (connected: Connected) => Promise<T>): Promise<T> {
    try {
      const result = await within(server.timeout, () => work(connected))
      keep(connected)
      return result
    } catch (error) {
      // what the server answered says nothing against the connection
      if (error instanceof ResultCodeError) keep(connected)
      else close(connected.socket)
      throw error
    }
  }

  return {
    server,
    async lease(work) {
      const known = take()
      if (known) {
        try {
          return await use(known, work)
        } catch (error) {
          if (!HUNG_UP.has(codeOf(error))) throw error
        }
      }
      return use(await openConnection(server, prepare), work)
    },
    close() {
      closed = true
      for (const { connected } of idle) close(connected.socket)
      idle = []
    },
  }
}
