/** The factors room on a database in memory: three people with passwords, a clock that the test turns. */
import { randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import { auditMigrations, createAudit } from '#audit'
import { silentLog } from '#core/log'
import { type Attempt, type FactorKind, factorsMigrations, openFactors } from '#factors'
import { keysMigrations, openKeys } from '#keys'
import { openStorage } from '#storage'
import { createAuthenticator } from '../support/authenticator.ts'
import { emptyStorageUrl } from '../support/storage.ts'

export const START = Date.UTC(2026, 10, 22, 9)
export const ISSUER = 'https://id.kestrel.example'
export const PASSWORDS: Readonly<Record<string, { id: string; password: string }>> = {
  sam: { id: 'p-sam', password: 'sam-has-a-password' },
  kim: { id: 'p-kim', password: 'kim-has-a-password' },
}

/** The real sealing; opened once for a test file, because a keys room makes signing keys at its first start. */
async function openSealing() {
  const clock = { now: () => START }
  const migrations = [...auditMigrations, ...keysMigrations]
  const storage = await openStorage({ url: await emptyStorageUrl(), clock, log: silentLog, migrations })
  const audit = createAudit({ storage, clock, log: silentLog })
  return openKeys({ storage, clock, log: silentLog, audit, masterKey: randomBytes(32) })
}
const keys = await openSealing()

export async function openHouse() {
  const time = { now: START }
  const clock = { now: () => time.now }
  const migrations = [...auditMigrations, ...factorsMigrations]
  const storage = await openStorage({ url: await emptyStorageUrl(), clock, log: silentLog, migrations })
  const audit = createAudit({ storage, clock, log: silentLog })
  const withPassword = new Set(Object.values(PASSWORDS).map((person) => person.id))
  let looked = 0
  const options = {
    storage,
    clock,
    log: silentLog,
    audit,
    keys,
    issuer: ISSUER,
    organisation: 'Kestrel Mobile',
    verifyPassword: async (username: string, password: string) => {
      looked++
      const person = PASSWORDS[username.toLowerCase()]
      return person?.password === password ? { id: person.id } : ('wrong' as const)
    },
    hasPassword: async (personId: string) => withPassword.has(personId),
  }
  const factors = openFactors(options)

  /** Calls what throws and answers the code of the refusal; anything else it throws is thrown on. */
  const refusalOf = async (promise: Promise<unknown>): Promise<string> =>
    promise.then(
      () => 'accepted',
      (error: { code?: string }) => {
        if (!error.code) throw error
        return error.code
      },
    )

  return {
    time,
    storage,
    audit,
    options,
    factors,
    withPassword,
    refusalOf,
    /** How many values of short-lived state there are under names that begin so. */
    rows: async (prefix: string) => {
      const found = await sql<{ n: number }>`select count(*) as n from state where k like ${`${prefix}%`}`.execute(
        storage.records,
      )
      return found.rows[0]!.n
    },
    /** How often a password was really compared. */
    looked: () => looked,
    authenticator: () => createAuthenticator({ rpId: 'id.kestrel.example', origin: ISSUER }),
    attempt: (changes: Partial<Attempt> = {}): Attempt => ({
      personId: 'p-sam',
      username: 'sam',
      address: '198.51.100.7',
      knownDevice: false,
      conversation: 'c-1',
      ...changes,
    }),
    about: (personId = 'p-sam', conversation = 'c-1') => ({
      personId,
      username: personId.slice(2),
      name: 'A Person',
      conversation,
    }),
    async enrolPasskey(
      personId = 'p-sam',
      authenticator = createAuthenticator({ rpId: 'id.kestrel.example', origin: ISSUER }),
    ) {
      const about = { personId, username: personId.slice(2), name: 'A Person', conversation: 'enrol' }
      const options = await factors.beginEnrolment('passkey', about)
      const added = await factors.finishEnrolment('passkey', authenticator.create(options), about)
      return { authenticator, ...added }
    },
    events: async (kind?: FactorKind) =>
      (await audit.search({}))
        .filter((e) => !kind || e.factor === kind)
        .map((entry) => entry.event)
        .reverse(),
  }
}

export type FactorsHouse = Awaited<ReturnType<typeof openHouse>>
