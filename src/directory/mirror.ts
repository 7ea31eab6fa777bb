/**
 * Upstream people in our tables. A mirrored person keeps one id for ever, found by what the upstream calls the entry for
 * ever; user names come and go. What only we know (disabled here, groups and attributes given here) is never touched by a
 * mirror, and who is an administrator of ours is for nobody else to say. Whoever a directory switches off is told of like
 * somebody who is disabled here. How it is written: `mirror-write.ts`.
 */
import type { Audit } from '#audit'
import { type Clock, type Instant, minutes } from '#core/clock'
import type { Log } from '#core/log'
import type { OpenDirectory } from './kind.ts'
import { createMirrorWriter } from './mirror-write.ts'
import type { Person } from './person.ts'
import type { Store } from './store.ts'
import type { UpstreamPerson } from './upstream-person.ts'

export type Mirror = (directory: OpenDirectory, upstream: UpstreamPerson) => Promise<Person>

interface Parts {
  readonly store: Store
  readonly clock: Clock
  readonly log: Log
  readonly audit: Audit
  /** Awaited where a directory switches somebody off: what they had ends here. */
  readonly tellDisabled: (id: string) => Promise<void>
}

export function createMirror({ store, clock, log, audit, tellDisabled }: Parts): Mirror {
  const { db } = store
  const writer = createMirrorWriter({ log })

  /** The row where nothing needs to be written: most sign-ins. */
  async function current(directory: OpenDirectory, upstream: UpstreamPerson) {
    const [compared] = await writer.all(db, directory, [upstream], { now: clock.now(), write: false })
    if (compared?.outcome !== 'unchanged') return undefined
    const row = await store.row(compared.id)
    const aged = compared.home && upstream.groups !== undefined && clock.now() - Number(row?.groups_at) > minutes(1)
    return aged ? undefined : row
  }

  const write = (directory: OpenDirectory, upstream: UpstreamPerson) =>
    db.transaction().execute(async (trx) => {
      const now = clock.now()
      const [written] = await writer.all(trx, directory, [upstream], { now, write: true })
      const { id, outcome, home } = written!
      if (home && outcome === 'unchanged' && upstream.groups !== undefined)
        await trx.updateTable('people').set({ groups_at: now }).where('id', '=', id).execute()
      return written!
    })

  return async (directory, upstream) => {
    const row = await current(directory, upstream)
    if (row) return store.toPerson(row)
    // two processes may see the same person for the first time at once; the second then finds the row of the first
    const written = await write(directory, upstream).catch(() => write(directory, upstream))
    if (written.outcome === 'added')
      await audit.record('person-added', { actor: 'system', subject: written.id, reason: 'upstream' })
    else if (written.regrouped)
      await audit.record('group-changed', { actor: 'system', subject: written.id, reason: 'upstream' })
    if (written.switched) {
      const event = written.switched === 'off' ? 'person-disabled' : 'person-enabled'
      await audit.record(event, { actor: 'system', subject: written.id, reason: 'upstream' })
      if (written.switched === 'off') await tellDisabled(written.id)
    }
    return (await store.byId(written.id))!
  }
}

/** What the person's directory says of them now. `changedAt`: when it says that anything about the entry was changed. */
export type Answer = { readonly person: Person; readonly changedAt: Instant | undefined } | 'gone'

/** Throws `directory-unavailable`. */
export type Ask = (directory: OpenDirectory, person: Person) => Promise<Answer>

/** `directory` is the person's own, and not ours. */
export const createAsk =
  (mirror: Mirror): Ask =>
  async (directory, person) => {
    const upstream = await directory.lookup!(person.username)
    const current = upstream && (await mirror(directory, upstream))
    return current?.id === person.id ? { person: current, changedAt: upstream!.changedAt } : 'gone'
  }
