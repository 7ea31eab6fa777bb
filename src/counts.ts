/**
 * What is counted by hand for /metrics since the start. Like `flow-times.ts`, so that a start does not load what shows it.
 *
 * INVARIANT: a value is a word of ours (a code, a door, a factor). What somebody may send is none, or anybody could make as many
 * rows as they like.
 */
export interface Counted {
  /** In the order of the labels. */
  readonly values: readonly string[]
  readonly count: number
}

export interface Counts {
  add(...values: string[]): void
  read(): readonly Counted[]
}

export function createCounts(): Counts {
  const counted = new Map<string, { readonly values: readonly string[]; count: number }>()
  return {
    add(...values) {
      const key = values.join(' ')
      const found = counted.get(key)
      if (found) found.count++
      else counted.set(key, { values, count: 1 })
    },
    read: () => [...counted.values()],
  }
}
