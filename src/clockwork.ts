/**
 * What the server does by itself, all the time: ends what is over, tells apps, rotates keys, looks at directories, tidies. What need be
 * done once only is done by the leader among all processes; every process looks at what others have changed.
 */
import type { House } from '#cli'
import { type Millis, minutes, seconds } from '#core/clock'
import type { Session } from '#sessions'
import type { Leader } from './leader.ts'

export interface Clockwork {
  start(): Promise<void>
  /** Does now what is done every minute, whoever leads. */
  tick(): Promise<void>
  /** Lets a sync that is on its way come to its next resting place. */
  stop(): Promise<void>
}

interface Work {
  readonly house: House
  readonly leader: Leader
  /** How long receipts are kept. */
  readonly keep: Millis
  /** How long events are; for ever where it is undefined. */
  readonly keepEvents: Millis | undefined
  deliverLogouts(of?: Session): Promise<unknown>
  keysChanged(): void
  /** Reads the metadata of SAML apps anew, where it is time for that. */
  refreshApps(): Promise<unknown>
  /** Takes files that were written since. */
  lookAtFiles(): void
}

/** Directories are looked at when it is time for each, which costs nothing before; a few times a second, to be in time. */
const LOOK: Millis = 200

/** Half of the second after which every process knows a key that another one made or took away. */
const LOOK_AT_KEYS: Millis = 500

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
  leader,
  keep,
  keepEvents,
  deliverLogouts,
  keysChanged,
  refreshApps,
  lookAtFiles,
}: Work): Clockwork {
  const { audit, clock, diagnosis, keys, log, people, receipts, samlKeys, seals, sessions } = house
  const ending = new AbortController()
  const timers: NodeJS.Timeout[] = []
  let syncing: Promise<void> | undefined

  /** What has merely ended by its time is told at once, too. */
  async function endWhatIsOver(): Promise<void> {
    if ((await sessions.sweep()) > 0) await deliverLogouts()
  }

  /** In every process. */
  async function lookAround(): Promise<void> {
    lookAtFiles()
    await diagnosis.flush()
  }

  async function lookAtKeys(): Promise<void> {
    if (await keys.signing.look()) keysChanged()
  }

  async function tidy(): Promise<void> {
    await endWhatIsOver()
    if (await keys.signing.refresh()) keysChanged()
    await samlKeys.refresh()
    await refreshApps()
    await deliverLogouts()
    await seals.seal()
    await removeOldEvents()
    await removeOldReceipts()
    await diagnosis.tidy()
    await house.revocations.tidy()
  }

  async function tick(): Promise<void> {
    await lookAround()
    await tidy()
  }

  /** Step by step, with other writes between them, and no more than so many at once. */
  async function removeOldReceipts(): Promise<void> {
    const before = clock.now() - keep
    const through = await seals.receiptsGone(before)
    for (let step = 0; step < PURGE_STEPS; step++)
      if ((await receipts.purge(before, PURGE_STEP, through)) < PURGE_STEP) return
  }

  async function removeOldEvents(): Promise<void> {
    if (keepEvents === undefined) return
    const count = await seals.purgeEvents(clock.now() - keepEvents)
    if (count > 0) await audit.record('audit-events-removed', { actor: 'system', count })
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

  const whileLeading = (length: Millis, work: () => Promise<unknown>) =>
    every(length, async () => {
      if (leader.leads()) await work()
    })

  return {
    tick,
    async start() {
      await leader.start()
      every(minutes(1), lookAround)
      every(LOOK_AT_KEYS, lookAtKeys)
      whileLeading(minutes(1), tidy)
      whileLeading(SWEEP, endWhatIsOver)
      whileLeading(DELIVER, deliverLogouts)
      whileLeading(PURGE, removeOldReceipts)
      whileLeading(SYNC, () => (syncing = people.syncWhatIsDue(ending.signal)))
      // every process judges directories by what it has seen itself; and not one after the other: one whose people are judged
      // anew must not keep others from being looked at
      timers.push(setInterval(() => people.look().catch(failed), LOOK).unref())
    },
    async stop() {
      for (const timer of timers) clearInterval(timer)
      ending.abort()
      await syncing
      await leader.stop()
    },
  }
}
