/** What an administrator finds out about an app that does not get in: on the command line, and in the log. */
import { join } from 'node:path'
import { allVerbs, runCommand } from '#cli'
import type { Gateway } from './gateway.ts'

export interface ShownFailure {
  readonly cause: string
  readonly likely: boolean
  readonly said: string
  readonly fix: readonly string[]
  readonly reference: string
  readonly count: number
  readonly mended_at: string | null
}

export const REFERENCE = /E-[0-9A-Z]{4}-[0-9A-Z]{4}/
export const referenceOn = (text: string): string | undefined => REFERENCE.exec(text)?.[0]

export function failuresOf(gateway: () => Gateway, clock: { now(): number }) {
  async function portico(...words: string[]): Promise<{ code: number; out: string; err: string }> {
    const lines = { out: [] as string[], err: [] as string[] }
    const { folder, server } = gateway()
    const code = await runCommand({
      words: [...words, '--config', join(folder, 'portico.yaml')],
      verbs: await allVerbs(),
      openHouse: async () => ({ ...server.house, close: async () => undefined }),
      out: (line) => lines.out.push(line),
      err: (line) => lines.err.push(line),
      clock,
    })
    return { code, out: lines.out.join('\n'), err: lines.err.join('\n') }
  }

  const all = async (app: string): Promise<readonly ShownFailure[]> =>
    JSON.parse((await portico('apps', 'show', app, '--json')).out).last_failures

  return {
    portico,
    all,
    /** Of that cause, as `apps show --json` has it. */
    async last(app: string, cause: string): Promise<ShownFailure> {
      const failures = await all(app)
      const found = failures.find((one) => one.cause === cause)
      if (!found) throw new Error(`no ${cause}: ${JSON.stringify(failures)}`)
      return found
    },
    logged: (app: string): readonly Record<string, unknown>[] =>
      gateway()
        .log()
        .split('\n')
        .filter((line) => line.includes('"app-failing"'))
        .map((line) => JSON.parse(line))
        .filter((line) => line.app === app),
  }
}
