/** Connections to an LDAP server: TLS before anything else is said, a time limit over each use. */
import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { Client, ResultCodeError } from 'ldapts'
import type { Millis } from '#core/clock'
import { type BindVerdict, policyControl, verdictOf } from './ldap-verdict.ts'

export interface Server {
  readonly host: string
  readonly port: number
  readonly tls: 'none' | 'ldaps' | 'start-tls'
  /** PEM; where given, nobody else's certificates are believed. */
  readonly ca: string | undefined
  /** For one use of a connection from beginning to end, and for opening one. */
  readonly timeout: Millis
}

export type Connected = { readonly client: Client; readonly socket: Socket | TLSSocket }

/** RFC 4511 §4.14.1 */
const START_TLS = '1.3.6.1.4.1.1466.20037'

/** Opens a connection, hands it to `work` and closes it whatever happens. Errors come as they are; `codeOf` names them. */
export async function withConnection<T>(server: Server, work: (connected: Connected) => Promise<T>): Promise<T> {
  const connected = await openConnection(server, async () => {})
  try {
    const result = await within(server.timeout, () => work(connected))
    // RFC 4511 §4.3; whether the other side hears it makes no difference
    await connected.client.unbind().catch(() => {})
    return result
  } finally {
    close(connected.socket)
  }
}

/** A connection on which `prepare` was done; within the time limit, or closed. */
export async function openConnection(
  server: Server,
  prepare: (connected: Connected) => Promise<void>,
): Promise<Connected> {
  let open: Socket | undefined
  try {
    return await within(server.timeout, async () => {
      const socket = await openSocket(server, (opened) => {
        open = opened
      })
      const connected = { client: clientOn(socket, server.timeout), socket }
      await prepare(connected)
      return connected
    })
  } catch (error) {
    close(open)
    throw error
  }
}

/** What `work` gives, or an Error `timeout`. What it does afterwards is nobody's business any more. */
export async function within<T>(limit: Millis, work: () => Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('timeout')), limit)
  })
  const done = work()
  done.catch(() => {}) // it may fail after the time limit has answered
  try {
    return await Promise.race([done, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Only ever the outermost socket: destroying the one below a TLS socket ends the whole process (Node 26.10). */
export function close(socket: Socket | undefined): void {
  socket?.on('error', () => {})
  socket?.destroy()
}

/** A connected socket, after TLS where the settings want it. `opened` is told of the outermost one at any moment, for `close`. */
export async function openSocket(server: Server, opened: (socket: Socket) => void): Promise<Socket | TLSSocket> {
  const { host, port, tls } = server
  const options = {
    host,
    ...(isIP(host) ? {} : { servername: host }),
    ...(server.ca === undefined ? {} : { ca: server.ca }),
    minVersion: 'TLSv1.2',
    // said aloud, because an environment variable can change the default
    rejectUnauthorized: true,
  } as const
  if (tls === 'ldaps') return await ready(connectTls({ ...options, port }), 'secureConnect', opened)
  const tcp = await ready(connectTcp({ host, port }), 'connect', opened)
  if (tls === 'none') return tcp
  await clientOn(tcp, server.timeout).exop(START_TLS)
  // ATTACK: an answer that somebody appended to the one in plain text would wait in that client's parser and be taken
  // for the server's first answer inside TLS. So that client ends here, with all it has read; the next one is new.
  for (const event of ['data', 'end', 'close', 'error', 'timeout']) tcp.removeAllListeners(event)
  return await ready(connectTls({ ...options, socket: tcp }), 'secureConnect', opened)
}

async function ready<S extends Socket>(socket: S, event: string, opened: (socket: Socket) => void): Promise<S> {
  opened(socket)
  await new Promise<void>((resolve, reject) => {
    const over = () => reject(new Error('connection closed'))
    socket.once('error', reject)
    socket.once('close', over)
    socket.once(event, () => {
      socket.off('error', reject)
      socket.off('close', over)
      resolve()
    })
  })
  return socket
}

function clientOn(socket: Socket, timeout: Millis): Client {
  let given = false
  return new Client({
    url: 'ldap://connected.invalid',
    timeout,
    connectTimeout: timeout,
    createConnection: (() => {
      // ATTACK: the client connects again by itself when the server hangs up, without TLS and as nobody; what it then
      // does not find would look like "there is no such person" or "no groups"
      if (given) throw new Error('connection closed')
      given = true
      return socket
    }) as unknown as typeof connectTcp,
  })
}

/** What went wrong in one word without anything of the person in it: `ECONNREFUSED`, `ldap-49`, `timeout`. */
export function codeOf(error: unknown): string {
  if (error instanceof ResultCodeError) return `ldap-${error.code}`
  if (!(error instanceof Error)) return 'unknown'
  if ('code' in error && typeof error.code === 'string') return error.code
  if (/timeout|timed out/i.test(error.message)) return 'timeout'
  if (/closed|Socket error/.test(error.message)) return 'connection-closed'
  return error.name
}

/**
 * Binds as `dn` with a person's password. Failures that say nothing about the password are thrown.
 * ATTACK: a bind with an empty password or an empty DN succeeds as nobody in particular (RFC 4513 §5.1.1, §5.1.2).
 */
export async function bindAs(
  { client }: Connected,
  dn: string,
  password: string,
  template: 'openldap' | 'active-directory',
): Promise<BindVerdict> {
  if (dn === '' || password === '') return 'wrong'
  const policy = policyControl(template)
  try {
    await client.bind(dn, password, policy)
  } catch (error) {
    return verdictOf(error, policy)
  }
  return verdictOf(undefined, policy)
}
