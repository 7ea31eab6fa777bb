/** What a command line verb is: one row of `verbs/list.ts`. */
import type { Receipts, Versions } from '#access'
import type { Apis, Revocations } from '#apis'
import type { Audit } from '#audit'
import type { Seals } from '#audit/seals'
import type { Catalog } from '#catalog'
import type { LoadedSettings, Settings } from '#config'
import type { ClientPasts, History, Places, Quotas } from '#context'
import type { Clock } from '#core/clock'
import type { Log } from '#core/log'
import type { Diagnosis } from '#diagnosis'
import type { People } from '#directory'
import type { Factors } from '#factors'
import type { Keys } from '#keys'
import type { Endings } from '#protocol/oidc'
import type { SamlKeys } from '#protocol/saml'
import type { Devices, Outbox, Sessions, SignOuts } from '#sessions'
import type { Storage } from '#storage'
import type { Questions } from './questions.ts'

export interface Arguments {
  readonly positional: readonly string[]
  /** The last value of `--name VALUE`. */
  flag(name: string): string | undefined
  /** All values of `--name VALUE`, in order. */
  flags(name: string): readonly string[]
  /** `--name` without a value. */
  has(name: string): boolean
}

/** The rooms a verb may need, opened on the configured storage; the runner closes them. */
export interface House {
  readonly storage: Storage
  readonly audit: Audit
  readonly keys: Keys
  /** Towards SAML apps. */
  readonly samlKeys: SamlKeys
  readonly people: People
  readonly factors: Factors
  readonly sessions: Sessions
  readonly devices: Devices
  /** Sign-outs on their way to apps; a running server sends them. */
  readonly outbox: Outbox
  readonly signOuts: SignOuts
  readonly endings: Endings
  readonly places: Places
  readonly history: History
  readonly quotas: Quotas
  /** What programs did before. */
  readonly clients: ClientPasts
  readonly catalog: Catalog
  readonly apis: Apis
  /** Of access tokens that are JWTs. */
  readonly revocations: Revocations
  readonly diagnosis: Diagnosis
  readonly receipts: Receipts
  /** By which one sees whether trail and receipts are what was written. */
  readonly seals: Seals
  /** Published policies. */
  readonly versions: Versions
  readonly clock: Clock
  readonly log: Log
}

/** What there is before the settings are read. */
export type Immediate = Pick<Context, 'json' | 'out' | 'err' | 'print'>

export interface Context {
  readonly settings: Settings
  readonly loaded: LoadedSettings
  readonly clock: Clock
  /** Where relative names in settings start. */
  readonly folder: string
  readonly json: boolean
  out(line: string): void
  err(line: string): void
  /** With `--json` the value on one line, else the lines for people. */
  print(value: unknown, human: () => string | readonly string[]): void
  /** How much of the work is done, 0 to 1, or in words; shown on a terminal when it takes long. */
  progress(done: number | string): void
  /** Where somebody sits at a terminal and can be asked; undefined anywhere else, and with `--json`. */
  questions?: (() => Questions) | undefined
  open(): Promise<House>
  /** The rooms on another database than that of the settings; to be closed by whoever asks. */
  openAt(url: string): Promise<House & { close(): Promise<void> }>
  /** The same where there is a database already; undefined where opening would make one. */
  openExisting(): Promise<House | undefined>
}

export interface Verb {
  /** `['people', 'add']` */
  readonly words: readonly string[]
  /** `people add USERNAME --name NAME [--group G]…` */
  readonly usage: string
  readonly summary: string
  /** Flags that take a value; all others given are refused with exit code 2. */
  readonly options?: readonly string[]
  /** Flags without a value. */
  readonly switches?: readonly string[]
  /** Flags that take a length of time like `10m`, or nothing. */
  readonly durations?: readonly string[]
  /** May be the first to open the storage: makes the database and the master key where there are none. */
  readonly creates?: true
  /** Tried first, before the settings are read; undefined: cannot answer, `run` does. */
  atOnce?(args: Arguments, context: Immediate): Promise<number | undefined>
  /** 0 done, 1 the answer is no, 2 wrong use or cannot run. Refusals thrown become exit code 2 with their sentence. */
  run(args: Arguments, context: Context): Promise<number>
}
