/** What the server does by itself, all the time: ends what is over, tells apps, rotates keys, looks at directories, tidies. */
import type { House } from '#cli'
import { type Millis, minutes, seconds } from '#core/clock'
import type { Session } from '#sessions'

export interface Clockwork {
  start(): void
  /** Does now what is done every minute. */
  tick(): Promise<void>
  /** Lets a sync that is on its way come to its next resting place. */
  stop(): Promise<void>
}

interface Work {
  readonly house: House
  /** How long receipts are kept. */
  readonly keep: Millis
  deliverLogouts(of?: Session): Promise<unknown>
  keysChanged(): void
  /** Reads the metadata of SAML apps anew, where it is time for that. */
  refreshApps(): Promise<unknown>
  /** Takes files that were written since. */
  lookAtFiles(): void
}

/** Directories are looked at when it is time for each, which costs nothing before; a few times a second, to be in time. */
const LOOK: Millis = 200

/** Within a minute every app knows of a session that ended by its time: by then it was swept and sent, some tries over. */
const SWEEP: Millis = seconds(20)
const DELIVER: Millis = seconds(2)
const SYNC: Millis = seconds(20)

/** A step takes a few milliseconds; so many of them every ten seconds keep up with a thousand decisions a second. */
const PURGE: Millis = seconds(10)
const PURGE_STEP = 500
const PURGE_STEPS = 20

export function createClockwork({
  house,
  keep,
  deliverLogouts,
  keysChanged,
  refreshApps,
  lookAtFiles,
}: Work): Clockwork {
  const { clock, diagnosis, keys, log, people, receipts, samlKeys, sessions } = house
  const ending = new AbortController()
  const timers: NodeJS.Timeout[] = []
  let syncing: Promise<void> | undefined

  /** What has merely ended by its time is told at once, too. */
  async function endWhatIsOver(): Promise<void> {
    if ((await sessions.sweep()) > 0) await deliverLogouts()
  }

  async function tick(): Promise<void> {
    lookAtFiles()
    await endWhatIsOver()
    if (await keys.signing.refresh()) keysChanged()
    await samlKeys.refresh()
    await refreshApps()
    await deliverLogouts()
    await removeOldReceipts()
    await diagnosis.tidy()
    await house.revocations.tidy()
  }

  /** Step by step, with other writes between them, and no more than so many at once. */
  async function removeOldReceipts(): Promise<void> {
    for (let step = 0; step < PURGE_STEPS; step++)
      if ((await receipts.purge(clock.now() - keep, PURGE_STEP)) < PURGE_STEP) return
  }

  const failed = (cause: unknown) => log.error('clockwork-failed', {}, cause)
  /** Never twice at the same time. */
  function every(length: Millis, work: () => Promise<unknown>): void {
    let running = false
    const run = async () => {
      if (running) return
      running = true
      await work()
        .catch(failed)
        .finally(() => {
          running = false
        })
    }
    timers.push(setInterval(run, length).unref())
  }

  return {
    tick,
    start() {
      every(minutes(1), tick)
      every(SWEEP, endWhatIsOver)
      every(DELIVER, deliverLogouts)
      every(PURGE, removeOldReceipts)
      every(SYNC, () => (syncing = people.syncWhatIsDue(ending.signal)))
      // not one after the other: a directory whose people are judged anew must not keep others from being looked at
      timers.push(setInterval(() => people.look().catch(failed), LOOK).unref())
    },
    async stop() {
      for (const timer of timers) clearInterval(timer)
      ending.abort()
      await syncing
    },
  }
}
