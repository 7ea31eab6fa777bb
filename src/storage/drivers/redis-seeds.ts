/** The nodes of a cluster that we know of, and which of them has the slot in which we keep everything. */
import type { Server } from './redis-place.ts'
import { ROOT } from './redis-scripts.ts'

/** One question to one node, on a connection of its own. */
export type AskNode = (node: Server, command: string, ...values: string[]) => Promise<unknown>

/** `[first slot, last slot, primary, replicas …]`, each node as `[address, port, id, …]`. */
type Range = readonly [
  first: number,
  last: number,
  ...nodes: readonly (readonly [string | null, number, ...unknown[]])[],
]

/** Kept over reconnections: the nodes that the settings name may be gone when the others are still there. */
export function createSeeds(named: readonly Server[], ask: AskNode) {
  let known: readonly Server[] = named
  return {
    /** Throws what the last of them said, where none knows. */
    async primary(): Promise<Server> {
      let last: unknown = new Error('no node of the cluster has our slot')
      for (const seed of [...known, ...named]) {
        try {
          const [slot, ranges] = (await Promise.all([
            ask(seed, 'CLUSTER', 'KEYSLOT', ROOT),
            ask(seed, 'CLUSTER', 'SLOTS'),
          ])) as [number, readonly Range[]]
          // a node that does not know its own address means the one that we have asked it by
          const serverOf = ([host, port]: Range[2]): Server => ({ host: host || seed.host, port: Number(port) })
          const range = ranges.find(([first, end]) => first <= slot && slot <= end)
          if (!range?.[2]) continue
          known = ranges.flatMap(([, , ...nodes]) => nodes.map(serverOf))
          return serverOf(range[2])
        } catch (error) {
          last = error
        }
      }
      throw last
    },
  }
}
