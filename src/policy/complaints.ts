/** What is wrong among several files, the first of each file: a place, and what was meant, take a while to find. */
import type { Problem } from '#config'
import type { Reading } from './reading.ts'
import type { Path } from './when.ts'

/** Of one file, as `readYaml` tells them. */
const MOST = 200

export interface Complaints {
  readonly problems: readonly Problem[]
  /** `say` is only asked where it is told. */
  add(reading: Reading, path: Path, code: string, say: () => string): void
}

export function createComplaints(): Complaints {
  const problems: Problem[] = []
  const told = new Map<string, number>()
  return {
    problems,
    add(reading, path, code, say) {
      const count = (told.get(reading.file) ?? 0) + 1
      told.set(reading.file, count)
      if (count <= MOST) problems.push(reading.problem(path, code, say()))
    },
  }
}
