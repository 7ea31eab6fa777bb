/** The room put together: one object through which everybody else sees people. */
import type { Audit } from '#audit'
import type { Directory, Settings } from '#config'
import type { Clock, Instant } from '#core/clock'
import type { Log } from '#core/log'
import { Refusal } from '#core/refusal'
import type { Soon, Storage } from '#storage'
import type { Taking } from './administrators.ts'
import { createChanges, type PasswordListener, type PersonListener } from './changes.ts'
import { createConfirmed, declaredIn, type SeenDevice } from './confirmed.ts'
import type { Chunks } from './csv.ts'
import { createFederation, type Federation } from './federation/arrivals.ts'
import type { Belief } from './federation/belief.ts'
import { createConnect, createLinkingMirror } from './federation/linking-mirror.ts'
import { createOutOfReach } from './federation/out-of-reach.ts'
import { createSamePerson } from './federation/same-person.ts'
import { createGroups } from './groups.ts'
import { createHashing, type Hashing } from './hashing.ts'
import { createIdentities, type Identities, type Identity } from './identities.ts'
import { createImport, type ImportedRow, type ImportOptions } from './import.ts'
import type { DirectoryEnds, DirectoryKind, OpenDirectory, Outside, TestStep, Tools } from './kind.ts'
import { kinds } from './kinds/list.ts'
import { createMerging, type Merging } from './merging/merging.ts'
import { createAsk, createMirror } from './mirror.ts'
import { createOutages, type DirectoryState, type Standing } from './outages.ts'
import { createOwnPassword, type OwnPassword } from './own-password.ts'
import type { NewPerson, Person, PersonChanges } from './person.ts'
import { createRejudging, type SomeSession } from './rejudging.ts'
import { createSignIn, type Verified } from './sign-in.ts'
import { createStore, type PeopleFilter } from './store.ts'
import { createSync, type SyncOptions, type SyncReport } from './sync.ts'
import { createSchedule, syncSettings } from './sync-schedule.ts'

/** `by` is a person's id, `cli` or `system`, for the audit trail. */
export interface People extends Identities, OwnPassword {
  /**
   * Who has this user name, compared without case and in NFC. Local directories answer first, then whom we have seen
   * before, then the upstreams in their order. Throws `directory-unavailable` only when nobody was found and one of the
   * directories could not be asked.
   */
  find(username: string): Promise<Person | undefined>
  /** One indexed read of our own store; asks no directory. */
  byId(id: string): Promise<Person | undefined>
  /** The same as of the beginning of the request (`Kept`): the same object until somebody writes it. */
  recall(id: string): Soon<Person | undefined>
  /**
   * One password hash of work for every name, known or not. A disabled person is `wrong`. Throws `overloaded`, and
   * `directory-unavailable` where `wrong` would be said without knowing. What the settings declare for a directory that
   * is down (`degraded`) gives `remembered` and `unconfirmed`, on devices that they name.
   */
  verifyPassword(username: string, password: string, device?: SeenDevice): Promise<Verified>
  /**
   * Asks the person's own directory again, for sign-ins without a password. `gone`: it knows them no more. When it cannot
   * be asked, the person with the last known groups; where the settings declare what holds then, only who may sign in by
   * that: throws `directory-unavailable` for everybody else.
   */
  refresh(id: string, device?: SeenDevice): Promise<Person | 'gone'>
  /**
   * How somebody stands whose directory is down, or has just come back: then they are asked about first. No read while
   * it answers.
   */
  standing(person: Person): Promise<Standing>
  /**
   * Whether what this person gives now is given without a word of their own provider, which is down, or was and has not
   * been asked by them since. No read while it answers.
   */
  isUnasked(person: Pick<Person, 'id' | 'directory'>): Promise<boolean>
  /** The tiers that are open while this directory is down; empty where its settings declare nothing. */
  tiersWhileDown(directory: string): readonly string[]
  /** Every directory in the order of the settings, as far as is known without asking. */
  states(): readonly DirectoryState[]
  /**
   * Finds out which directories are down or back, and judges the people of those that are back. To be called several times
   * a second by a server: what is not due costs nothing.
   */
  look(): Promise<void>
  /** Who has a session is asked about as well when a directory is back. */
  alsoJudge(others: () => AsyncIterable<SomeSession>): void
  /** Awaited when a directory is back that cannot tell, or denies, that the password is still the one it was. */
  onPasswordDoubtful(listener: PersonListener): void
  /** Local people only, like `change`: throws `directory-read-only`. Throws `password-weak`, `person-unknown`, `overloaded`. */
  setPassword(id: string, password: string, by: string): Promise<void>
  /** Whether a password is a way to sign in for this person: one is set here, or an upstream checks it. */
  hasPassword(id: string): Promise<boolean>
  /** Throws `person-exists`, `input-invalid`, `password-weak`. */
  add(input: NewPerson, by: string): Promise<Person>
  change(id: string, changes: PersonChanges, by: string): Promise<Person>
  /**
   * Resolves after everything the person had has ended. Calling it again tells everybody again. Throws `last-administrator`, as
   * `remove` and `removeFromGroup` do.
   */
  disable(id: string, by: string, taking?: Taking): Promise<void>
  enable(id: string, by: string): Promise<void>
  /** Disables, then deletes. Somebody of an upstream comes back, as another person, at their next sign-in. */
  remove(id: string, by: string, taking?: Taking): Promise<void>
  /** By user name; 100 at most unless `limit` says more. The next page starts after the last id of this one. */
  list(filter?: PeopleFilter): Promise<Person[]>
  /** Throws before the first row where there is no local directory; everything else is said row by row. */
  import(rows: Chunks, options: ImportOptions, by: string): AsyncIterable<ImportedRow>
  groups(): Promise<{ name: string; members: number }[]>
  addToGroup(id: string, group: string, by: string): Promise<void>
  removeFromGroup(id: string, group: string, by: string, taking?: Taking): Promise<void>
  /** Awaited by `disable` and `remove`: sessions and tokens end here. */
  onDisabled(listener: PersonListener): void
  /** Awaited by `remove`, after `onDisabled`: what other rooms keep about the person goes here. */
  onRemoved(listener: PersonListener): void
  /** Awaited by `setPassword` and `import` when somebody else than the person set another password: whoever knew the old one is out. */
  onPasswordSet(listener: PasswordListener): void
  /**
   * What a directory calls the entry of this name for ever; undefined where it has none. Throws `directory-unknown`,
   * `directory-read-only` where it cannot be asked by name, `directory-unavailable`.
   */
  upstreamIdOf(directory: string, username: string): Promise<string | undefined>
  /** Two directories become one, and whom an earlier id means now. */
  readonly merging: Merging
  /** Signing in on pages of other providers. */
  readonly federation: Federation
  /** Step by step; the last one is the one that failed, if any did. Throws `directory-unknown`. */
  test(directoryId: string, username?: string): Promise<TestStep[]>
  /** What the clock of a directory says now, in whole seconds; undefined where it tells none. Throws where it cannot be asked. */
  clock(directoryId: string): Promise<Instant | undefined>
  /** Of every directory, what of it or towards it ends at a known time. Asks those that are elsewhere. */
  ends(): Promise<readonly ({ readonly directory: string } & DirectoryEnds)[]>
  /**
   * Brings a directory over into our tables: everybody, or who changed since the last time. Throws `directory-unknown`,
   * `directory-unavailable`, `sync-unsupported`, `sync-running`, `sync-doubtful`, `sync-stopped`; whom it did not read
   * stays as before.
   */
  sync(directoryId: string, options: SyncOptions, by: string): Promise<SyncReport>
  /** Syncs the directories whose settings say how often and whose time has come, one after the other. Never throws. */
  syncWhatIsDue(signal: AbortSignal): Promise<void>
  /** Lets go of connections to directories that are kept for the next use. */
  close(): void
  /** Password hashing, for metrics. */
  load(): { done: number; running: number; waiting: number }
}

export interface DirectoryOptions {
  readonly storage: Storage
  readonly clock: Clock
  readonly log: Log
  readonly audit: Audit
  readonly directories: Settings['directories']
  /** User names of the setting `break_glass`. */
  readonly breakGlass?: Settings['break_glass']
  /** Where relative file names of the settings start. */
  readonly folder: string
  /** One queue per process; made here when left out. */
  readonly hashing?: Hashing
  /** For directories that are asked over HTTP. */
  readonly outside?: Outside
}

/** Throws `settings-invalid` where a directory's settings cannot be used. Asks no directory anything. */
export async function openDirectory(options: DirectoryOptions): Promise<People> {
  const { storage, clock, log, audit, folder } = options
  const store = createStore(storage, new Set(options.directories.map(({ id }) => id)))
  const hashing = options.hashing ?? createHashing({ clock })
  const tools: Tools = { clock, log, store, state: storage.state, hashing, folder, outside: options.outside }
  const directories: OpenDirectory[] = []
  for (const settings of options.directories) {
    if (directories.some(({ id }) => id === settings.id))
      throw new Refusal('settings-invalid', `directories: ${settings.id}: this id is there twice`)
    directories.push(await openOne(settings, tools))
  }
  const declared = declaredIn(options.directories)
  const confirmed = createConfirmed(storage, store, clock, declared)
  const all = createChanges({ store, hashing, directories, confirmed, clock, log, audit })
  const mirror = createMirror({ store, clock, log, audit, tellDisabled: all.tellDisabled })
  const identities = createIdentities({ store, clock, audit })
  const beliefs: readonly Belief[] = options.directories
  const outOfReach = createOutOfReach(store, options.breakGlass ?? [])
  const samePerson = createSamePerson({ store, identities, beliefs, outOfReach, log })
  const connect = createConnect({ identities, samePerson, beliefs })
  const linkingMirror = createLinkingMirror(mirror, connect)
  const ask = createAsk(linkingMirror)
  const doubtful: PersonListener[] = []
  let others: () => AsyncIterable<SomeSession> = async function* () {}
  const rejudging = createRejudging({
    ...{ store, log, audit, confirmed, ask },
    tellGone: all.tellDisabled,
    async tellDoubtful(id) {
      for (const listener of doubtful) await listener(id)
    },
    others: () => others(),
  })
  const outages = await createOutages({ store, clock, log, audit, directories, declared, confirmed, rejudging })
  const federation = createFederation({
    ...{ directories, beliefs, store, identities, samePerson, outOfReach, mirror, outages, clock },
  })
  const signIn = createSignIn({
    ...{ store, hashing, directories, ask, outages, confirmed, declared },
    mirror: linkingMirror,
  })
  const domainsOf = (id: string) => beliefs.find((one) => one.id === id)?.domains ?? []
  const merging = createMerging({ store, directories, clock, audit, domainsOf, tellDisabled: all.tellDisabled })
  const { tellDisabled: _tellDisabled, tellPasswordSet: _tellPasswordSet, localDirectory: _local, ...changes } = all
  const { sync } = createSync({
    store,
    // of the lease: after a failover there must not be two who hold it
    state: storage.durable,
    directories,
    settings: syncSettings(options.directories),
    changes: all,
    connect,
    clock,
    log,
    audit,
  })
  return Object.freeze({
    ...signIn,
    ...changes,
    ...createOwnPassword({
      store,
      directories,
      audit,
      setPassword: all.setPassword,
      forgetKept: (id) => confirmed.forgetPassword(id),
    }),
    ...createGroups({ store, clock, audit }),
    ...identities,
    async link(personId: string, identity: Pick<Identity, 'directory' | 'upstreamId'>, by: string) {
      const directory = directories.find((one) => one.id === identity.directory)
      if (!directory) throw new Refusal('directory-unknown', 'directory: link')
      if (directory.local) throw new Refusal('identity-taken', 'people of a local directory are made here')
      await identities.link(personId, identity, by)
    },
    federation,
    merging,
    async upstreamIdOf(id: string, username: string) {
      const directory = directories.find((one) => one.id === id)
      if (!directory) throw new Refusal('directory-unknown', 'directory: upstream id')
      if (!directory.lookup) throw new Refusal('directory-read-only', `directory ${id} cannot be asked by name`)
      return (await directory.lookup(username))?.upstreamId
    },
    byId: store.byId,
    recall: store.recall,
    list: (filter: PeopleFilter = {}) => store.list(filter),
    import: createImport({ store, hashing, changes: all, clock, log, audit }),
    sync,
    syncWhatIsDue: createSchedule({ store, directories: options.directories, sync, clock, log }),
    load: hashing.load,
    standing: outages.standing,
    isUnasked: outages.isUnasked,
    tiersWhileDown: (directory: string) => declared.get(directory)?.tiers ?? [],
    states: outages.states,
    look: outages.look,
    alsoJudge(source: () => AsyncIterable<SomeSession>) {
      others = source
    },
    onPasswordDoubtful: (listener: PersonListener) => void doubtful.push(listener),
    close() {
      rejudging.close()
      for (const directory of directories) directory.close?.()
    },
    ends: () =>
      Promise.all(directories.map(async ({ id, ends }) => ({ directory: id, ...((await ends?.()) ?? { ends: [] }) }))),
    clock: async (directoryId: string) => directories.find(({ id }) => id === directoryId)?.clock?.(),
    async test(directoryId: string, username?: string) {
      const directory = directories.find(({ id }) => id === directoryId)
      if (!directory) throw new Refusal('directory-unknown', 'directory test')
      const steps: TestStep[] = []
      for await (const step of directory.test(username)) steps.push(step)
      return steps
    },
  })
}

const openOne = <K extends Directory['kind']>(
  settings: Extract<Directory, { kind: K }>,
  tools: Tools,
): Promise<OpenDirectory> => (kinds[settings.kind as K] as DirectoryKind<K>).open(settings, tools)
