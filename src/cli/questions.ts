/** Questions to whoever sits at the terminal; nobody is asked anywhere else. */
import { createInterface } from 'node:readline'

export interface Questions {
  /** What was typed, without blanks around it; undefined once the person has ended it with Ctrl-C or Ctrl-D. */
  ask(question: string): Promise<string | undefined>
  close(): void
}

export interface Terminal {
  readonly input: NodeJS.ReadStream
  readonly output: NodeJS.WriteStream
}

export function openQuestions({ input, output }: Terminal): Questions {
  const lines = createInterface({ input, output, terminal: true })
  // what is typed or pasted before it is asked for
  const typed: string[] = []
  let waiting: ((line: string | undefined) => void) | undefined
  let over = false
  lines.on('line', (line) => {
    if (waiting) waiting(line)
    else typed.push(line)
    waiting = undefined
  })
  lines.on('close', () => {
    over = true
    waiting?.(undefined)
  })
  // Ctrl-C comes as a key here, and ends the questions: not the process in the middle of something
  lines.on('SIGINT', () => lines.close())
  return {
    async ask(question) {
      if (over) return undefined
      lines.setPrompt(question)
      lines.prompt()
      const line =
        typed.shift() ??
        (await new Promise<string | undefined>((resolve) => {
          waiting = resolve
        }))
      if (line === undefined) output.write('\n')
      return line?.trim()
    },
    close: () => lines.close(),
  }
}
