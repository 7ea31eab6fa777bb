/** What a protocol that apps speak has to say about itself. To add one: a file here and its line in `list.ts`. */
import type { AddressUse } from '../addresses.ts'
import type { ClientSecrets } from '../secrets.ts'

/** Placeholders filled; what lacks a value is undefined. */
export interface Fill {
  one(text: string | undefined): string | undefined
  /** Those that have all their values. */
  all(texts: readonly string[] | undefined): string[]
}

export type Path = readonly (string | number)[]

/** A place in the protocol's part of a manifest where an address stands. */
export interface AddressAt {
  readonly path: Path
  readonly text: string
  readonly use: AddressUse
}

/** What has to hold; `message` goes on after the name of the place. */
export type Rule = readonly [holds: boolean, path: Path, code: string, message: string]

/** By what somebody outside names the app. INVARIANT: two apps never have the same one. */
export interface AppName {
  readonly kind: 'entity-id' | 'host'
  readonly name: string
}

export interface AppProtocol<Part, Stored extends object, Seen> {
  /** As it is called in files. */
  readonly key: 'oidc' | 'saml' | 'forward_auth'
  /** What a template with these values gives by itself; without a template, the plain defaults. */
  base(part: Part | undefined, fill: Fill): Stored
  addresses(stored: Stored): AddressAt[]
  rules(stored: Stored): readonly Rule[]
  names(stored: Stored): AppName[]
  /** As other rooms see it. */
  seen(stored: Stored, id: string, secrets?: ClientSecrets): Seen
}

type Present<T> = { [K in keyof T]: Exclude<T[K], undefined | null> }

/** Without the keys that say nothing. */
export const present = <T extends object>(value: T): Present<T> =>
  Object.fromEntries(Object.entries(value).filter(([, inner]) => inner !== undefined && inner !== null)) as Present<T>
