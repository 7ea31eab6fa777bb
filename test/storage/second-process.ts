/** `other-process.ts` in a process of its own, which ends with the test. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach } from 'vitest'
import type { Migration } from '#storage'

/** The one that the other process applies, which is there by then. */
export const onceMigration: Migration = { name: 'test-001-once', up: async () => {} }

const children: ChildProcess[] = []
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})

/** Runs it on that storage; what it says, line by line. */
export function start(url: string, what: string) {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'other-process.ts'), url, what], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  children.push(child)
  const lines: string[] = []
  const waiting: (() => void)[] = []
  createInterface(child.stdout).on('line', (line) => {
    lines.push(line)
    for (const wake of waiting.splice(0)) wake()
  })
  const atLeast = async (count: number) => {
    while (lines.length < count) await new Promise<void>((resolve) => waiting.push(resolve))
  }
  const ended = once(child, 'close')
  return { child, lines, atLeast, ended }
}
