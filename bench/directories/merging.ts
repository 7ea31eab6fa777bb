/** Two directories become one: the dry run and the merge, of so many people and of an eighth of them. */
import { join } from 'node:path'
import { inFresh } from '../policy/fresh.ts'
import type { Options } from '../policy/options.ts'
import { atMost, type Measured } from '../verdict.ts'
import { writeSettings } from './world.ts'

interface Once {
  /** Of each of the two directories. */
  readonly count: number
  readonly planned: number
  readonly took: number
  readonly abovePlan: number
  readonly aboveMerge: number
}

/** Of what one pair costs among few and among many: more would be worse than linear. */
const MOST_GROWTH = 1.5

export async function merging({ folder, quick, say }: Options): Promise<Measured> {
  const large = quick ? 2000 : 100_000
  const once = async (count: number): Promise<Once> => {
    const local = (id: string) => ({ id, kind: 'local' })
    const file = writeSettings(join(folder, `merge-${count}`), [local('north'), local('south')])
    say(`directories: merging: ${count} pairs`)
    const args = [join(import.meta.dirname, 'merge-once.ts'), file, String(count)]
    await inFresh([...args, 'fill'])
    return JSON.parse((await inFresh(args)).out) as Once
  }
  const [few, many] = [await once(large / 8), await once(large)]
  const people = (2 * large).toLocaleString('en')
  const growth = (of: 'planned' | 'took') => many[of] / many.count / (few[of] / few.count)
  const linear = (what: string, ratio: number) => ({
    what: `${what} one pair costs more among ${people} people than among an eighth`,
    is: `${ratio.toFixed(2)} ×`,
    wanted: `≤ ${MOST_GROWTH} ×`,
    met: ratio <= MOST_GROWTH,
  })
  return {
    figures: { few, many },
    verdicts: [
      atMost(`dry run of a merge of ${people} people`, many.planned / 1000, 60, 's', 1),
      atMost('memory above idle while it runs', many.abovePlan, 400, 'MB'),
      linear('in the dry run', growth('planned')),
      atMost(`the merge of ${people} people`, many.took / 1000, 1200, 's'),
      atMost('memory above idle while it runs', many.aboveMerge, 400, 'MB'),
      linear('in the merge', growth('took')),
    ],
  }
}
