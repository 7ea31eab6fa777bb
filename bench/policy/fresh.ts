/** Something that runs in a process of its own, where nothing is loaded, compiled or kept from before. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { onCore, SERVER_CORE } from '../processes.ts'

export interface Fresh {
  readonly flags?: readonly string[]
  /** Absent: wherever the machine has room. */
  readonly core?: number
}

/** Answers what it printed. Fails where it ends with another code than 0. */
export function inFresh(
  args: readonly string[],
  { flags = [], core }: Fresh = {},
): Promise<{ readonly out: string; readonly err: string }> {
  const all = [...flags, ...args]
  const [command, words] = core === undefined ? [process.execPath, all] : onCore(core, all)
  const child = spawn(command, words, { stdio: ['ignore', 'pipe', 'pipe'] })
  let [out, err] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => {
      if (code === 0) resolve({ out, err })
      else reject(new Error(`${args.slice(0, 4).join(' ')} ended with ${code}: ${err.slice(-2000)}`))
    })
  })
}

/** A script of this folder that prints one line of JSON. */
export const script = async <T>(name: string, args: readonly string[], fresh: Fresh = {}): Promise<T> =>
  JSON.parse((await inFresh([join(import.meta.dirname, name), ...args], { core: SERVER_CORE, ...fresh })).out) as T
