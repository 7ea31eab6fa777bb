/** Real state, and how often it is read and written. */
import type { State } from '#storage'

const READS = ['get', 'getByAlias', 'group', 'members']

export function watchedState(state: State) {
  const calls = { reads: 0, writes: 0 }
  const watched = Object.entries(state).map(([name, call]) => [
    name,
    (...given: unknown[]) => {
      calls[READS.includes(name) ? 'reads' : 'writes']++
      return (call as (...given: unknown[]) => unknown)(...given)
    },
  ])
  return { state: Object.fromEntries(watched) as State, calls }
}
