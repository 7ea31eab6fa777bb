/** What is changed in people: added, edited, disabled, removed, passwords set. Each change is one transaction and one audit entry. */
import type { Audit } from '#audit'
import type { Clock } from '#core/clock'
import type { Log } from '#core/log'
import { Refusal } from '#core/refusal'
import { keepAdministrator, type Taking } from './administrators.ts'
import type { ConfirmedPeople } from './confirmed.ts'
import type { Hashing } from './hashing.ts'
import type { OpenDirectory } from './kind.ts'
import { checkPassword } from './passwords.ts'
import { checkFields, type NewPerson, type Person, type PersonChanges } from './person.ts'
import { about, changedColumns, checkGroups, newRow } from './rows.ts'
import type { Store } from './store.ts'
import { KEPT_BESIDE, LOCAL_SOURCE } from './tables.ts'

export type PersonListener = (personId: string) => Promise<void>
export type PasswordListener = (personId: string, by: string) => Promise<void>

export interface Changes {
  add(input: NewPerson, by: string): Promise<Person>
  change(id: string, changes: PersonChanges, by: string): Promise<Person>
  setPassword(id: string, password: string, by: string): Promise<void>
  hasPassword(id: string): Promise<boolean>
  disable(id: string, by: string, taking?: Taking): Promise<void>
  enable(id: string, by: string): Promise<void>
  remove(id: string, by: string, taking?: Taking): Promise<void>
  onDisabled(listener: PersonListener): void
  onRemoved(listener: PersonListener): void
  onPasswordSet(listener: PasswordListener): void
  /** Calls everybody who wants to know that this person may do nothing any more. */
  tellDisabled(id: string): Promise<void>
  /** Calls everybody who wants to know that the password is another one, unless the person set it. */
  tellPasswordSet(id: string, by: string): Promise<void>
  /** The local directory of this id, or the first one. */
  localDirectory(id: string | undefined): OpenDirectory
}

export interface Parts {
  readonly store: Store
  readonly hashing: Hashing
  readonly directories: readonly OpenDirectory[]
  readonly confirmed: Pick<ConfirmedPeople, 'forget' | 'forgetPassword'>
  readonly clock: Clock
  readonly log: Log
  readonly audit: Audit
}

export function createChanges({ store, hashing, directories, confirmed, clock, log, audit }: Parts): Changes {
  const { db } = store
  const disabledListeners: PersonListener[] = []
  const removedListeners: PersonListener[] = []
  const passwordListeners: PasswordListener[] = []

  async function known(id: string): Promise<Person> {
    const person = await store.byId(id)
    if (!person) throw new Refusal('person-unknown', 'directory')
    return person
  }
  const directoryOf = (person: Person) => directories.find((one) => one.id === person.directory)
  async function knownHere(id: string): Promise<{ person: Person; directory: OpenDirectory }> {
    const person = await known(id)
    const directory = directoryOf(person)
    if (!directory?.local) throw new Refusal('directory-read-only', `directory ${person.directory}`)
    return { person, directory }
  }

  function localDirectory(id: string | undefined): OpenDirectory {
    const directory = id === undefined ? directories.find((one) => one.local) : directories.find((one) => one.id === id)
    if (!directory) throw new Refusal('directory-unknown', 'no local directory in the settings, or none of this id')
    if (!directory.local) throw new Refusal('directory-read-only', `directory ${directory.id}`)
    return directory
  }

  /** All are called, whatever one of them does; then the first failure is thrown, so that nobody believes it is done. */
  async function tell(listeners: readonly PasswordListener[], id: string, by: string): Promise<void> {
    const results = await Promise.allSettled(listeners.map(async (listener) => listener(id, by)))
    const failed = results.filter((result) => result.status === 'rejected')
    for (const { reason } of failed) log.error('person-listener-failed', { person: id }, reason)
    if (failed.length > 0) throw failed[0]!.reason
  }

  /** Whoever changes their own stays where they did it; the page that they did it on ends the rest. */
  const tellPasswordSet = async (id: string, by: string): Promise<void> => {
    await confirmed.forgetPassword(id)
    if (by !== id) await tell(passwordListeners, id, by)
  }

  async function switchTo(id: string, disabled: boolean, { force = false }: Taking = {}): Promise<void> {
    await known(id)
    const before = await store.row(id)
    await db.transaction().execute(async (trx) => {
      await trx
        .updateTable('people')
        .set({ disabled: disabled ? 1 : 0, changed_at: clock.now() })
        .where('id', '=', id)
        .execute()
      if (disabled && !force) await keepAdministrator(trx, store, [before])
    })
  }

  async function setDisabled(id: string, disabled: boolean, by: string, taking?: Taking): Promise<void> {
    await switchTo(id, disabled, taking)
    if (disabled) await confirmed.forget(id)
    // INVARIANT: the row is committed first, so whoever asks while the listeners work is refused already
    await audit.record(disabled ? 'person-disabled' : 'person-enabled', { actor: by, subject: id })
    if (disabled) await tell(disabledListeners, id, by)
  }

  const putPassword = (on: typeof db, id: string, phc: string) =>
    on
      .insertInto('passwords')
      .values({ person_id: id, phc, set_at: clock.now() })
      .onConflict((conflict) => conflict.column('person_id').doUpdateSet({ phc, set_at: clock.now() }))
      .execute()

  const self: Changes = {
    localDirectory,
    async tellDisabled(id) {
      await confirmed.forget(id)
      await tell(disabledListeners, id, 'system')
    },
    tellPasswordSet,
    onPasswordSet: (listener) => void passwordListeners.push(listener),
    onDisabled: (listener) => void disabledListeners.push(listener),
    onRemoved: (listener) => void removedListeners.push(listener),

    async add(input, by) {
      const directory = localDirectory(input.directory)
      checkFields(input, directory.organisation)
      const groups = checkGroups(input.groups ?? [])
      const row = newRow(input, groups, directory, clock.now())
      await refuseTaken(row.username_key)
      const phc =
        input.password === undefined ? undefined : await hashing.hash(checkPassword(input.password, about(row)))
      try {
        await db.transaction().execute(async (trx) => {
          await trx.insertInto('people').values(row).execute()
          if (groups.length > 0)
            await trx
              .insertInto('memberships')
              .values(groups.map((group_name) => ({ person_id: row.id, group_name, source: LOCAL_SOURCE })))
              .execute()
          if (phc !== undefined) await putPassword(trx, row.id, phc)
        })
      } catch (error) {
        // somebody else added the same name in between; the index decided
        await refuseTaken(row.username_key)
        throw error
      }
      await audit.record('person-added', { actor: by, subject: row.id })
      return store.toPerson(row)
    },

    async change(id, changes, by) {
      const { directory } = await knownHere(id)
      checkFields(changes, directory.organisation)
      const set = { ...changedColumns(changes, (await store.row(id))!, directory), changed_at: clock.now() }
      if (set.username_key !== undefined) await refuseTaken(set.username_key, id)
      try {
        await db.updateTable('people').set(set).where('id', '=', id).execute()
      } catch (error) {
        if (set.username_key !== undefined) await refuseTaken(set.username_key, id)
        throw error
      }
      await audit.record('person-changed', { actor: by, subject: id })
      return known(id)
    },

    async setPassword(id, password, by) {
      await knownHere(id)
      const row = (await store.row(id))!
      const phc = await hashing.hash(checkPassword(password, about(row)))
      await db.transaction().execute(async (trx) => {
        // a person removed while the hash ran must not leave a password behind
        if (await trx.selectFrom('people').select('id').where('id', '=', id).executeTakeFirst())
          await putPassword(trx, id, phc)
      })
      await audit.record('person-changed', { actor: by, subject: id, factor: 'password' })
      await tellPasswordSet(id, by)
    },

    async hasPassword(id) {
      const person = await store.byId(id)
      const directory = person && directoryOf(person)
      if (!person || !directory || directory.federated) return false
      return !directory.local || (await store.password(id)) !== undefined
    },

    disable: (id, by, taking) => setDisabled(id, true, by, taking),
    enable: (id, by) => setDisabled(id, false, by),

    async remove(id, by, taking) {
      // disabled first: if this process dies half-way, nobody is left who can sign in without being known
      await switchTo(id, true, taking)
      await confirmed.forget(id)
      await tell(disabledListeners, id, by)
      await tell(removedListeners, id, by)
      await db.transaction().execute(async (trx) => {
        for (const table of [...KEPT_BESIDE, 'passwords', 'memberships', 'identities'] as const)
          await trx.deleteFrom(table).where('person_id', '=', id).execute()
        await trx.deleteFrom('merges').where('survivor_id', '=', id).execute()
        await trx.deleteFrom('people').where('id', '=', id).execute()
      })
      await audit.record('person-removed', { actor: by, subject: id })
    },
  }
  return Object.freeze(self)

  /**
   * ATTACK: a local person is asked first, so one with the name of a mirrored person would stand before them at the next
   * sign-in. A name that anybody has is taken.
   */
  async function refuseTaken(key: string, except?: string): Promise<void> {
    if ((await store.byKey(key)).some((person) => person.id !== except)) throw new Refusal('person-exists', 'directory')
  }
}
