/** The factory board: how far each registered app has come, and how long that took. */
import type { App } from '#catalog'
import type { Instant, Millis } from '#core/clock'
import type { AppUse } from './app-uses.ts'

/**
 * - `registered`    nobody has opened it yet
 * - `first-sign-in` one person has, and nobody else
 * - `in-use`        several people opened it lately
 * - `idle`          nobody did lately
 * - `failing`       something failed after whatever went well last
 */
export type Stage = 'registered' | 'first-sign-in' | 'in-use' | 'idle' | 'failing'

export interface BoardRow {
  readonly id: string
  readonly name: string
  readonly stage: Stage
  readonly protocols: readonly ('oidc' | 'saml' | 'forward-auth')[]
  readonly owner: string | undefined
  readonly registeredAt: Instant
  readonly firstOpenedAt: Instant | undefined
  /** From the registration to the first time that somebody was let in. */
  readonly lead: Millis | undefined
  /** Who opened it in the time that counts as lately. */
  readonly people: number
  readonly lastOpenedAt: Instant | undefined
}

export interface BoardMonth {
  /** `2026-11`, in UTC. */
  readonly month: string
  readonly registered: number
  /** First opened in this month, whenever they were registered. */
  readonly opened: number
  /** Of those, the one in the middle. */
  readonly lead: Millis | undefined
}

export interface Board {
  readonly apps: readonly BoardRow[]
  /** The latest first; months in which nothing happened are left out. */
  readonly months: readonly BoardMonth[]
}

/**
 * Of the apps that are registered now. Programs that nobody signs in to are left out. `uses`: lately. `failures`: when a sign-in
 * failed last at each app of which nothing has gone well since.
 */
export function boardOf(apps: readonly App[], uses: readonly AppUse[], failures: ReadonlyMap<string, Instant>): Board {
  const byApp = new Map(uses.map((use) => [use.app, use]))
  const rows = apps.filter(isForPeople).map((app) => rowOf(app, byApp.get(app.id), failures.get(app.id)))
  return { apps: rows, months: monthsOf(rows) }
}

const isForPeople = ({ oidc, saml, forwardAuth }: App): boolean =>
  (saml ?? forwardAuth) !== undefined || (oidc?.grantTypes.some((grant) => grant !== 'client_credentials') ?? false)

function rowOf(app: App, use: AppUse | undefined, failedAt: Instant | undefined): BoardRow {
  const { firstOpenedAt } = app
  // what was opened under this id before is another app
  const lastOpenedAt = use && use.last >= app.createdAt ? use.last : undefined
  const people = lastOpenedAt === undefined ? 0 : use!.people
  return {
    id: app.id,
    name: app.name,
    stage: (failedAt ?? 0) > (lastOpenedAt ?? 0) ? 'failing' : stageOf(firstOpenedAt, people),
    protocols: [
      ...(app.oidc ? (['oidc'] as const) : []),
      ...(app.saml ? (['saml'] as const) : []),
      ...(app.forwardAuth ? (['forward-auth'] as const) : []),
    ],
    owner: app.owner,
    registeredAt: app.createdAt,
    firstOpenedAt,
    lead: firstOpenedAt === undefined ? undefined : Math.max(0, firstOpenedAt - app.createdAt),
    people,
    lastOpenedAt,
  }
}

function stageOf(firstOpenedAt: Instant | undefined, people: number): Stage {
  if (firstOpenedAt === undefined) return 'registered'
  if (people === 0) return 'idle'
  return people === 1 ? 'first-sign-in' : 'in-use'
}

function monthsOf(rows: readonly BoardRow[]): BoardMonth[] {
  const months = new Map<string, { registered: number; leads: Millis[] }>()
  const month = (at: Instant) => {
    const name = new Date(at).toISOString().slice(0, 7)
    const found = months.get(name) ?? { registered: 0, leads: [] }
    months.set(name, found)
    return found
  }
  for (const { registeredAt, firstOpenedAt, lead } of rows) {
    month(registeredAt).registered++
    if (firstOpenedAt !== undefined) month(firstOpenedAt).leads.push(lead!)
  }
  return [...months]
    .sort(([a], [b]) => (a < b ? 1 : -1))
    .map(([name, { registered, leads }]) => ({ month: name, registered, opened: leads.length, lead: middle(leads) }))
}

const middle = (lengths: readonly Millis[]): Millis | undefined =>
  lengths.toSorted((a, b) => a - b)[Math.floor((lengths.length - 1) / 2)]
