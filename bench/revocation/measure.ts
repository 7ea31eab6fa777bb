/** From the answer to whoever has revoked until the first refusal. */
import type { Consumer } from './consumer.ts'
import type { Dying, Way } from './ways.ts'
import type { World } from './world.ts'

export interface Felt {
  readonly kind: string
  readonly way: string
  readonly seenBy: Dying['seenBy']
  /** How often it was asked until it was refused. */
  readonly asked: number
  /** Milliseconds from the answer; infinite where it was still good when nobody waited any longer. */
  readonly after: number
}

/** Nobody waits any longer. */
const PATIENCE = 30_000

async function untilRefused({ lives }: Dying, since: number): Promise<Pick<Felt, 'asked' | 'after'>> {
  for (let asked = 1; performance.now() - since < PATIENCE; asked++)
    if (!(await lives())) return { asked, after: performance.now() - since }
  return { asked: Number.POSITIVE_INFINITY, after: Number.POSITIVE_INFINITY }
}

/** `next`: the list as it is polled next. */
export async function measure(world: World, way: Way, consumer: Consumer, next: () => Promise<void>): Promise<Felt[]> {
  const { dying, revoke } = await way.prepare(world, async (token) => {
    await next()
    return consumer.refuses(token)
  })
  for (const one of dying) if (!(await one.lives())) throw new Error(`${way.name}: ${one.kind} is over already`)
  await revoke()
  const since = performance.now()
  const found = await Promise.all(
    dying.map(async (one): Promise<Felt> => {
      const { kind, seenBy } = one
      return { kind, way: way.name, seenBy, ...(await untilRefused(one, since)) }
    }),
  )
  return found
}
