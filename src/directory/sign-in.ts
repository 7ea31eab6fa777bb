/** Who a user name is, over all directories, and whether a password is theirs. */
import { Refusal } from '#core/refusal'
import type { Hashing } from './hashing.ts'
import type { OpenDirectory } from './kind.ts'
import type { Mirror } from './mirror.ts'
import { passwordText } from './passwords.ts'
import { type Person, usernameKey } from './person.ts'
import type { Store } from './store.ts'

export interface SignIn {
  find(username: string): Promise<Person | undefined>
  verifyPassword(username: string, password: string): Promise<Person | 'wrong'>
  refresh(id: string): Promise<Person | 'gone'>
}

interface Resolved {
  readonly person?: Person
  readonly directory?: OpenDirectory
  /** A directory that was asked before and could not tell: the name may be somebody else's. */
  readonly down?: Refusal
}

interface Parts {
  readonly store: Store
  readonly hashing: Hashing
  /** In the order of the settings. */
  readonly directories: readonly OpenDirectory[]
  readonly mirror: Mirror
}

export function createSignIn({ store, hashing, directories, mirror }: Parts): SignIn {
  // local ones first: they answer even when all others are down
  const checking = directories.filter((d) => !d.federated)
  const ordered = [...checking.filter((d) => d.local), ...checking.filter((d) => !d.local)]
  const elsewhere = directories.filter((d) => d.federated)

  async function resolve(username: string, key: string): Promise<Resolved> {
    const stored = await store.byKey(key)
    for (const directory of ordered) {
      const person = stored.find((one) => one.directory === directory.id)
      if (person) return { person, directory }
    }
    let down: Refusal | undefined
    for (const directory of ordered) {
      try {
        const upstream = await directory.lookup?.(username)
        if (upstream) return { person: await mirror(directory, upstream), directory, ...(down && { down }) }
      } catch (error) {
        // one directory that is down does not stop the people of the next
        if (!isUnavailable(error)) throw error
        down = error
      }
    }
    if (down) return { down }
    // ATTACK: last, for a provider that gives somebody this name must not stand before those whose password it is
    for (const directory of elsewhere) {
      const person = stored.find((one) => one.directory === directory.id)
      if (person) return { person, directory }
    }
    return {}
  }

  /** INVARIANT: one hash for each password that could be one, whoever it is for and however it ends. */
  async function withEqualWork<T>(
    password: string,
    work: (hash: { verify: Hashing['verify'] }) => Promise<T>,
  ): Promise<T> {
    let spent = false
    const verify: Hashing['verify'] = (phc, text) => {
      spent = true
      return hashing.verify(phc, text)
    }
    try {
      return await work({ verify })
    } finally {
      if (!spent) await hashing.verify(undefined, password)
    }
  }

  async function verified(
    { person, directory, down }: Resolved,
    username: string,
    password: string,
    hash: { verify: Hashing['verify'] },
  ) {
    if (!person || !directory) {
      if (down) throw down
      return 'wrong'
    }
    const verdict = await directory.verify({ username, password, person, hash })
    if (verdict === 'wrong') {
      // with a directory before this one down, "wrong" would be said without knowing
      if (down) throw down
      return 'wrong'
    }
    const held = verdict !== 'right' && 'held' in verdict ? verdict : undefined
    const told = verdict === 'right' ? undefined : 'held' in verdict ? verdict.person : verdict
    // read again: whoever was disabled while the hash ran must not come in
    const now = told ? await mirror(directory, told) : await store.byId(person.id)
    // said to whoever has just shown the right password, and to nobody else
    if (told?.disabled) throw new Refusal('person-disabled', `switched off in directory ${directory.id}`)
    if (!now || now.disabled) return 'wrong'
    if (held) throw new Refusal(held.held, `said by directory ${directory.id}`)
    return now
  }

  return Object.freeze({
    async find(username: string) {
      const key = usernameKey(username)
      if (key === undefined) return undefined
      const { person, down } = await resolve(spelling(username), key)
      if (!person && down) throw down
      return person
    },
    async verifyPassword(username: string, password: string): Promise<Person | 'wrong'> {
      // both are decided from the input alone, so they tell nothing about anybody
      const text = passwordText(password)
      if (text === undefined) return 'wrong'
      const key = usernameKey(username)
      return withEqualWork(text, async (hash) => {
        const resolved = key === undefined ? {} : await resolve(spelling(username), key)
        return verified(resolved, spelling(username), text, hash)
      })
    },
    async refresh(id: string): Promise<Person | 'gone'> {
      const person = await store.byId(id)
      if (!person) throw new Refusal('person-unknown', 'directory: refresh')
      const directory = directories.find((one) => one.id === person.directory)
      if (!directory?.lookup) return directory ? person : 'gone'
      try {
        const upstream = await directory.lookup(person.username)
        const current = upstream && (await mirror(directory, upstream))
        return current?.id === id ? current : 'gone'
      } catch (error) {
        if (isUnavailable(error)) return person
        throw error
      }
    },
  })
}

const spelling = (username: string): string => username.trim().normalize('NFC')

const isUnavailable = (error: unknown): error is Refusal =>
  error instanceof Refusal && error.code === 'directory-unavailable'
