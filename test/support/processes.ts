/** Servers of tests in processes of their own: whether one has come up, and its end. */
import type { ChildProcess } from 'node:child_process'
import { connect } from 'node:net'

const COME_UP = 15_000

/** True when something accepts connections; false when the process ended before. */
export async function answers(port: number, child: ChildProcess): Promise<boolean> {
  const until = performance.now() + COME_UP
  while (performance.now() < until && child.exitCode === null) {
    const up = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1')
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
      socket.once('connect', () => socket.destroy())
    })
    if (up) return true
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return false
}

/** A server that is still busy with somebody's connection by then is ended all the same. */
const PATIENCE = 10_000

/** Ends it, and waits for that. */
export function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve()
  return new Promise((resolve) => {
    const impatient = setTimeout(() => child.kill('SIGKILL'), PATIENCE)
    child.once('exit', () => {
      clearTimeout(impatient)
      resolve()
    })
    child.kill('SIGTERM')
  })
}
