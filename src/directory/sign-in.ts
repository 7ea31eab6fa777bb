/** Who a user name is, over all directories, and whether a password is theirs. */
import { Refusal } from '#core/refusal'
import type { ConfirmedPeople, Declared, SeenDevice } from './confirmed.ts'
import type { Hashing } from './hashing.ts'
import { isUnavailable, type OpenDirectory } from './kind.ts'
import type { Ask, Mirror } from './mirror.ts'
import type { Outages } from './outages.ts'
import { passwordText } from './passwords.ts'
import { type Person, usernameKey } from './person.ts'
import type { Store } from './store.ts'

/**
 * `locked`: their directory listens to no password of theirs at the moment; for the operator, to the person it is `wrong`.
 * `unconfirmed`: their directory is down, and what is kept for that time does not vouch for this name with this password.
 * `remembered`: it does, which is less than the directory's own word. `toRenew`: the password is right, and lets nobody in
 * before they have chosen another one, which their directory takes from them.
 */
export type Verified =
  | Person
  | 'wrong'
  | 'locked'
  | 'unconfirmed'
  | { readonly remembered: Person }
  | { readonly toRenew: Person; readonly because: 'password-expired' | 'password-must-change' }

export interface SignIn {
  find(username: string): Promise<Person | undefined>
  verifyPassword(username: string, password: string, device?: SeenDevice): Promise<Verified>
  refresh(id: string, device?: SeenDevice): Promise<Person | 'gone'>
}

interface Resolved {
  readonly person?: Person
  readonly directory?: OpenDirectory
  /** A directory that was asked before and could not tell: the name may be somebody else's. */
  readonly down?: Refusal
}

/** What one attempt spends its hash on. */
interface Hash {
  verify(phc: string | undefined, password: string): Promise<boolean>
  /**
   * Whoever is kept waiting by a directory waits for the hash in its line: those whom one lets go all at once are not felt by
   * people of another. Local people, and names that nobody has, wait in the same, so that the wait tells nothing of them.
   */
  waitIn(line: string): void
  /** The PHC string of a password that was found right. */
  keep(): Promise<string>
}

interface Typed {
  readonly username: string
  readonly password: string
  readonly device: SeenDevice
}

interface Parts {
  readonly store: Store
  readonly hashing: Hashing
  /** In the order of the settings. */
  readonly directories: readonly OpenDirectory[]
  readonly mirror: Mirror
  readonly ask: Ask
  readonly outages: Outages
  readonly confirmed: ConfirmedPeople
  readonly declared: ReadonlyMap<string, Declared>
}

/** The line of those whose directory cannot be told. No directory has an id with a blank. */
const OUT_OF_REACH = 'out of reach'
const UNKNOWN_DEVICE: SeenDevice = Object.freeze({ known: false, enrolled: false })

export function createSignIn(parts: Parts): SignIn {
  const { store, hashing, directories, mirror, ask, outages, confirmed, declared } = parts
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
        if (outages.isDown(directory.id)) throw unavailable(directory)
        const upstream = await directory.lookup?.(username)
        if (upstream) return { person: await mirror(directory, upstream), directory, ...(down && { down }) }
      } catch (error) {
        // one directory that is down does not stop the people of the next
        if (!isUnavailable(error)) throw error
        await outages.suspect(directory)
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
  async function withEqualWork<T>(password: string, work: (hash: Hash) => Promise<T>): Promise<T> {
    let spent = false
    let line: string | undefined
    const waitIn = (name: string) => {
      line = name
    }
    const verify: Hash['verify'] = (phc, text) => {
      spent = true
      return hashing.verify(phc, text, line)
    }
    const keep = () => {
      spent = true
      return hashing.hash(password, line)
    }
    try {
      return await work({ verify, keep, waitIn })
    } finally {
      if (!spent) await hashing.verify(undefined, password, line)
    }
  }

  async function verified({ person, directory, down }: Resolved, typed: Typed, hash: Hash): Promise<Verified> {
    if (!person || !directory) {
      if (down) throw down
      return 'wrong'
    }
    if (!directory.local) hash.waitIn(directory.id)
    if (!directory.federated && outages.isDown(directory.id)) return remembered(person, directory, typed, hash)
    let verdict: Awaited<ReturnType<OpenDirectory['verify']>>
    try {
      verdict = await directory.verify({ ...typed, person, hash })
    } catch (error) {
      // whoever finds it out need not come again
      if (!isUnavailable(error) || !(await outages.suspect(directory))) throw error
      return remembered(person, directory, typed, hash)
    }
    if (verdict === 'wrong' || verdict === 'locked') {
      if (keeps(person, directory)) await forgetOutdated(person, typed, hash)
      // with a directory before this one down, "wrong" would be said without knowing
      if (down) throw down
      return verdict
    }
    const held = verdict !== 'right' && 'held' in verdict ? verdict : undefined
    const told = verdict === 'right' ? undefined : 'held' in verdict ? verdict.person : verdict
    // read again: whoever was disabled while the hash ran must not come in
    const now = told ? await mirror(directory, told) : await store.byId(person.id)
    // said to whoever has just shown the right password, and to nobody else
    if (told?.disabled)
      throw new Refusal('person-disabled', `switched off in directory ${directory.id}`, { subject: now?.id })
    if (!now || now.disabled) return 'wrong'
    if (held) {
      // nobody comes in with it, in an outage as little as now
      if (keeps(now, directory)) await confirmed.forgetPassword(now.id)
      // people change the password of the directory they belong to, and of no other
      if (held.held !== 'directory-forbids' && held.changeable && now.directory === directory.id)
        return { toRenew: now, because: held.held }
      throw new Refusal(held.held, `said by directory ${directory.id}`, { subject: now.id })
    }
    // ATTACK: another directory that they are connected to must not let in whom their own knows no more
    if (now.directory !== directory.id && (await refresh(now.id, typed.device)) === 'gone') return 'wrong'
    // before anything new is kept: what was done in an outage is judged by what was known before it
    if (!(await outages.standing(now)).person) return 'wrong'
    if (told && keeps(now, directory))
      await confirmed.vouched(now.id, directory.id, { phc: await hash.keep(), changedAt: told.changedAt })
    return now
  }

  /** Nothing of people who are at home elsewhere: their own directory is the one that may go down for them. */
  const keeps = (person: Person, { id }: OpenDirectory): boolean => declared.has(id) && person.directory === id

  /** The directory does not take the very password that is kept: it is another one now. */
  async function forgetOutdated(person: Person, { password }: Typed, hash: Hash): Promise<void> {
    const kept = (await confirmed.find(person.id))?.phc
    if (kept && (await hash.verify(kept, password))) await confirmed.forgetPassword(person.id, kept)
  }

  /**
   * While the directory is down: the password that it took not long ago, on a device that its settings name.
   * ATTACK: elsewhere it is compared with nobody's, so that who guesses is told what everybody is told.
   */
  async function remembered(
    person: Person,
    directory: OpenDirectory,
    { password, device }: Typed,
    hash: Hash,
  ): Promise<Verified> {
    const before = await confirmed.find(person.id)
    const usable = before?.phc && outages.mayEnter(directory.id, device, before.password_at) ? before.phc : undefined
    const right = await hash.verify(usable, password)
    // read again: whoever was disabled, or was asked about, while the hash ran must not come in
    const [now, after] = [await store.byId(person.id), await confirmed.find(person.id)]
    if (!right || !usable || after?.phc !== usable || !now || now.disabled) throw unavailable(directory)
    return { remembered: now }
  }

  async function refresh(id: string, device: SeenDevice = UNKNOWN_DEVICE): Promise<Person | 'gone'> {
    const person = await store.byId(id)
    if (!person) throw new Refusal('person-unknown', 'directory: refresh')
    const directory = directories.find((one) => one.id === person.directory)
    if (!directory) return 'gone'
    if (!directory.lookup) {
      // a provider is never asked about anybody from here; where it is down the settings say who may go on without it
      if (outages.isDown(directory.id)) {
        const vouched = (await confirmed.find(id))?.confirmed_at
        if (!outages.mayEnter(directory.id, device, vouched)) throw unavailable(directory)
      }
      return person
    }
    try {
      if (outages.isDown(directory.id)) throw unavailable(directory)
      const answer = await ask(directory, person)
      if (answer === 'gone') return 'gone'
      await confirmed.vouched(id, directory.id)
      return answer.person
    } catch (error) {
      if (!isUnavailable(error)) throw error
      if (!(await outages.suspect(directory))) return person
      const vouched = (await confirmed.find(id))?.confirmed_at
      if (!outages.mayEnter(directory.id, device, vouched)) throw error
      return person
    }
  }

  return Object.freeze({
    async find(username: string) {
      const key = usernameKey(username)
      if (key === undefined) return undefined
      const { person, down } = await resolve(spelling(username), key)
      if (!person && down) throw down
      return person
    },
    async verifyPassword(username: string, password: string, device = UNKNOWN_DEVICE): Promise<Verified> {
      // both are decided from the input alone, so they tell nothing about anybody
      const text = passwordText(password)
      if (text === undefined) return 'wrong'
      const key = usernameKey(username)
      const typed = { username: spelling(username), password: text, device }
      return withEqualWork(text, async (hash) => {
        try {
          const resolved = key === undefined ? {} : await resolve(typed.username, key)
          return await verified(resolved, typed, hash)
        } catch (error) {
          if (isUnavailable(error)) hash.waitIn(OUT_OF_REACH)
          // ATTACK: the same for a name that nobody has, one that was not seen lately and a wrong password; and it counts
          // as a try, or what is kept could be guessed at without end
          if (isUnavailable(error) && outages.takes(device)) return 'unconfirmed'
          throw error
        }
      })
    },
    refresh,
  })
}

const spelling = (username: string): string => username.trim().normalize('NFC')

const unavailable = (directory: OpenDirectory) =>
  new Refusal('directory-unavailable', `directory ${directory.id}: down`)
