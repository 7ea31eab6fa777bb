/** CPU time and memory of a process with all its threads, from /proc. */
import { readdirSync, readFileSync } from 'node:fs'

const PAGE = 4096

/** Exact to the scheduler's own nanoseconds; the usual figure counts in ticks of 10 ms. */
export function cpuSeconds(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`)
  return threads.reduce((sum, thread) => sum + runNanoseconds(pid, thread), 0) / 1e9
}

function runNanoseconds(pid: number, thread: string): number {
  try {
    return Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ', 1)[0])
  } catch {
    return 0 // the thread has ended
  }
}

export const rssBytes = (pid: number): number =>
  Number(readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ')[1]) * PAGE

/** Of numbers in ascending order. */
export const percentile = (sorted: readonly number[], share: number): number =>
  sorted.length > 0 ? sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]! : Number.NaN
