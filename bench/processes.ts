/** Starting servers, each on its core, and ending exactly those. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { openSync } from 'node:fs'
import { createServer } from 'node:net'
import { availableParallelism } from 'node:os'

/** The server has a core to itself, and whoever loads it another. */
export const SERVER_CORE = 0
export const LOAD_CORE = 1

const pinning = availableParallelism() > 1 && spawnSync('taskset', ['-V']).status === 0

export const isPinned = (): boolean => pinning

/** Command and arguments of a Node process on a core, or on some: `0,2`. */
export function onCore(core: number | string, args: readonly string[]): [command: string, args: string[]] {
  return pinning ? ['taskset', ['-c', String(core), process.execPath, ...args]] : [process.execPath, [...args]]
}

export interface Running {
  readonly pid: number
  /** From the call to the first 200 of its discovery document. */
  readonly milliseconds: number
  stop(): Promise<void>
}

export interface Start {
  readonly args: readonly string[]
  readonly port: number
  readonly log: string
  readonly folder: string
  readonly env?: Readonly<Record<string, string>>
  /** Absent: the one for servers. */
  readonly core?: number | string
}

const PATIENCE = 60_000

/** Starts a server and waits until it answers. */
export async function start({ args, port, log, folder, env, core = SERVER_CORE }: Start): Promise<Running> {
  const out = openSync(log, 'a')
  const [command, all] = onCore(core, args)
  const began = performance.now()
  const child = spawn(command, all, { cwd: folder, stdio: ['ignore', out, out], env: { ...process.env, ...env } })
  const over = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const url = `http://127.0.0.1:${port}/.well-known/openid-configuration`
  while (!(await answers(url))) {
    if (child.exitCode !== null) throw new Error(`the server ended at its start; see ${log}`)
    if (performance.now() - began > PATIENCE) {
      await end(child, over)
      throw new Error(`the server did not answer within ${PATIENCE / 1000} s; see ${log}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  // taskset becomes the server: the process id is the server's own
  return { pid: child.pid!, milliseconds: performance.now() - began, stop: () => end(child, over) }
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url)
    await response.body?.cancel()
    return response.ok
  } catch {
    return false
  }
}

async function end(child: ChildProcess, over: Promise<void>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGTERM')
  const tooLong = setTimeout(() => child.kill('SIGKILL'), 15_000)
  await over
  clearTimeout(tooLong)
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}
