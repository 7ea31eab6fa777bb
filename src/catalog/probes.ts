/** What a probe found of an app (`#probe`): the last report for each protocol that it speaks, kept as long as the app. */
import type { Kysely, Transaction } from 'kysely'
import type { Instant } from '#core/clock'
import type { App, Definition } from './app.ts'
import { PROTOCOL_KEYS, type ProtocolKey } from './protocols/list.ts'
import type { Tables } from './tables.ts'

export interface KeptProbe {
  readonly protocol: ProtocolKey
  /** `green`, or another word that is not. */
  readonly grade: string
  readonly at: Instant
  /** As it was given. */
  readonly report: unknown
}

type From = Kysely<Tables> | Transaction<Tables>
type Short = Omit<KeptProbe, 'report'>

/**
 * Since when an app counts as tried: the oldest of the last probes, one for each protocol that it speaks. Nothing where one of
 * them is missing or is not green.
 */
export function greenSince(app: Pick<Definition, ProtocolKey>, probes: readonly Short[]): { greenSince?: Instant } {
  const spoken = PROTOCOL_KEYS.filter((key) => app[key] !== undefined)
  const green = spoken.flatMap((key) => probes.filter(({ protocol, grade }) => protocol === key && grade === 'green'))
  const tried = spoken.length > 0 && green.length === spoken.length
  return tried ? { greenSince: Math.min(...green.map(({ at }) => at)) } : {}
}

export async function probesOf(from: From, app: App['id']): Promise<KeptProbe[]> {
  const rows = await from.selectFrom('app_probes').selectAll().where('app', '=', app).orderBy('protocol').execute()
  return rows.map(({ protocol, grade, at, report }) => ({
    protocol: protocol as ProtocolKey,
    grade,
    at: Number(at),
    report: JSON.parse(report),
  }))
}

/** Of all apps, without the reports. */
export async function allProbes(from: From): Promise<Map<string, Short[]>> {
  const rows = await from.selectFrom('app_probes').select(['app', 'protocol', 'grade', 'at']).execute()
  const short = rows.map(({ app, protocol, grade, at }) => ({
    app,
    protocol: protocol as ProtocolKey,
    grade,
    at: Number(at),
  }))
  return Map.groupBy(short, ({ app }) => app)
}

export async function writeProbe(
  from: From,
  app: App['id'],
  { protocol, grade, at, report }: KeptProbe,
): Promise<void> {
  const values = { grade, at, report: JSON.stringify(report) }
  await from
    .insertInto('app_probes')
    .values({ app, protocol, ...values })
    .onConflict((conflict) => conflict.columns(['app', 'protocol']).doUpdateSet(values))
    .execute()
}
