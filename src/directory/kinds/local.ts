/** People, groups and passwords in our own tables. */
import { stopwatch } from '#core/clock'
import type { Attempt, DirectoryKind, OpenDirectory, TestStep } from '../kind.ts'
import { usernameKey } from '../person.ts'

export const local = Object.freeze<DirectoryKind<'local'>>({
  kind: 'local',
  async open(settings, { clock, log, store, hashing }) {
    const { db } = store

    /** The cost went up since this password was set, and now is the only moment at which it is known in clear. */
    async function rehash(id: string, phc: string, password: string): Promise<void> {
      try {
        const fresh = await hashing.hash(password)
        // only where the old one still stands: a password changed in the meantime must win
        await db
          .updateTable('passwords')
          .set({ phc: fresh, set_at: clock.now() })
          .where('person_id', '=', id)
          .where('phc', '=', phc)
          .execute()
      } catch (cause) {
        // the person has proved the password: an overloaded queue must not turn that into a refusal
        log.warn('password-rehash-failed', { person: id }, cause)
      }
    }

    const directory: OpenDirectory = {
      id: settings.id,
      kind: 'local',
      organisation: settings.organisation,
      local: true,
      async verify({ person, password, hash }: Attempt) {
        const phc = person && (await store.password(person.id))
        if (!(await hash.verify(phc, password)) || !person || !phc) return 'wrong'
        // ATTACK: a password that was changed while its hash waited must not let anybody in any more
        const now = await store.password(person.id)
        if (now !== phc && !(await hash.verify(now, password))) return 'wrong'
        if (hashing.outdated(phc)) await rehash(person.id, phc, password)
        return 'right'
      },
      async *test(username): AsyncGenerator<TestStep> {
        const started = stopwatch()
        const { people } = await db
          .selectFrom('people')
          .select((eb) => eb.fn.countAll<number>().as('people'))
          .where('directory', '=', settings.id)
          .executeTakeFirstOrThrow()
        yield { step: 'storage', ok: true, ms: stopwatch() - started, say: `${people} people` }
        if (username === undefined) return
        const asked = stopwatch()
        const key = usernameKey(username)
        const person = key === undefined ? undefined : (await store.byKey(key)).find((p) => p.directory === settings.id)
        const ms = stopwatch() - asked
        if (!person)
          yield {
            step: 'person',
            ok: false,
            ms,
            say: 'nobody has this user name',
            fix: 'look with `people list`, add with `people add`',
          }
        else {
          yield {
            step: 'person',
            ok: true,
            ms,
            say: `${person.username}, ${person.name}${person.disabled ? ', disabled' : ''}`,
          }
          yield { step: 'groups', ok: true, ms: 0, say: person.groups?.join(', ') || 'none' }
        }
      },
    }
    return directory
  },
})
