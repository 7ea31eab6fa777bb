/** From what callers give to what the tables hold. */
import { randomId } from '#core/random'
import { Refusal } from '#core/refusal'
import type { OpenDirectory } from './kind.ts'
import {
  ADMINISTRATORS,
  groupProblem,
  isAdministrators,
  type NewPerson,
  type PersonChanges,
  usernameKey,
} from './person.ts'
import type { PeopleTable } from './tables.ts'

export function checkGroups(groups: readonly string[]): string[] {
  for (const group of groups) {
    const problem = groupProblem(group)
    if (problem) throw new Refusal('input-invalid', problem.join(': '))
    if (isAdministrators(group) && group !== ADMINISTRATORS)
      throw new Refusal('input-invalid', 'group-invalid: looks like administrators')
  }
  return [...new Set(groups)].sort()
}

/** What a password must not be made of. */
export const about = (
  row: Pick<PeopleTable, 'username' | 'name' | 'given_name' | 'family_name' | 'mail' | 'organisation' | 'directory'>,
) => [
  row.username,
  row.name,
  row.given_name ?? undefined,
  row.family_name ?? undefined,
  row.mail ?? undefined,
  row.organisation ?? undefined,
  row.directory,
  'portico',
]

export function newRow(
  input: NewPerson,
  groups: readonly string[],
  directory: OpenDirectory,
  now: number,
): PeopleTable {
  const username = input.username.trim().normalize('NFC')
  return {
    id: randomId(),
    directory: directory.id,
    username,
    username_key: usernameKey(username)!,
    upstream_id: null,
    name: text(input.name)!,
    given_name: text(input.givenName),
    family_name: text(input.familyName),
    mail: text(input.mail),
    mail_verified: input.mailVerified ? 1 : 0,
    organisation: text(input.organisation) ?? directory.organisation ?? null,
    language: input.language ?? null,
    disabled: input.disabled ? 1 : 0,
    attributes: JSON.stringify(input.attributes ?? {}),
    groups: JSON.stringify(groups),
    groups_known: 1,
    groups_at: now,
    upstream_disabled: 0,
    upstream_attributes: '{}',
    gone_at: null,
    created_at: now,
    changed_at: now,
  }
}

/** A mail address that changes is not verified any more, unless the same change says that it is. */
export function changedColumns(
  changes: PersonChanges,
  row: PeopleTable,
  directory: OpenDirectory,
): Partial<PeopleTable> {
  const has = (key: keyof PersonChanges) => Object.hasOwn(changes, key)
  const username = changes.username?.trim().normalize('NFC')
  return {
    ...(username === undefined ? {} : { username, username_key: usernameKey(username)! }),
    ...(changes.name === undefined ? {} : { name: text(changes.name)! }),
    ...(has('givenName') ? { given_name: text(changes.givenName) } : {}),
    ...(has('familyName') ? { family_name: text(changes.familyName) } : {}),
    ...(has('mail')
      ? { mail: text(changes.mail), mail_verified: text(changes.mail) === row.mail ? row.mail_verified : 0 }
      : {}),
    ...(changes.mailVerified === undefined ? {} : { mail_verified: changes.mailVerified ? 1 : 0 }),
    ...(has('organisation') ? { organisation: text(changes.organisation) ?? directory.organisation ?? null } : {}),
    ...(has('language') ? { language: changes.language ?? null } : {}),
    ...(changes.attributes === undefined ? {} : { attributes: JSON.stringify(changes.attributes) }),
  }
}

const text = (value: string | undefined): string | null => value?.trim().normalize('NFC') || null
