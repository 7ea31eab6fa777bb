/**
 * Finding people by a part of their user name, name or mail address. Of a large directory the whole table would have to be
 * read for that, so all parts of three letters are kept in an index. PostgreSQL's (`pg_trgm`) serves the comparison itself. SQLite's
 * (FTS5) is a table of its own, written by triggers: whoever writes a person writes it, and cannot forget.
 *
 * INVARIANT: the index only narrows; whom it finds is compared as if there were none. It folds at least what the comparison
 * folds, so it never narrows too much.
 */
import { type ExpressionBuilder, type Kysely, type RawBuilder, sql } from 'kysely'
import { inDialect, type Migration } from '#storage'
import { usernameKey } from './person.ts'
import type { Tables } from './tables.ts'

type Where = ExpressionBuilder<Tables, 'people'>

/** What is found more often than this is found sooner by looking at one person after the other. */
const FEW = 1000
const SHORTEST = 3

/** What has to hold of people for a search; made before the query, because it looks how common the text is. */
export async function searchFor(db: Kysely<Tables>, search: string): Promise<(eb: Where) => ReturnType<Where['or']>> {
  const text = usernameKey(search) ?? search.slice(0, 100)
  const narrow = await inDialect(db, { sqlite: narrowed, postgres: undefined })?.(db, text)
  return (eb) => (narrow ? eb.and([narrow, contains(eb, text)]) : contains(eb, text))
}

/** Whom SQLite's index finds; undefined where it does not help. */
async function narrowed(db: Kysely<Tables>, text: string): Promise<RawBuilder<boolean> | undefined> {
  if (text.includes('\0') || !text.isWellFormed()) return undefined
  // what everybody's address ends with takes long to look through: it is looked at only where the rest is common as well
  for (const part of new Set([text.split('@')[0]!, text])) {
    if ([...part].length < SHORTEST) continue
    const phrase = `"${part.replaceAll('"', '""')}"`
    const { rows } = await sql<{
      numbers: string
    }>`select json_group_array(rowid) as numbers from (select rowid from people_parts where people_parts match ${phrase} limit ${FEW + 1})`.execute(
      db,
    )
    // handed on as they are: to look through the lists of the index costs more than all the rest of the search
    const { numbers } = rows[0]!
    if ((JSON.parse(numbers) as number[]).length <= FEW)
      return sql<boolean>`people.number in (select value from json_each(${numbers}))`
  }
  return undefined
}

function contains(eb: Where, text: string) {
  const pattern = `%${lower(text).replace(/[\\%_]/g, '\\$&')}%`
  // the database folds ASCII only; user names are folded by us
  return eb.or([
    sql<boolean>`${eb.ref('username_key')} like ${pattern} escape '\\'`,
    sql<boolean>`lower(${eb.ref('name')}) like ${pattern} escape '\\'`,
    sql<boolean>`lower(${eb.ref('mail')}) like ${pattern} escape '\\'`,
  ])
}

/** As the database folds; what it compares without regard to case is otherwise its own affair. */
const lower = (text: string) => text.replace(/[A-Z]/g, (letter) => letter.toLowerCase())

const TEXT = (row: string) => `${row}username_key || char(10) || ${row}name || char(10) || coalesce(${row}mail, '')`

const SQLITE = [
  // a number that stays: the table's own row numbers change when the database is packed
  'alter table people add column number integer',
  'update people set number = rowid',
  'create unique index people_number on people (number)',
  `create virtual table people_parts using fts5 (parts, content = '', contentless_delete = 1, tokenize = 'trigram')`,
  `insert into people_parts (rowid, parts) select number, ${TEXT('')} from people`,
  `create trigger people_parts_added after insert on people begin
    update people set number = (select coalesce(max(number), 0) + 1 from people) where id = new.id;
    insert into people_parts (rowid, parts) select number, ${TEXT('new.')} from people where id = new.id;
  end`,
  `create trigger people_parts_changed after update of username_key, name, mail on people
    when old.username_key <> new.username_key or old.name <> new.name or old.mail is not new.mail begin
    delete from people_parts where rowid = new.number;
    insert into people_parts (rowid, parts) values (new.number, ${TEXT('new.')});
  end`,
  `create trigger people_parts_removed after delete on people begin
    delete from people_parts where rowid = old.number;
  end`,
]

const POSTGRES = [
  'create extension if not exists pg_trgm',
  ...['username_key', 'lower(name)', 'lower(mail)'].map(
    (text, at) => `create index people_parts_${at + 1} on people using gin ((${text}) gin_trgm_ops)`,
  ),
]

export const searchMigration: Migration = Object.freeze({
  name: 'directory-021-search',
  async up(records) {
    for (const statement of inDialect(records, { sqlite: SQLITE, postgres: POSTGRES }))
      await sql.raw(statement).execute(records)
  },
} satisfies Migration)
