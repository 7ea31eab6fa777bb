/** How one process is, as /readyz shows it. */
import type { DirectoryState } from '#directory'
import type { Storage } from '#storage'

export interface ShownDirectory {
  readonly id: string
  readonly state: DirectoryState['state']
  /** ISO 8601. */
  readonly since?: string
}

export interface Condition {
  /** What keeps it from serving: `starting`, `stopping`, `storage`, `state`. */
  readonly failing: readonly string[]
  /** One that is down is no reason to send people elsewhere: it is down there too. */
  readonly directories: readonly ShownDirectory[]
}

export interface Observed {
  readonly storage: Storage
  phase(): 'starting' | 'serving' | 'stopping'
  directories(): readonly DirectoryState[]
}

/** Looks now. Never throws. */
export async function conditionOf({ storage, phase, directories }: Observed): Promise<Condition> {
  const { state, durable } = storage
  const failing: string[] = phase() === 'serving' ? [] : [phase()]
  const look = async (name: string, store: Storage['state']) => {
    await store.get('readyz').catch(() => failing.push(name))
  }
  await look('storage', durable)
  if (state !== durable) await look('state', state)
  return { failing, directories: directories().map(shown) }
}

const shown = ({ id, state, since }: DirectoryState): ShownDirectory => ({
  id,
  state,
  ...(since === undefined ? {} : { since: new Date(since).toISOString() }),
})

const GRAVEST: readonly DirectoryState['state'][] = ['down', 'returning', 'up', 'unknown']

/**
 * Several processes as one: it fails for what all of them fail for. One that has lost its connection is no reason to send
 * people to another machine while the others serve.
 */
export function conditionOfAll(all: readonly Condition[]): Condition {
  const [first, ...others] = all
  if (!first) return { failing: ['starting'], directories: [] }
  return {
    failing: first.failing.filter((reason) => others.every(({ failing }) => failing.includes(reason))),
    directories: first.directories.map(({ id }) => {
      const seen = all.flatMap(({ directories }) => directories.filter((one) => one.id === id))
      return seen.sort((a, b) => GRAVEST.indexOf(a.state) - GRAVEST.indexOf(b.state))[0]!
    }),
  }
}
