// @ts-check
/** One thread for hashes (`hash-threads.ts`): takes one at a time, at a lower priority than the rest of the process. */
import { readlinkSync } from 'node:fs'
import { setPriority } from 'node:os'
import { parentPort, workerData } from 'node:worker_threads'
import { hashSync, verifySync } from '@node-rs/argon2'

try {
  // Linux has priorities of threads: `/proc/thread-self` is `PID/task/TID`
  setPriority(Number(/\/task\/(\d+)$/.exec(readlinkSync('/proc/thread-self'))?.[1]), workerData.niceness)
} catch {
  // another system, or one that does not let us: then they share as all threads do
}

const port = /** @type {import('node:worker_threads').MessagePort} */ (parentPort)
port.on('message', (/** @type {import('./hash-threads.ts').Job} */ job) => {
  try {
    const done = job.kind === 'hash' ? hashSync(job.password, job.options) : verifySync(job.phc, job.password)
    port.postMessage({ done })
  } catch (error) {
    port.postMessage({ error: String(error) })
  }
})
