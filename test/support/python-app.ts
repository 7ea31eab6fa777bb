/** An app of the tests in Python, in a process of its own: Debian's own Python has the modules. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { ended } from './processes.ts'

/** Once it has said that it is ready. */
async function started(script: string, words: readonly string[], stdin: 'ignore' | 'pipe') {
  const child = spawn('/usr/bin/python3', [join(import.meta.dirname, script), ...words], {
    stdio: [stdin, 'pipe', 'pipe'],
    // what a machine says about authorities goes before what the program says
    env: { PATH: process.env['PATH'] },
  })
  let said = ''
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  const ready = await new Promise<boolean>((resolve) => {
    child.stdout!.once('data', () => resolve(true))
    child.once('exit', () => resolve(false))
  })
  if (ready) return child
  await ended(child)
  throw new Error(`${script} did not start: ${said}`)
}

/** Resolves once it serves. */
export async function startPython(script: string, words: readonly string[]): Promise<() => Promise<void>> {
  const child = await started(script, words, 'ignore')
  return () => ended(child)
}

/** A program that is told what to do by lines of JSON, one after the other, and answers each. */
export interface Talk {
  ask(what: object): Promise<unknown>
  close(): Promise<void>
}

export async function startTalk(script: string): Promise<Talk> {
  const child = await started(script, [], 'pipe')
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
  let last: Promise<unknown> = Promise.resolve()
  const one = async (what: object): Promise<unknown> => {
    child.stdin!.write(`${JSON.stringify(what)}\n`)
    const { value } = await lines.next()
    const { done, failed } = JSON.parse(value ?? '{"failed":"the program has ended"}')
    if (failed !== undefined) throw new Error(failed)
    return done
  }
  return {
    ask(what) {
      const answer = last.then(() => one(what))
      last = answer.catch(() => {})
      return answer
    },
    close: () => ended(child),
  }
}
