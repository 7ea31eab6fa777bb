/** One sync of a directory at a time, over all processes. */
import { type Millis, seconds } from '#core/clock'
import { randomId } from '#core/random'
import { Refusal } from '#core/refusal'
import type { State } from '#storage'

export interface Lease {
  /** Throws `sync-running` once somebody else may have it. */
  held(): void
  release(): Promise<void>
}

/** So long does a process that was killed keep others out. */
const TERM: Millis = seconds(30)
const PROLONGED: Millis = seconds(10)

/** Undefined where another one has it. */
export async function holdLease(state: State, key: string): Promise<Lease | undefined> {
  const token = randomId()
  if (!(await state.add(key, token, { ttl: TERM }))) return undefined
  let lost = false
  const prolong = async () => {
    lost ||= !(await state.compareAndSwap(key, token, token, { ttl: TERM }).catch(() => false))
  }
  const timer = setInterval(prolong, PROLONGED)
  timer.unref()
  return {
    held() {
      if (lost) throw new Refusal('sync-running', 'the lease was lost: this process stood still for too long')
    },
    async release() {
      clearInterval(timer)
      // taken only where it is still ours
      if (await state.compareAndSwap(key, token, `${token} over`)) await state.delete(key)
    },
  }
}
