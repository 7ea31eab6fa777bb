/**
 * What the machine can do of argon2id at best with the parameters of ours: one hash after the other on the server's core, and nothing
 * else. `node bench/hash-rate.ts SECONDS` prints hashes per second of CPU.
 */

import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { type Algorithm, hash, verify } from '@node-rs/argon2'
import { onCore, SERVER_CORE } from './processes.ts'
import { PASSWORD } from './subjects.ts'

/** Hashes per second of CPU, in a process of its own on the core where the servers are measured. */
export async function bestHashRate(seconds: number): Promise<number> {
  const [command, args] = onCore(SERVER_CORE, [join(import.meta.dirname, 'hash-rate.ts'), String(seconds)])
  const rate = Number(await text(spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] }).stdout))
  if (!(rate > 0)) throw new Error('the hash alone was not measured')
  return rate
}

if (import.meta.main) {
  // the enum is ambient: 2 is Argon2id
  const cost = { memoryCost: 19_456, timeCost: 2, parallelism: 1, algorithm: 2 as Algorithm }
  const right = await hash(PASSWORD, cost)
  const warm = performance.now()
  while (performance.now() - warm < 500) await verify(right, PASSWORD)
  const [began, cpu] = [performance.now(), process.cpuUsage()]
  let count = 0
  for (; performance.now() - began < Number(process.argv[2]) * 1000; count++) await verify(right, PASSWORD)
  const { user, system } = process.cpuUsage(cpu)
  console.log((count / (user + system)) * 1e6)
}
