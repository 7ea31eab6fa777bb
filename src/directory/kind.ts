/**
 * What a kind of directory is. To add one: a file in `kinds/` and a line in `kinds/list.ts`; every kind passes
 * `test/contracts/directory-kind.test.ts`, or `provider-kind.test.ts` where people sign in on pages of its own.
 *
 * The host (`people.ts`, `sign-in.ts`) owns what all share: the order of directories, the spelling of user names, empty
 * and endless passwords, equal work for unknown people, disabled people, the mirror of upstream people in our tables
 * and what it means when a directory is down. A member only knows how to ask its own directory.
 */
import type { Directory } from '#config'
import type { Clock, Instant, Millis } from '#core/clock'
import type { Log } from '#core/log'
import { Refusal } from '#core/refusal'
import type { Outbound } from '#http'
import type { Keys } from '#keys'
import type { State } from '#storage'
import type { Federated } from './federation/federated.ts'
import type { Hashing } from './hashing.ts'
import type { Person } from './person.ts'
import type { Store } from './store.ts'
import type { UpstreamPerson } from './upstream-person.ts'

/** One password may be hashed once for one attempt. Where the member does not, the host does it for nobody. */
export interface HashOnce {
  verify(phc: string | undefined, password: string): Promise<boolean>
}

export interface Attempt {
  /** Trimmed, NFC; as it was typed otherwise. */
  readonly username: string
  /** NFC, neither empty nor longer than 256 characters. */
  readonly password: string
  /** Whom our tables know under this name in this directory. */
  readonly person: Person | undefined
  readonly hash: HashOnce
}

/** The password was right, and yet the directory lets nobody in with it: `held` is what the person is told. */
export interface Held {
  readonly person: UpstreamPerson
  readonly held: 'password-expired' | 'password-must-change' | 'directory-forbids'
  /** The directory takes another password from whoever shows this one. */
  readonly changeable?: boolean
}

export interface PasswordChange {
  readonly username: string
  /** Whose it is: names come and go. */
  readonly upstreamId: string
  readonly current: string
  readonly next: string
}

/** One of the people whom a sync reads. */
export interface SyncedPerson extends UpstreamPerson {
  /** How groups of the directory name the person; it may change with the entry's place. */
  readonly place: string
}

/** Somebody whom our tables know from this directory. */
export interface MirroredPerson {
  readonly upstreamId: string
  /** Empty where it is not known. */
  readonly place: string
  readonly groups: readonly string[]
  /** False where the groups could not be told when they were asked for last: these are the ones from before. */
  readonly told: boolean
}

/** What a member is told before it reads its directory from one end to the other. */
export interface SyncAsk {
  /** What `mark` gave at the end of the last complete run; undefined asks for everybody. */
  readonly mark: string | undefined
  /** An operator said that an answer without anybody, or without any group, is meant so. */
  readonly believeEmpty: boolean
  /** Who is in our tables: for members to whom a change of a group is no change of its people. */
  mirrored(): AsyncIterable<readonly MirroredPerson[]>
}

export interface SyncReading {
  /** `all`: everybody comes, whatever was asked. `changed`: at least everybody who changed since the mark. */
  readonly scope: 'all' | 'changed'
  /** Where only who changed comes: everybody else is in the same groups as before, whatever happened to groups. */
  readonly groupsToo: boolean
  /**
   * Page by page; `unusable` counts entries that lack what a person needs. May give somebody twice. Throws
   * `directory-unavailable` where it does not come to its end: it never just ends early.
   */
  readonly pages: AsyncIterable<{ readonly people: readonly SyncedPerson[]; readonly unusable: number }>
  /** Where the next run reads on; undefined where that has to read everybody again. Only after `pages` has ended. */
  mark(): string | undefined
  /**
   * Who has this id now; undefined is certainly nobody, `unusable` somebody whose entry lacks what a person needs. Throws
   * `directory-unavailable`.
   */
  ask(upstreamId: string): Promise<SyncedPerson | 'unusable' | undefined>
  close(): void
}

export interface TestStep {
  readonly step: string
  readonly ok: boolean
  readonly ms: Millis
  /** What was found, or what went wrong. */
  readonly say: string
  /** What an operator can do about it. */
  readonly fix?: string
}

/** Whether a directory answers, as far as this process has seen. `unknown`: nobody has asked it yet. */
export type DirectoryHealth =
  /** `doubted`: the last question met no answer, and the next one decides. */
  | { readonly state: 'up' | 'unknown'; readonly doubted?: true }
  | { readonly state: 'down'; readonly since: Instant; readonly code: string }

/** Something of a directory, or towards it, that ends at a known time. */
export interface DirectoryExpiry {
  readonly what:
    | 'server-certificate'
    | 'certificate-authority'
    | 'provider-certificate'
    | 'provider-metadata'
    | 'client-secret'
  /** Of the certificate, where it is one. */
  readonly name: string
  readonly at: Instant
}

export interface DirectoryEnds {
  /** However far away. */
  readonly ends: readonly DirectoryExpiry[]
  /** Why not all of them could be found out. */
  readonly problem?: string
}

export interface OpenDirectory {
  readonly id: string
  readonly kind: Directory['kind']
  /** Where the browser goes to sign in. Passwords of its people are not for us, so `verify` says `wrong` to all. */
  readonly federated?: Federated
  /** The part of the organisation tree its people belong to. */
  readonly organisation: string | undefined
  /** Whether our tables are the directory: people are added and changed here. */
  readonly local: boolean
  /**
   * Asks the directory for somebody who may not be in our tables yet. Undefined means certainly nobody, or not exactly
   * one. Throws `directory-unavailable` when it cannot tell. Absent where our tables are the directory.
   */
  lookup?(username: string): Promise<UpstreamPerson | undefined>
  /**
   * `right`: the password belongs to `attempt.person`. `wrong`: it does not, or there is nobody. `locked`: the account is,
   * and nobody can tell whether the password was right. An upstream person: the password belongs to them, and the host
   * finds or makes our record; also where it is `held`. Throws `directory-unavailable`, `overloaded`.
   */
  verify(attempt: Attempt): Promise<'right' | 'wrong' | 'locked' | UpstreamPerson | Held>
  /**
   * Sets another password as the person who shows the current one; absent where the settings do not want it, and where our
   * tables are the directory. `wrong`: it is not the current one, or the name is not that entry's any more. Throws
   * `password-refused`, or what the directory says more exactly (`password-too-short`, `password-weak`,
   * `password-in-history`, `password-too-young`), a code of `Held`, `directory-unavailable`.
   */
  changePassword?(change: PasswordChange): Promise<'changed' | 'wrong'>
  /** From what came of the questions so far; asks nothing. Absent where our tables are the directory. */
  health?(): DirectoryHealth
  /** Asks it whether it is there, however often it failed, and answers whether it is. Never throws. */
  look?(): Promise<boolean>
  /** Begins to read everybody, or whoever changed. Throws `directory-unavailable`. Absent where it cannot be read. */
  sync?(ask: SyncAsk): Promise<SyncReading>
  /** What ends at a known time. May ask the directory. Never throws. Absent where nothing does. */
  ends?(): Promise<DirectoryEnds>
  /** For `directories test`: one step after the other, ending with the first that fails. Never throws. */
  test(username: string | undefined): AsyncIterable<TestStep>
  /** What its clock says now, in whole seconds; undefined where it does not tell. Throws `Refusal` where it cannot be asked. */
  clock?(): Promise<Instant | undefined>
  /** Lets go of connections that are kept for the next use. */
  close?(): void
}

/** It could not be asked; everything else that is thrown says something. */
export const isUnavailable = (error: unknown): error is Refusal =>
  error instanceof Refusal && error.code === 'directory-unavailable'
/** What is needed to speak with other servers over HTTP, and to sign what is sent there. */
export interface Outside {
  readonly outbound: Outbound
  readonly keys: Pick<Keys, 'signing' | 'seal' | 'unseal'>
  /** Our own public URL. */
  readonly issuer: string
}

export interface Tools {
  readonly clock: Clock
  readonly log: Log
  readonly store: Store
  readonly state: State
  readonly hashing: Hashing
  /** Where relative file names of the settings start. */
  readonly folder: string
  /** Absent where no server of others can be reached: then the kinds that need it cannot be opened. */
  readonly outside: Outside | undefined
}

export interface DirectoryKind<K extends Directory['kind']> {
  readonly kind: K
  /** Throws `settings-invalid` where the settings make no sense together. Does not ask the directory anything. */
  open(settings: Extract<Directory, { kind: K }>, tools: Tools): Promise<OpenDirectory>
}
