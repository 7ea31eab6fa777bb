/** The room put together. */
import type { App, Catalog } from '#catalog'
import { type Clock, days, type Instant, seconds } from '#core/clock'
import type { Log } from '#core/log'
import type { Storage } from '#storage'
import { CAUSES } from './causes/list.ts'
import { createLoops } from './loops.ts'
import { createNotes } from './notes.ts'
import { createFailureRecords, type Diagnosed, failureReference } from './records.ts'
import type { Failure, Stage, Via } from './seen.ts'
import { createUnknown } from './unknown.ts'

export interface Diagnosis {
  /**
   * Finds the cause, and notes it in the log and the records, within limits (`notes.ts`). Answers the reference for the page
   * on which somebody is stopped: under it `byReference` finds this.
   */
  failed(failure: Failure): Promise<string>
  /** Something of this app went well; costs nothing where nothing had failed. */
  worked(app: string, stage: Stage): Promise<void>
  /** Somebody was let in. Notes a browser that goes in circles. */
  opened(about: { app: App; session: string; request: string; via: Via }): Promise<void>
  /** The app has taken the code that it was given. */
  redeemed(app: string, session: string): void
  /** A request of an app that is not registered: counted in the log, and nothing else. */
  unknown(kind: 'client-id' | 'entity-id', name: string): Promise<void>
  /** The newest first; nothing from before the app was registered, where another one had the same id. */
  ofApp(app: App): Promise<Diagnosed[]>
  /** By what somebody reads out; undefined also for what is no reference of this kind. */
  byReference(text: string): Promise<Diagnosed | undefined>
  /** Writes down what this process has only counted. */
  flush(): Promise<void>
  /** The same, and forgets apps that are gone and what is old. */
  tidy(): Promise<void>
}

export interface DiagnosisOptions {
  readonly issuer: string
  readonly storage: Pick<Storage, 'records'>
  readonly clock: Clock
  readonly log: Log
  readonly catalog: Pick<Catalog, 'apps'>
}

/** How far the app came says what works up to there. */
const MENDS: Readonly<Record<Stage, readonly Stage[]>> = Object.freeze({
  authorization: ['authorization', 'sign-in'],
  token: ['authorization', 'token', 'sign-in'],
  introspection: ['introspection'],
  'sign-on': ['sign-on', 'sign-in'],
  opening: ['opening', 'sign-in'],
  'sign-in': ['sign-in'],
  'sign-out': ['sign-out'],
  arrival: ['arrival'],
  groups: ['groups'],
})

/** Failures that other processes noted are known after so long. */
const READ_AGAIN = seconds(10)
const KEPT = days(90)

export function openDiagnosis(options: DiagnosisOptions): Diagnosis {
  const { issuer, storage, clock, log, catalog } = options
  const records = createFailureRecords(storage)
  const notes = createNotes({ records, clock, log })
  const loops = createLoops(clock)
  const unknown = createUnknown({ apps: catalog.apps, clock, log })
  let open = new Set<string>()
  let readAt: Instant = -Infinity
  const keyOf = (app: string, stage: string) => `${app} ${stage}`

  /** One small query in ten seconds, whatever goes on. */
  async function readOpen(): Promise<void> {
    const now = clock.now()
    if (now >= readAt && now - readAt < READ_AGAIN) return
    readAt = now
    const before = new Set(open)
    const read = (await records.open()).map(({ app, stage }) => keyOf(app, stage))
    // what failed in the meantime stays
    open = new Set([...read, ...[...open].filter((key) => !before.has(key))])
  }

  async function failed(failure: Failure): Promise<string> {
    for (const cause of CAUSES) {
      const found = cause.find(failure, issuer)
      if (!found) continue
      const reference = await notes.add(failure, cause, found)
      open.add(keyOf(failure.app.id, failure.stage))
      return reference
    }
    throw new Error('the last cause fits everything')
  }

  async function worked(app: string, stage: Stage): Promise<void> {
    await readOpen()
    const stages = MENDS[stage].filter((one) => open.has(keyOf(app, one)))
    if (stages.length === 0) return
    for (const one of stages) open.delete(keyOf(app, one))
    // what was only counted came before this
    await notes.flush(app)
    await records.mend(app, stages, clock.now())
  }

  return Object.freeze({
    failed,
    worked,
    unknown,
    redeemed: loops.redeemed,

    async opened({ app, session, request, via }: Parameters<Diagnosis['opened']>[0]) {
      const { loop, stayed } = loops.opened(app.id, session, via)
      if (loop) await failed({ app, request, stage: 'arrival', seen: { error: 'again-and-again', loop } })
      if (stayed) await worked(app.id, 'arrival')
    },

    async ofApp({ id, createdAt }: App) {
      return (await records.ofApp(id)).filter(({ lastAt }) => lastAt >= createdAt)
    },

    async byReference(text: string) {
      const reference = failureReference(text)
      return reference === undefined ? undefined : records.byReference(reference)
    },

    flush: () => notes.flush(),

    async tidy() {
      await notes.flush()
      await records.forgetOlder(clock.now() - KEPT)
      for (const app of await records.apps()) {
        if (await catalog.apps.find(app)) continue
        await records.forget(app)
        notes.forget(app)
      }
    },
  })
}
