/** `directories sync` of everybody, then again when nothing has changed. */
import { join } from 'node:path'
import { inFresh } from '../policy/fresh.ts'
import type { Options } from '../policy/options.ts'
import { atMost, type Measured } from '../verdict.ts'
import { GROUPS, PEOPLE, startLarge, writeSettings } from './world.ts'

interface Once {
  readonly first: { readonly ms: number; readonly added: number }
  readonly second: { readonly ms: number; readonly added: number; readonly changed: number }
  /** Of the first, in seconds. */
  readonly cpu: number
  readonly above: number
}

const LONGEST = 20

export async function syncing({ folder, quick }: Options): Promise<Measured> {
  const people = quick ? 2000 : PEOPLE
  const slapd = await startLarge(people)
  try {
    const file = writeSettings(join(folder, 'sync'), [{ id: 'local', kind: 'local' }, slapd.settings()])
    const once = JSON.parse((await inFresh([join(import.meta.dirname, 'sync-once.ts'), file])).out) as Once
    const { first, second, cpu, above } = once
    if (first.added !== people || second.added + second.changed > 0) throw new Error(JSON.stringify(once))
    const entries = people.toLocaleString('en')
    return {
      figures: once,
      verdicts: [
        {
          what: `first sync of ${entries} people in ${2 * GROUPS + 1} groups`,
          is: `${(first.ms / 1000).toFixed(1)} s, ${cpu.toFixed(1)} s of CPU`,
          wanted: `≤ ${LONGEST} s`,
          met: first.ms <= LONGEST * 1000,
        },
        atMost('memory above idle while it runs', above, 100, 'MB'),
        atMost('second sync, nothing has changed', second.ms / 1000, 1, 's', 2),
      ],
    }
  } finally {
    await slapd.end()
  }
}
