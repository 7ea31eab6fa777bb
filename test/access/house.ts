/** A store of receipts on memory storage with a clock of the test's, and random facts to put into it. */
import fc from 'fast-check'
import { accessMigrations, createReceipts, type Receipts } from '#access'
import { auditMigrations } from '#audit'
import { silentLog } from '#core/log'
import type { Decision, Facts } from '#policy'
import { openStorage, type Storage } from '#storage'
import { emptyStorageUrl } from '../support/storage.ts'

export const NINE = Date.parse('2026-11-23T09:00:00Z')
export const KEY = Buffer.alloc(32, 7)

export interface Store {
  readonly clock: { at: number; now(): number }
  readonly storage: Storage
  readonly receipts: Receipts
  /** As another process has it: with nothing in its memory. */
  another(): Receipts
}

/** Where the run says unless a url is given. */
export async function openStore(on?: string): Promise<Store> {
  const clock = { at: NINE, now: () => clock.at }
  const migrations = [...auditMigrations, ...accessMigrations]
  const storage = await openStorage({ url: on ?? (await emptyStorageUrl()), clock, log: silentLog, migrations })
  const another = () => createReceipts(storage, clock, KEY)
  return { clock, storage, receipts: another(), another }
}

/** Some at once: of thousands, those that wait for a connection to a server longer than anybody should are refused. */
export async function inTurns<T, R>(items: readonly T[], work: (item: T, at: number) => Promise<R>): Promise<R[]> {
  const done: R[] = []
  for (let from = 0; from < items.length; from += 200)
    done.push(...(await Promise.all(items.slice(from, from + 200).map((item, i) => work(item, from + i)))))
  return done
}

const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 3 })
const time = fc.oneof(
  fc.integer({ min: NINE - 1e8, max: NINE + 1e8 }),
  fc.constantFrom('2026-11-23T08:00:00Z', '2026-11-23T10:00:00+01:00'),
  fc.constantFrom(0.5, -1, 8.64e15),
)
const words = fc.subarray(['staff', 'store', 'care', 'administrators'])
const proof = fc.record(
  {
    factor: fc.constantFrom('password', 'passkey', 'totp', 'recovery-code'),
    at: maybe(time),
    user_verified: maybe(fc.boolean()),
    hardware: maybe(fc.boolean()),
  },
  { requiredKeys: ['factor'] },
)

/** Everything that facts may hold, and may lack. */
export const anyFacts: fc.Arbitrary<Facts> = fc.record({
  at: maybe(time),
  request: maybe(
    fc.record({
      kind: maybe(fc.constantFrom('app', 'admin', 'account', 'api')),
      started: maybe(time),
      wanted: maybe(
        fc.record({
          strength: maybe(fc.constantFrom(['any'], ['two-factors'])),
          max_age: maybe(fc.nat(7200)),
          fresh: maybe(fc.boolean()),
        }),
      ),
    }),
  ),
  user: maybe(
    fc.record({
      id: maybe(fc.constantFrom('p1', 'p2', 'ключ "1"\n')),
      username: maybe(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 })),
      groups: maybe(words),
      organisation: maybe(fc.constantFrom('retail/nl', null)),
      attributes: maybe(fc.constantFrom({}, { team: ['north'], site: null, __proto__x: 'a' })),
    }),
  ),
  app: maybe(
    fc.record({
      id: maybe(fc.constantFrom('crm', 'sim-swap')),
      policy: maybe(fc.constantFrom('store-apps', 'head-office', 'account', 'administrators', 'nowhere')),
      tags: maybe(fc.subarray(['store', 'high-risk'])),
      audience: maybe(fc.constantFrom(['*'], ['staff'])),
    }),
  ),
  network: maybe(
    fc.record({ ip: maybe(fc.constantFrom('127.0.0.1', '192.0.2.7', '::ffff:192.0.2.1', '203.0.113.9')) }),
  ),
  device: maybe(
    fc.record({
      id: maybe(fc.constant('d1')),
      known: maybe(fc.boolean()),
      enrolled: maybe(fc.boolean()),
      kind: maybe(fc.constantFrom('personal', 'shared')),
      site: maybe(fc.constantFrom('0001', null)),
      trusted_since: maybe(time),
    }),
  ),
  session: maybe(
    fc.record({
      started: maybe(time),
      authenticated: maybe(fc.array(proof, { maxLength: 3 })),
      upstream: maybe(fc.constant(null)),
    }),
  ),
  history: maybe(
    fc.constantFrom({ previous: null }, { previous: { at: 1, country: 'NL' }, sign_ins: [{ within: '5m', count: 2 }] }),
  ),
  client: maybe(
    fc.record({ id: maybe(fc.constant('robot')), authentication: maybe(fc.constantFrom('none', 'private_key_jwt')) }),
  ),
}) as fc.Arbitrary<Facts>

/** Of a session that was signed in at nine, opening an app `minutes` later. */
export const silent = (minutes: number, more: { person?: string; app?: string; ip?: string } = {}): Facts => ({
  at: NINE + minutes * 60_000,
  request: { kind: 'app', started: NINE + minutes * 60_000 },
  user: {
    id: more.person ?? 'p1',
    username: 'sam',
    groups: ['staff', 'store'],
    directory: 'staff',
    attributes: {},
    organisation: null,
  },
  app: { id: more.app ?? 'crm', policy: 'store-apps', tags: ['store'], tier: 'standard', audience: ['*'] },
  network: { ip: more.ip ?? '127.0.0.1' },
  device: { kind: 'personal', id: 'd1', known: true },
  session: { started: NINE, authenticated: [{ factor: 'password', at: NINE }] },
})

export const allowed = (rule = 'in a store', policies = 'sha256:1'): Decision =>
  ({ outcome: 'allow', policy: 'store-apps', rule, versions: { policies, facts: 1 } }) as Decision
