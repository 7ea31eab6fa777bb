/** CPU seconds and memory of a process and its descendants, from /proc, and what else ran on the machine. */
import { readdirSync, readFileSync } from 'node:fs'

const TICKS_PER_SECOND = 100
const PAGE = 4096

interface Stat {
  readonly parent: number
  /** Seconds. */
  readonly cpu: number
  /** Bytes. */
  readonly rss: number
}

function statOf(pid: number): Stat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    const cpu = (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
    return { parent: Number(fields[1]), cpu, rss: Number(fields[21]) * PAGE }
  } catch {
    return undefined
  }
}

function withDescendants(roots: readonly number[]): Stat[] {
  const all = new Map<number, Stat>()
  for (const name of readdirSync('/proc')) {
    const stat = /^\d+$/.test(name) ? statOf(Number(name)) : undefined
    if (stat) all.set(Number(name), stat)
  }
  const wanted = new Set(roots)
  for (let before = -1; before !== wanted.size; ) {
    before = wanted.size
    for (const [pid, { parent }] of all) if (wanted.has(parent)) wanted.add(pid)
  }
  return [...wanted].flatMap((pid) => all.get(pid) ?? [])
}

export function sample(roots: readonly number[]): { cpu: number; rss: number } {
  const stats = withDescendants(roots)
  const sum = (of: 'cpu' | 'rss') => stats.reduce((total, stat) => total + stat[of], 0)
  return { cpu: sum('cpu'), rss: sum('rss') }
}

/** Busy seconds of each core (all but idle and waiting for disks), and what the hypervisor took. */
export function cores(): { busy: number; steal: number }[] {
  const lines = readFileSync('/proc/stat', 'latin1').split('\n')
  return lines
    .filter((line) => /^cpu\d/.test(line))
    .map((line) => {
      const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = line
        .split(/ +/)
        .slice(1)
        .map((ticks) => Number(ticks) / TICKS_PER_SECOND)
      return { busy: user + nice + system + irq + softirq, steal }
    })
}

/** Of numbers in ascending order. */
export const percentile = (sorted: readonly number[], share: number): number =>
  sorted.length > 0 ? sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]! : Number.NaN
