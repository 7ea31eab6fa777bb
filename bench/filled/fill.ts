/**
 * People, sessions and receipts by the hundred thousand, written straight into the file of a server that does not run: copies of what
 * the real code wrote about one person who signed in, under other names and at other times. One transaction for each 100,000 rows.
 */
import { randomBytes } from 'node:crypto'
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import { sha256 } from '#core/digest'

export interface Amount {
  readonly people: number
  /** Each with one app open. */
  readonly sessions: number
  readonly receipts: number
}

type Row = Record<string, SQLInputValue>

const ROWS = 100_000
const HOUR = 3_600_000
const MINUTE = 60_000
/** Over which receipts are spread: what a policy replays, and less than they are kept. */
const PAST = 30 * 24 * HOUR
/** As `access/numbering.ts` numbers rows by time. */
const EPOCH = Date.UTC(2026, 0, 1)
const PACE = 2

/** As long as ours are. */
const newId = () => randomBytes(16).toString('base64url')
const newHash = () => randomBytes(32).toString('base64url')

/**
 * `username` is who signed in once; without sessions and receipts nobody need have. People are called `user` and a number from `first`
 * on, and have the password of the one they are copies of.
 */
export function fill(file: string, username: string, first: number, { people, sessions, receipts }: Amount): void {
  const db = new DatabaseSync(file)
  // nobody else is there, and what is lost is made again
  db.exec('PRAGMA synchronous=OFF; PRAGMA cache_size=-262144')
  try {
    const person = one(db, 'select * from people where username = ?', username)
    const persons = fillPeople(db, person, first, people)
    if (sessions > 0) fillSessions(db, String(person['id']), persons, sessions, receipts)
    db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  } finally {
    db.close()
  }
}

function one(db: DatabaseSync, sql: string, ...values: SQLInputValue[]): Row {
  const row = db.prepare(sql).get(...values) as Row | undefined
  if (!row) throw new Error(`nothing to copy: ${sql} ${values.join()}`)
  return row
}

/** Answers a function that adds such a row, with some columns different. */
function adder(db: DatabaseSync, table: string, like: Row): (other: Row) => void {
  const columns = Object.keys(like)
  const names = columns.map((name) => `"${name}"`).join()
  const insert = db.prepare(`insert into ${table} (${names}) values (${columns.map(() => '?').join()})`)
  return (other) => void insert.run(...columns.map((name) => (Object.hasOwn(other, name) ? other[name]! : like[name]!)))
}

function inTransactions(db: DatabaseSync, count: number, rowsOfOne: number, add: (n: number) => void): void {
  const step = Math.max(1, Math.floor(ROWS / rowsOfOne))
  for (let from = 0; from < count; from += step) {
    db.exec('BEGIN')
    for (let n = from; n < Math.min(count, from + step); n++) add(n)
    db.exec('COMMIT')
  }
}

/** Answers their ids. */
function fillPeople(db: DatabaseSync, person: Row, first: number, count: number): string[] {
  const { number: _, ...like } = person
  const add = adder(db, 'people', like)
  const memberships = db.prepare('select * from memberships where person_id = ?').all(person['id']!) as Row[]
  const join = memberships.map((row) => adder(db, 'memberships', row))
  const know = adder(db, 'passwords', one(db, 'select * from passwords where person_id = ?', person['id']!))
  const ids: string[] = []
  inTransactions(db, count, 2 + join.length, (n) => {
    const [id, username] = [newId(), `user${first + n}`]
    ids.push(id)
    add({ id, username, username_key: username, name: `Given${n} Family${n}`, mail: `${username}@kestrel.example` })
    for (const one of join) one({ person_id: id })
    know({ person_id: id })
  })
  return ids
}

function fillSessions(db: DatabaseSync, person: string, people: string[], count: number, receipts: number): void {
  const state = (grp: string) => one(db, 'select * from state where k like ? order by k limit 1', grp)
  const session = one(db, "select * from state where grp = ? and k like 'session:%'", `sessions-of:${person}`)
  const oldId = String(session['k']).slice('session:'.length)
  const [engine, grant] = [
    state(`engine-session:${oldId}`),
    one(db, 'select * from state where grp = ?', `grants-of:${person}`),
  ]
  const oldGrant = String(grant['k']).slice('oidc:Grant:'.length)
  const known = JSON.parse(String(session['v'])) as { session: { deviceId: string; endsAt: number; startedAt: number } }
  const { deviceId, endsAt, startedAt } = known.session
  const oldSid = /"sid":"([^"]+)"/.exec(String(session['v']))![1]!
  const device = one(db, 'select * from devices where id = ?', deviceId)
  const row = adder(db, 'state', session)
  const addDevice = adder(db, 'devices', device)
  const knows = adder(db, 'device_people', one(db, 'select * from device_people where device_id = ?', deviceId))
  const member = db.prepare('insert or ignore into state_members (name, member, expires) values (?, ?, ?)')
  const who = one(db, 'select * from receipt_parts where person = ?', person)
  const { id: firstWho } = one(db, 'select max(id) + 1 as id from receipt_parts')
  const addWho = adder(db, 'receipt_parts', who)
  const every = Math.floor(Math.max(1, receipts / count))

  inTransactions(db, count, 7, (n) => {
    const owner = people[n % people.length]!
    const [id, sid, grantId, browser] = [newId(), newHash(), newHash(), newId()]
    // spread over a shift, later than any measurement
    const ends = endsAt + (n % 600) * MINUTE
    const as = (text: SQLInputValue) =>
      String(text)
        .replaceAll(person, owner)
        .replaceAll(oldId, id)
        .replaceAll(oldSid, sid)
        .replaceAll(oldGrant, grantId)
        .replaceAll(deviceId, browser)
    const v = as(session['v']!)
      .replaceAll(String(endsAt), String(ends))
      .replace(/"idleEndsAt":\d+/, `"idleEndsAt":${ends}`)
    row({ k: `session:${id}`, v, expires: Number(session['expires']) + ends - endsAt, grp: `sessions-of:${owner}` })
    row({ ...engine, k: `engine-session:${id}`, v: as(engine['v']!), expires: ends, grp: `with-session:${id}` })
    row({ ...grant, k: `oidc:Grant:${grantId}`, v: as(grant['v']!), grp: `grants-of:${owner}` })
    addDevice({ id: browser, secret_hash: newHash() })
    knows({ device_id: browser, person_id: owner })
    member.run(`session-ends:${Math.floor(ends / MINUTE)}`, id, ends + 7 * 24 * HOUR)
    member.run('sessions-people', owner, ends + 400 * 24 * HOUR)
    const text = as(who['text']!)
    // as `access/receipt-parts.ts` names a part, or it counts as damaged
    addWho({ id: Number(firstWho) + n, hash: sha256(text).slice(0, 22), person: owner, text })
  })

  const receipt = one(db, 'select * from receipts order by id limit 1')
  const addReceipt = adder(db, 'receipts', receipt)
  const apart = Math.floor(Math.min(PAST / receipts, 60_000))
  inTransactions(db, receipts, 1, (n) => {
    const at = startedAt - MINUTE - (receipts - n) * apart
    addReceipt({ id: Math.floor((at - EPOCH) / PACE), at, who: Number(firstWho) + (Math.floor(n / every) % count) })
  })
}
