/** An app of the tests in Python, in a process of its own: Debian's own Python has the modules. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { ended } from './processes.ts'

/** Resolves once it has said that it is ready. */
export async function startPython(script: string, words: readonly string[]): Promise<() => Promise<void>> {
  const child = spawn('/usr/bin/python3', [join(import.meta.dirname, script), ...words], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  const ready = await new Promise<boolean>((resolve) => {
    child.stdout.once('data', () => resolve(true))
    child.once('exit', () => resolve(false))
  })
  if (ready) return () => ended(child)
  await ended(child)
  throw new Error(`${script} did not start: ${said}`)
}
