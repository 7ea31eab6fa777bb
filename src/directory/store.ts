/** People in our tables: the one place that turns rows into persons, and the reads. */
import type { ExpressionBuilder, Kysely } from 'kysely'
import { Refusal } from '#core/refusal'
import type { Soon, Storage } from '#storage'
import type { Language, Person } from './person.ts'
import { searchFor } from './search.ts'
import type { PeopleTable, Tables } from './tables.ts'

export type Database = Kysely<Tables>

export interface PeopleFilter {
  readonly group?: string
  readonly directory?: string
  readonly disabled?: boolean
  /** A part of the user name, the name or the mail address. */
  readonly search?: string
  /** The id of the last person of the page before. */
  readonly after?: string
  /** 100 by default, at most 1,000. */
  readonly limit?: number
}

export interface Store {
  readonly db: Database
  /** Ids of the directories that the settings name; nobody of another can sign in. */
  readonly directories: ReadonlySet<string>
  byId(id: string): Promise<Person | undefined>
  recall(id: string): Soon<Person | undefined>
  /** Everybody with this user name, over all directories, in no particular order. */
  byKey(key: string): Promise<Person[]>
  row(id: string): Promise<PeopleTable | undefined>
  password(id: string): Promise<string | undefined>
  /** Of some people: whether each is switched off, and whether they have a password here. */
  standing(ids: readonly string[]): Promise<Map<string, { disabled: boolean; password: boolean }>>
  list(filter: PeopleFilter): Promise<Person[]>
  toPerson(row: PeopleTable): Person
}

const NOTHING: Readonly<Record<string, readonly string[]>> = Object.freeze({})

/** @param directories ids that the settings name; people of any other are shown as disabled. */
export function createStore({ records, prepare, keep }: Storage, directories: ReadonlySet<string>): Store {
  const db: Database = records.withTables<Tables>()
  // on the path of every question: compiled once, run with the parameter only
  const person = prepare(db.selectFrom('people').selectAll().where('id', '=', '').compile())
  const people = prepare(db.selectFrom('people').selectAll().where('username_key', '=', '').compile())
  const phc = prepare(db.selectFrom('passwords').select('phc').where('person_id', '=', '').compile())
  const row = async (id: string): Promise<PeopleTable | undefined> => (await person([id])).rows[0]

  const toPerson = (row: PeopleTable): Person => ({
    id: row.id,
    username: row.username,
    directory: row.directory,
    name: row.name,
    ...(row.given_name === null ? {} : { givenName: row.given_name }),
    ...(row.family_name === null ? {} : { familyName: row.family_name }),
    ...(row.mail === null ? {} : { mail: row.mail }),
    mailVerified: row.mail_verified === 1,
    ...(row.organisation === null ? {} : { organisation: row.organisation }),
    groups: row.groups === null ? undefined : JSON.parse(row.groups),
    attributes: attributesOf(row),
    ...(row.language === null ? {} : { language: row.language as Language }),
    // ATTACK: whoever took a directory out of the settings does not expect its people to stay
    disabled:
      row.disabled === 1 || row.upstream_disabled === 1 || row.gone_at !== null || !directories.has(row.directory),
    ...(row.gone_at === null ? {} : { goneAt: Number(row.gone_at) }),
    createdAt: Number(row.created_at),
  })

  const byId = async (id: string): Promise<Person | undefined> => {
    const found = await row(id)
    return found && toPerson(found)
  }

  const kept = keep('people', 'id', byId)

  return Object.freeze({
    db,
    directories,
    toPerson,
    byId,
    recall: (id: string) => kept.known(id) ?? kept.of(id),
    row,
    async byKey(key: string) {
      return (await people([key])).rows.map(toPerson)
    },
    async password(id: string) {
      return (await phc([id])).rows[0]?.phc
    },
    async standing(ids: readonly string[]) {
      if (ids.length === 0) return new Map()
      const rows = await db
        .selectFrom('people')
        .leftJoin('passwords', 'passwords.person_id', 'people.id')
        .select(['people.id', 'people.disabled', 'passwords.person_id as has'])
        .where('people.id', 'in', [...ids])
        .execute()
      return new Map(rows.map(({ id, disabled, has }) => [id, { disabled: disabled === 1, password: has !== null }]))
    },
    async list(filter: PeopleFilter) {
      const matches = filter.search === undefined ? undefined : await searchFor(db, filter.search)
      let query = db
        .selectFrom('people')
        .selectAll()
        .orderBy('username_key')
        .orderBy('id')
        .limit(Math.min(Math.max(filter.limit ?? 100, 1), 1000))
      const { group, directory, disabled, after } = filter
      if (group !== undefined) {
        query = query.where('id', 'in', (eb) =>
          eb.selectFrom('memberships').select('person_id').where('group_name', '=', group),
        )
      }
      if (directory !== undefined) query = query.where('directory', '=', directory)
      if (disabled !== undefined) query = query.where((eb) => disabledIs(eb, disabled, directories))
      if (matches) query = query.where(matches)
      if (after !== undefined) {
        const last = await row(after)
        if (!last) throw new Refusal('person-unknown', 'directory: the person a page starts after is gone')
        query = query.where((eb) =>
          eb.or([
            eb('username_key', '>', last.username_key),
            eb.and([eb('username_key', '=', last.username_key), eb('id', '>', last.id)]),
          ]),
        )
      }
      return (await query.execute()).map(toPerson)
    },
  })
}

/** A name that a directory speaks for is not answered from what was once given here. */
function attributesOf({ attributes, upstream_attributes: upstream }: PeopleTable): Person['attributes'] {
  if (upstream === '{}') return attributes === '{}' ? NOTHING : JSON.parse(attributes)
  return attributes === '{}' ? JSON.parse(upstream) : { ...JSON.parse(attributes), ...JSON.parse(upstream) }
}

type Where = ExpressionBuilder<Tables, 'people'>

const disabledIs = (eb: Where, disabled: boolean, directories: ReadonlySet<string>) =>
  disabled
    ? eb.or([
        eb('disabled', '=', 1),
        eb('upstream_disabled', '=', 1),
        eb('gone_at', 'is not', null),
        eb('directory', 'not in', [...directories]),
      ])
    : eb.and([
        eb('disabled', '=', 0),
        eb('upstream_disabled', '=', 0),
        eb('gone_at', 'is', null),
        eb('directory', 'in', [...directories]),
      ])
