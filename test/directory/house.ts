/** The room on a fresh database, as tests of it need it. */
import { tmpdir } from 'node:os'
import { onTestFinished } from 'vitest'
import { type Audit, auditMigrations, createAudit } from '#audit'
import type { Directory } from '#config'
import type { Log, LogFields } from '#core/log'
import { createHashing, directoryMigrations, type Hashing, openDirectory, type People } from '#directory'
import { openStorage, type Storage } from '#storage'
import { emptyStorageUrl } from '../support/storage.ts'

export interface TestClock {
  now(): number
  pass(ms: number): void
}

export interface TestHouse {
  readonly people: People
  readonly audit: Audit
  readonly storage: Storage
  readonly clock: TestClock
  readonly hashing: Hashing
  /** Every line of the log as text. */
  readonly said: string[]
  /** The same store seen with other settings, as after a restart. */
  reopen(directories: readonly Directory[]): Promise<People>
}

export const LOCAL: Directory = Object.freeze({ id: 'local', kind: 'local' })

export async function openHouse(
  directories: readonly Directory[] = [LOCAL],
  options: { waiting?: number; url?: string } = {},
): Promise<TestHouse> {
  let time = Date.UTC(2026, 10, 22, 9)
  const clock: TestClock = {
    now: () => time,
    pass: (ms) => {
      time += ms
    },
  }
  const said: string[] = []
  const say = (event: string, fields?: LogFields, cause?: unknown) =>
    void said.push(JSON.stringify([event, fields, String(cause)]))
  const log: Log = { info: say, warn: say, error: say }
  const storage = await openStorage({
    url: options.url ?? (await emptyStorageUrl()),
    clock,
    log,
    migrations: [...auditMigrations, ...directoryMigrations],
  })
  onTestFinished(() => storage.close())
  const audit = createAudit({ storage, clock, log })
  const hashing = createHashing({ clock, ...(options.waiting === undefined ? {} : { waiting: options.waiting }) })
  const reopen = (other: readonly Directory[]) =>
    openDirectory({ storage, clock, log, audit, directories: [...other], folder: tmpdir(), hashing })
  return { people: await reopen(directories), audit, storage, clock, hashing, said, reopen }
}

/** The code of the refusal that a promise ends with. */
export async function refusalOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
  } catch (error) {
    return (error as { code?: string }).code ?? String(error)
  }
  return 'no refusal'
}
