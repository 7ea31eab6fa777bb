/**
 * Free ports on the loopback address. Each test worker has a range of its own, below the ports that the system gives to
 * outgoing connections: nobody else takes a port between its being found free and the server's listening on it.
 */
import { createServer } from 'node:net'

const RANGE = 400
const WORKERS = 30
const first = 20_000 + (Number(process.env['VITEST_POOL_ID'] ?? process.pid) % WORKERS) * RANGE
// another run of these tests beside this one begins somewhere else in the range
let given = process.pid % RANGE

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })

export async function freePort(): Promise<number> {
  for (let tries = 0; tries < RANGE; tries++) {
    const port = first + (given++ % RANGE)
    if (await isFree(port)) return port
  }
  throw new Error('no free port')
}
