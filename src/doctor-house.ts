/** What `portico doctor` sees by using the storage and asking the directories. */
import { sql } from 'kysely'
import type { House } from '#cli'
import type { Settings } from '#config'
import { type Clock, type Instant, type Millis, minutes, seconds } from '#core/clock'
import { randomId } from '#core/random'
import { Refusal } from '#core/refusal'
import { inDialect, type Storage } from '#storage'
import type { Finding } from './doctor-machine.ts'

const FAR_OFF: Millis = seconds(30)
const OFF: Millis = seconds(2)

/** `ours` and what another clock said at about the same time. */
export function clockFinding(of: string, difference: Millis): Finding {
  const check = 'clock'
  const away = Math.abs(difference)
  const say = `${(away / 1000).toFixed(1)} s ${difference > 0 ? 'ahead of' : 'behind'} ${of}`
  const fix = 'let both follow a time server (chrony, systemd-timesyncd): codes, tokens and assertions depend on it'
  if (away > FAR_OFF) return { check, state: 'failed', say, fix }
  return away > OFF ? { check, state: 'warning', say, fix } : { check, state: 'ok', say }
}

async function writable(store: Storage['state']): Promise<void> {
  const key = `doctor:${randomId(8)}`
  await store.set(key, 'written', { ttl: minutes(1) })
  if ((await store.take(key)) !== 'written') throw new Refusal('storage-unavailable', 'what was written is not read')
}

async function used(check: string, store: Storage['state'], fix: string): Promise<Finding> {
  try {
    await writable(store)
    return { check, state: 'ok', say: 'can be written and read' }
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    return { check, state: 'failed', say: error.detail ?? error.say, fix }
  }
}

export async function checkStorage({ storage }: House): Promise<Finding> {
  const found = await used('storage', storage.durable, 'see `storage.url`, and docs/operations.md')
  const setting = inDialect(storage.records, { sqlite: undefined, postgres: sql<{ fsync: string }>`show fsync` })
  if (found.state !== 'ok' || !setting) return found
  const { rows } = await setting.execute(storage.records)
  return rows[0]?.fsync === 'off'
    ? {
        ...{
          check: 'storage',
          state: 'warning',
          say: 'PostgreSQL has `fsync` off: a power cut loses what was answered',
        },
        fix: 'set `fsync = on` in postgresql.conf',
      }
    : found
}

export const checkState = async ({ storage }: House): Promise<Finding[]> =>
  storage.state === storage.durable
    ? []
    : [await used('state', storage.state, 'see `state.url`, and docs/operations.md')]

/** Whole seconds are told by most: it was half a second later, give or take as much. */
const HALF_OF_A_SECOND: Millis = 500

/** Against those of the servers that this one believes, where they tell theirs. */
export async function checkClocks(house: House, { directories }: Settings, clock: Clock): Promise<Finding[]> {
  const { storage, people } = house
  const ofPostgres = inDialect(storage.records, {
    sqlite: undefined,
    postgres: sql<{ now: number }>`select (extract(epoch from clock_timestamp()) * 1000)::bigint as now`,
  })
  const told: (readonly [of: string, now: () => Promise<Instant | undefined>])[] = [
    ['PostgreSQL', async () => ofPostgres && (await ofPostgres.execute(storage.records)).rows[0]!.now],
    ['Redis', async () => storage.stateClock()],
    ...directories.map(({ id }) => [`directory ${id}`, () => people.clock(id)] as const),
  ]
  const found = await Promise.all(
    told.map(async ([of, now]) => {
      const before = clock.now()
      // who does not answer is said where that is looked at
      const at = await now().catch(() => undefined)
      if (at === undefined) return []
      const late = at % 1000 === 0 ? HALF_OF_A_SECOND : 0
      return [clockFinding(`the clock of ${of}`, (before + clock.now()) / 2 - at - late)]
    }),
  )
  return found.flat()
}

export async function checkDirectories({ people }: House, { directories }: Settings): Promise<Finding[]> {
  const others = directories.filter(({ kind }) => kind !== 'local')
  return Promise.all(
    others.map(async ({ id }): Promise<Finding> => {
      const steps = await people.test(id)
      const wrong = steps.find(({ ok }) => !ok)
      const check = `directory ${id}`
      if (!wrong) return { check, state: 'ok', say: `answers in ${steps.length} steps` }
      return {
        ...{ check, state: 'failed', say: `${wrong.step}: ${wrong.say}` },
        fix: wrong.fix ?? `\`portico directories test ${id}\` tells more`,
      }
    }),
  )
}
