/**
 * A way to a TCP server of a test that can be watched and made bad: cut, silent, slow, garbled. Nothing waits by the clock
 * except what `delay` asks for.
 */
import { createConnection, createServer, type Socket } from 'node:net'

export type Direction = 'to-server' | 'to-client'

export interface TcpProxy {
  readonly host: string
  readonly port: number
  /** Connections that clients have opened so far, refused ones included. */
  readonly connections: number
  /** How many connections are open now. */
  readonly open: number
  /** Hangs up on everybody and on whoever comes, until `restore`. */
  cut(): void
  /** Hangs up on everybody once; new connections are served. */
  hangUp(): void
  /** Takes connections, and passes nothing on any more in either direction, until `restore`: a firewall that drops. */
  silence(): void
  /** Keeps every piece back until `restore`, and passes all of them on then, in order. */
  hold(): void
  /** Passes each piece on after so many milliseconds, in order, until `restore`. */
  delay(ms: number): void
  /**
   * Passes on something else, until `restore`: what `change` answers for each piece, or noise of the same length for what
   * the server says.
   */
  garble(change?: (data: Buffer, direction: Direction) => Buffer): void
  /** Everything as at the start, for connections that are open as well; what was held back in silence is lost. */
  restore(): void
  /** Sees every piece that goes through, before it is changed. */
  watch(watcher: (data: Buffer, direction: Direction, connection: number) => void): void
  /** Ends everything; the port is free afterwards. */
  close(): Promise<void>
}

/** Listens on a free port of the loopback address. @param to the port of the server, or its address with the port. */
export async function startTcpProxy({ to }: { to: number | { host: string; port: number } }): Promise<TcpProxy> {
  const target = typeof to === 'number' ? { host: '127.0.0.1', port: to } : to
  const sockets = new Set<Socket>()
  const watchers: ((data: Buffer, direction: Direction, connection: number) => void)[] = []
  let mode: 'open' | 'cut' | 'silent' = 'open'
  let delayed = 0
  let held: PromiseWithResolvers<void> | undefined
  let garbled: ((data: Buffer, direction: Direction) => Buffer) | undefined
  let count = 0

  function pass(from: Socket, onto: Socket, direction: Direction, connection: number): void {
    // one chain for each direction: pieces that are delayed stay in order, and the end comes after them
    let before: Promise<void> = Promise.resolve()
    const after = (act: () => void) => {
      const [wait, gate] = [delayed, held?.promise]
      const passed = () => (wait > 0 ? new Promise<void>((done) => setTimeout(done, wait)) : gate)
      before = before.then(passed).then(act)
    }
    from.on('data', (data: Buffer) => {
      for (const watcher of watchers) watcher(data, direction, connection)
      if (mode === 'silent') return
      const sent = garbled ? garbled(data, direction) : data
      after(() => {
        if (!onto.destroyed) onto.write(sent)
      })
    })
    from.on('end', () => after(() => onto.end()))
    from.on('close', () => after(() => onto.destroy()))
  }

  const listener = createServer({ allowHalfOpen: true }, (client) => {
    const connection = ++count
    client.on('error', () => {})
    if (mode === 'cut') return void client.resetAndDestroy()
    const server = createConnection({ ...target, allowHalfOpen: true })
    server.on('error', () => client.destroy())
    for (const socket of [client, server]) {
      sockets.add(socket)
      socket.on('close', () => sockets.delete(socket))
    }
    pass(client, server, 'to-server', connection)
    pass(server, client, 'to-client', connection)
  })
  await new Promise<void>((resolve, reject) => {
    listener.once('error', reject)
    listener.listen(0, '127.0.0.1', resolve)
  })
  const { port } = listener.address() as { port: number }

  const hangUp = () => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    host: '127.0.0.1',
    port,
    get connections() {
      return count
    },
    get open() {
      return sockets.size / 2
    },
    cut() {
      mode = 'cut'
      hangUp()
    },
    hangUp,
    silence() {
      mode = 'silent'
    },
    hold() {
      held ??= Promise.withResolvers()
    },
    delay(ms) {
      delayed = ms
    },
    garble(change = noise) {
      garbled = change
    },
    restore() {
      mode = 'open'
      delayed = 0
      held?.resolve()
      held = undefined
      garbled = undefined
    },
    watch(watcher) {
      watchers.push(watcher)
    },
    async close() {
      const ended = new Promise<void>((resolve) => listener.close(() => resolve()))
      mode = 'cut'
      hangUp()
      await ended
    },
  }
}

/** The same for every run, so that a test that fails fails again. */
const noise = (data: Buffer, direction: Direction): Buffer =>
  direction === 'to-server' ? data : Buffer.from(data.map((byte, i) => (byte * 31 + i * 7 + 0x5a) & 0xff))
