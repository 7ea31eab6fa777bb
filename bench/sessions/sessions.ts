/**
 * What a living session takes: in the database file, with its device, its grant and one app open, by the pages of what people have who
 * signed in over HTTP; and in the memory of the process.
 */
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { openFlows, type Target } from '../load/flows.ts'
import { inFresh } from '../policy/fresh.ts'
import type { Options } from '../policy/options.ts'
import { PEOPLE } from '../subjects.ts'
import { startPortico } from '../throughput.ts'
import type { Found } from '../verdict.ts'

const TABLES = ['state', 'state_members', 'devices', 'device_people']
/** What lives for a minute and an hour is no part of a session. */
const SHORT_LIVED = "k like 'oidc:AuthorizationCode:%' or k like 'oidc:AccessToken:%'"

interface Disk {
  readonly sessions: number
  /** Bytes of one. */
  readonly session: number
  /** The same with the tokens of its last hour. */
  readonly withTokens: number
}

async function signInMany(target: Target, count: number): Promise<void> {
  const flows = await openFlows(target)
  const one = async (person: number) => {
    const connection = flows.connect()
    for (let times = 0; times < count / PEOPLE; times++) await flows.signIn(connection, person, target.web)
    connection.close()
  }
  await Promise.all(Array.from({ length: PEOPLE }, (_, person) => one(person)))
}

/** Of a server that does not run any more, in whose database nothing else is. */
function disk(file: string): Disk {
  const db = new DatabaseSync(file)
  try {
    const number = (sql: string, ...values: string[]) => Number(Object.values(db.prepare(sql).get(...values)!)[0])
    // whole pages, of each table and its indexes
    const bytes = (table: string) =>
      number('select sum(pgsize) from dbstat where name in (select name from sqlite_master where tbl_name = ?)', table)
    const sessions = number("select count(*) from state where k like 'session:%'")
    const all = number('select sum(length(k) + length(v)) from state')
    const share = number(`select sum(length(k) + length(v)) from state where ${SHORT_LIVED}`) / all
    const withTokens = TABLES.reduce((sum, table) => sum + bytes(table), 0)
    return {
      sessions,
      session: (withTokens - bytes('state') * share) / sessions,
      withTokens: withTokens / sessions,
    }
  } finally {
    db.close()
  }
}

export async function sessions({ folder, quick, say }: Options): Promise<Found> {
  const { file, target, running } = await startPortico(folder, { name: 'sessions' })
  const signIns = quick ? 96 : 640
  try {
    say(`${signIns} sign-ins`)
    await signInMany(JSON.parse(readFileSync(target, 'utf8')) as Target, signIns)
  } finally {
    await running.stop()
  }
  const one = disk(join(dirname(file), 'portico.db'))
  const count = quick ? 10_000 : 100_000
  say(`${count} sessions in memory`)
  const { out } = await inFresh([join(import.meta.dirname, 'memory.ts'), file, String(count)], {
    flags: ['--expose-gc'],
  })
  const { bytes } = JSON.parse(out) as { bytes: number }
  const kilobytes = (value: number) => value / 1024
  return {
    told: { disk: one, memory: { count, bytes } },
    figures: {
      'session-disk': kilobytes(one.session),
      'session-memory': quick
        ? { value: kilobytes(bytes), small: `${count.toLocaleString('en')} sessions, most of which are kept at hand` }
        : kilobytes(bytes),
    },
    verdicts: [],
    lines: [
      `${one.sessions} sessions with one app each: ${kilobytes(one.session).toFixed(2)} KB of pages each, ${kilobytes(one.withTokens).toFixed(2)} KB with codes and tokens of the last hour`,
      `${count.toLocaleString('en')} sessions: ${kilobytes(bytes).toFixed(2)} KB of memory each`,
    ],
  }
}
