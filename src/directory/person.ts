/** What a person is here, and what may be written into the fields of one. */
import type { Instant } from '#core/clock'
import { Refusal } from '#core/refusal'

export const LANGUAGES = Object.freeze(['en', 'nl', 'de', 'ru'] as const)
export type Language = (typeof LANGUAGES)[number]

/**
 * Who may do everything in Portico. Given here only: what another directory calls so is left out of the mirror, and an
 * import gives and takes it only when it was told so.
 */
export const ADMINISTRATORS = 'administrators'

export interface Person {
  /** Opaque and stable for ever: the `sub` of every protocol. */
  readonly id: string
  readonly username: string
  /** The id of the directory in the settings. */
  readonly directory: string
  readonly name: string
  readonly givenName?: string
  readonly familyName?: string
  readonly mail?: string
  readonly mailVerified: boolean
  /** A path in the organisation tree, like `retail/nl`. */
  readonly organisation?: string
  /** Undefined is unknown: the directory was never able to tell. An empty list is known to be nothing. */
  readonly groups: readonly string[] | undefined
  readonly attributes: Readonly<Record<string, readonly string[]>>
  readonly language?: Language
  /** By somebody here, because their directory is none of ours any more, or because it has them no more. */
  readonly disabled: boolean
  /** Since when their directory has been known to have them no more. */
  readonly goneAt?: Instant
  readonly createdAt: Instant
}

export interface NewPerson {
  readonly username: string
  readonly name: string
  /** A local directory; the first one by default. */
  readonly directory?: string
  readonly givenName?: string
  readonly familyName?: string
  readonly mail?: string
  readonly mailVerified?: boolean
  readonly organisation?: string
  readonly groups?: readonly string[]
  readonly attributes?: Readonly<Record<string, readonly string[]>>
  readonly language?: Language
  readonly disabled?: boolean
  readonly password?: string
}

/** What is left out stays; `undefined` and an empty text clear a field that may be absent. */
export interface PersonChanges {
  readonly username?: string
  readonly name?: string
  readonly givenName?: string | undefined
  readonly familyName?: string | undefined
  readonly mail?: string | undefined
  readonly mailVerified?: boolean
  readonly organisation?: string | undefined
  readonly attributes?: Readonly<Record<string, readonly string[]>>
  readonly language?: Language | undefined
}

const LONGEST_USERNAME = 128
const LONGEST_TEXT = 200
const LONGEST_MAIL = 254

/**
 * What two spellings of one user name have in common: no blanks around it, NFC, lower case.
 * Undefined for a text that cannot be a user name of anybody, so that it never reaches a database or a directory.
 * ATTACK: look-alikes of other scripts, full-width and zero-width characters stay different, because nothing here folds
 * them (NFKC would).
 */
export function usernameKey(typed: string): string | undefined {
  if (typed.length > 4 * LONGEST_USERNAME || !typed.isWellFormed()) return undefined
  const key = typed.trim().normalize('NFC').toLowerCase().normalize('NFC')
  if (key === '' || [...key].length > LONGEST_USERNAME || /[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/u.test(key))
    return undefined
  return key
}

type Rule = readonly [code: string, say: string]

const oneLine = (text: string, longest: number) =>
  text.isWellFormed() && [...text].length <= longest && text.trim() !== '' && !/[\p{Cc}\p{Zl}\p{Zp}]/u.test(text)

/** A user name that Portico gives out itself, as opposed to one that another directory brings. */
export const usernameProblem = (username: string): Rule | undefined =>
  usernameKey(username) !== undefined &&
  /^[\p{L}\p{N}_][\p{L}\p{M}\p{N}._@+'-]*$/u.test(username.trim().normalize('NFC'))
    ? undefined
    : [
        'username-invalid',
        'a user name starts with a letter or digit, has letters, digits and . _ @ + - and at most 128 characters',
      ]

export const groupProblem = (group: string): Rule | undefined =>
  [...group].length <= 64 &&
  /^[\p{L}\p{N}][\p{L}\p{M}\p{N} ._:/-]*$/u.test(group) &&
  group === group.trim() &&
  group === group.normalize('NFC')
    ? undefined
    : [
        'group-invalid',
        'a group starts with a letter or digit, has letters, digits, blanks and . _ : / - and at most 64 characters',
      ]

/**
 * ATTACK: `Administrators`, full-width spellings, marks and invisible characters are written by those who hope that
 * somebody compares loosely. Letters of other scripts make another group, as in user names.
 */
export const isAdministrators = (group: string): boolean =>
  group
    .toLowerCase()
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[\p{M}\p{Cf}\p{Default_Ignorable_Code_Point}]/gu, '')
    .trim() === ADMINISTRATORS

export const organisationProblem = (organisation: string, root: string | undefined): Rule | undefined => {
  if (organisation.length > LONGEST_TEXT || !/^[a-z0-9][a-z0-9-]*(\/[a-z0-9][a-z0-9-]*)*$/.test(organisation)) {
    return ['organisation-invalid', 'an organisation is a path of lower-case names, like retail/nl']
  }
  if (root === undefined || organisation === root || organisation.startsWith(`${root}/`)) return undefined
  return ['organisation-outside', 'the organisation is outside the part of the tree that this directory serves']
}

type Texts = Pick<
  PersonChanges,
  'username' | 'name' | 'givenName' | 'familyName' | 'mail' | 'organisation' | 'language'
>

/** The first thing that is wrong with the fields given, as a stable code and a sentence. */
export function fieldProblem(fields: Texts, organisationRoot: string | undefined): Rule | undefined {
  if (fields.username !== undefined) {
    const problem = usernameProblem(fields.username)
    if (problem) return problem
  }
  if (fields.name !== undefined && !oneLine(fields.name, LONGEST_TEXT))
    return ['name-invalid', 'a name is one line of 1 to 200 characters']
  for (const part of [fields.givenName, fields.familyName]) {
    if (part && !oneLine(part, LONGEST_TEXT))
      return ['name-invalid', 'a given or family name is one line of at most 200 characters']
  }
  if (fields.mail && !isMail(fields.mail)) return ['mail-invalid', 'this is not a mail address']
  if (fields.organisation) {
    const problem = organisationProblem(fields.organisation, organisationRoot)
    if (problem) return problem
  }
  if (fields.language && !LANGUAGES.includes(fields.language))
    return ['language-invalid', `a language is one of ${LANGUAGES.join(', ')}`]
  return undefined
}

/** Throws what `fieldProblem` found; for callers that have no row to report it in. */
export function checkFields(fields: Texts, organisationRoot: string | undefined): void {
  const problem = fieldProblem(fields, organisationRoot)
  if (problem) throw new Refusal('input-invalid', problem.join(': '))
}

/** Loose on purpose (RFC 5321 §4.1.2 allows more than anybody uses); only a mail that arrives proves an address. */
export const isMail = (text: string): boolean =>
  text.length <= LONGEST_MAIL &&
  /^[^\s@<>()",;:\\\p{C}]{1,64}@[^\s@<>()",;:\\/\p{C}]+\.?[^\s@<>()",;:\\/\p{C}.]$/u.test(text)
