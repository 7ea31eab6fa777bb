/** A command at a terminal: a real pseudo-terminal, made by `script`, at which a test types. */
import { spawn } from 'node:child_process'
import { stripVTControlCharacters } from 'node:util'
import { MAIN } from './serve.ts'

export const CTRL_C = '\u0003'

export interface AtTerminal {
  /** Everything that was shown, without the codes for cursor and colour. */
  screen(): string
  /** Resolves when what came after the last match matches; fails when the command ends before. */
  shows(what: RegExp): Promise<RegExpMatchArray>
  type(text: string): void
  readonly exited: Promise<number | null>
  stop(): Promise<number | null>
}

const quoted = (word: string) => `'${word.replaceAll("'", "'\\''")}'`

export function atTerminal(words: readonly string[]): AtTerminal {
  const command = [process.execPath, MAIN, ...words].map(quoted).join(' ')
  const child = spawn('script', ['--quiet', '--return', '--flush', '--command', command, '/dev/null'], {
    env: { PATH: process.env['PATH'], TERM: 'xterm', SHELL: '/bin/sh' },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  let [raw, from, over] = ['', 0, false]
  const screen = () => stripVTControlCharacters(raw).replaceAll('\r', '')
  const waiting = new Set<() => void>()
  const tell = () => {
    for (const look of waiting) look()
  }
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    raw += text
    tell()
  })
  const exited = new Promise<number | null>((resolve) =>
    child.once('close', (code) => {
      over = true
      tell()
      resolve(code)
    }),
  )
  return {
    screen,
    exited,
    shows: (what) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const found = screen().slice(from).match(what)
          if (!found && !over) return
          waiting.delete(look)
          if (found) {
            from += found.index! + found[0].length
            resolve(found)
          } else reject(new Error(`ended without showing ${what}:\n${screen()}`))
        }
        waiting.add(look)
        look()
      }),
    type: (text) => child.stdin.write(text),
    async stop() {
      if (!over) child.kill('SIGTERM')
      return exited
    },
  }
}
