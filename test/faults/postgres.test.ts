/** What PostgreSQL can do to us, done by a real server: afterwards what was answered is there, and nothing needs a hand. */
import { join } from 'node:path'
import { sql } from 'kysely'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createLog } from '#audit'
import { systemClock } from '#core/clock'
import type { Refusal } from '#core/refusal'
import { openStorage, type Storage, together } from '#storage'
import { thingsMigration } from '../contracts/records.contract.ts'
import { makeAuthority, makeServerCertificate } from '../support/certificates.ts'
import { type Postgres, startPostgres } from '../support/postgres.ts'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'

let server: Postgres
let proxy: TcpProxy
let database: string
let storage: Storage
const lines: string[] = []
const log = createLog({ level: 'info', stream: { write: (line: string) => lines.push(line) } })
const open = (url: string) => openStorage({ url, clock: systemClock, log, migrations: [thingsMigration] })

beforeAll(async () => {
  server = await startPostgres({
    settings: ["ssl_cert_file = '../server.pem'", "ssl_key_file = '../server.key'", 'ssl = on'],
    async prepare(folder) {
      await makeServerCertificate(folder, 'DNS:localhost')
      await makeAuthority(folder, 'other')
    },
  })
  proxy = await startTcpProxy({ to: server.port })
})
afterAll(async () => {
  await proxy?.close()
  await server?.end()
})
beforeEach(async () => {
  database = await server.create()
  storage = await open(server.url(database).replace(`:${server.port}/`, `:${proxy.port}/`))
})
afterEach(async () => {
  proxy.restore()
  await storage.close()
})

const refusalOf = async (work: Promise<unknown>): Promise<Refusal> => {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown as Refusal,
  )
  expect(error).toMatchObject({ code: 'storage-unavailable', status: 503 })
  return error!
}
/** As soon as the server takes part again; it is nobody's business here how long that takes. */
async function works(): Promise<void> {
  for (;;) {
    const done = await storage.state.set('again', 'v').then(
      () => true,
      () => false,
    )
    if (done) break
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  expect(await storage.state.get('again')).toBe('v')
  await storage.records.transaction().execute((own) => sql`select 1`.execute(own))
}

/** Writes all the time until `until` is over; what was answered is there afterwards, and what is there was asked for. */
async function under(until: () => Promise<void>): Promise<{ answered: number; refused: number }> {
  let over = false
  const answered: string[] = []
  const refused: string[] = []
  const writing = Array.from({ length: 8 }, async (_, lane) => {
    for (let i = 0; !over; i++) {
      const key = `k:${lane}:${i}`
      try {
        await together(() => storage.state.set(key, 'v'))
        answered.push(key)
      } catch (error) {
        expect(error).toMatchObject({ code: 'storage-unavailable' })
        refused.push(key)
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
    }
  })
  while (answered.length < 100) await new Promise((resolve) => setTimeout(resolve, 5))
  await until()
  await works()
  over = true
  await Promise.all(writing)
  const rows = await sql<{ k: string }>`select k from state`.execute(storage.records)
  const there = new Set(rows.rows.map(({ k }) => k))
  expect(answered.filter((key) => !there.has(key))).toEqual([])
  return { answered: answered.length, refused: refused.length }
}

describe('under writes', () => {
  test.each([
    ['restarted', 'SIGINT'],
    ['killed with -9', 'SIGKILL'],
  ] as const)('%s: nothing that was answered is lost, and it goes on by itself', async (_, signal) => {
    const { refused } = await under(async () => {
      await server.stop(signal)
      await refusalOf(storage.state.set('down', 'v'))
      await refusalOf(storage.state.get('down'))
      await server.start()
    })
    expect(refused).toBeGreaterThan(0)
  })

  test('all connections cut again and again, in the middle of commits as well', async () => {
    const { refused } = await under(async () => {
      for (let i = 0; i < 20; i++) {
        await storage.state.set(`between:${i}`, 'v').catch(() => {})
        proxy.hangUp()
      }
    })
    expect(refused).toBeGreaterThan(0)
  })

  test('connections ended by the database, as at a failover', async () => {
    await under(async () => {
      for (let i = 0; i < 5; i++) await server.hangUp(database)
    })
  })

  test('a slow way there', async () => {
    const { refused } = await under(async () => {
      proxy.delay(30)
      await storage.state.set('slowly', 'v')
      proxy.restore()
    })
    expect(refused).toBe(0)
  })
})

test('a read whose connection breaks is asked again, and a write is not', async () => {
  await storage.state.set('k', 'v')
  const breaking = (what: () => Promise<unknown>) => {
    const cut = new Promise<void>((resolve) => {
      let done = false
      proxy.watch((data, direction) => {
        if (done || direction !== 'to-server' || !data.includes('state_of_the_test')) return
        done = true
        proxy.hangUp()
        resolve()
      })
    })
    return Promise.all([what(), cut])
  }
  const [answer] = await breaking(() =>
    sql<{ v: string }>`select v, 'state_of_the_test' as said from state`.execute(storage.records),
  )
  expect((answer as { rows: { v: string }[] }).rows[0]!.v).toBe('v')
  await refusalOf(
    breaking(() => sql`insert into state (k, v) values ('state_of_the_test', 'x')`.execute(storage.records)),
  )
  await works()
})

test('a unit of work in which a write was lost is refused, whatever it made of that, and writes nothing more', async () => {
  const unit = together(async () => {
    await storage.state.set('before', 'v')
    await server.query(`alter database ${database} connection limit 0`)
    await server.hangUp(database)
    await storage.state.set('lost', 'v').catch(() => {})
    await server.query(`alter database ${database} connection limit -1`)
    await storage.state.set('after', 'v').catch(() => {})
    return 'an answer that must not be sent'
  })
  await refusalOf(unit)
  expect(await storage.state.get('before')).toBe('v')
  expect(await storage.state.get('after')).toBeUndefined()
})

test('read-only: reads go on, writes are refused with a sentence, and are taken again afterwards', async () => {
  await storage.state.set('k', 'v')
  const set = async (value: string) => {
    await server.query(`alter database ${database} set default_transaction_read_only = ${value}`)
    await server.hangUp(database)
  }
  await set('on')
  await storage.state.get('k').catch(() => {})
  expect(await storage.state.get('k')).toBe('v')
  expect((await refusalOf(storage.state.set('k', 'w'))).detail).toBe('the database is read-only')
  expect((await refusalOf(open(server.url(database)))).detail).toContain('the database is read-only')
  await set('off')
  await works()
})

test('without a connection left it is refused with a sentence, and goes on when there is one', async () => {
  await server.query(`alter database ${database} connection limit 0`)
  await server.hangUp(database)
  await storage.state.get('k').catch(() => {})
  expect((await refusalOf(storage.state.set('k', 'v'))).detail).toBe('PostgreSQL has no connection left')
  await server.query(`alter database ${database} connection limit -1`)
  await works()
})

test('of two that wait for each other one is tried again by us, and nobody hears of it', async () => {
  for (const id of [1, 2]) await sql`insert into things (id, name) values (${id}, ${`n${id}`})`.execute(storage.records)
  const client = new pg.Client({ connectionString: server.url(database) })
  await client.connect()
  /** Whether it was ours that gave way. */
  async function cross(): Promise<boolean> {
    await client.query('begin; update things set name = name where id = 2')
    // locks the first row, and waits for the second
    const ours = sql`update things set name = name || '!'`.execute(storage.records)
    for (;;) {
      const { rows } = await client.query(`select 1 from pg_stat_activity where wait_event_type = 'Lock'`)
      if (rows.length > 0) break
    }
    // and now the other way round: who has waited for a second looks for a deadlock, and is ours unless that second is over
    const theirs = await client.query('update things set name = name where id = 1').catch((error) => error)
    await client.query('rollback')
    await ours
    if (theirs instanceof Error) expect(theirs).toMatchObject({ code: '40P01' })
    return !(theirs instanceof Error)
  }
  let times = 1
  while (!(await cross())) times++
  await client.end()
  const { rows } = await sql<{ name: string }>`select name from things order by id`.execute(storage.records)
  expect(rows.map(({ name }) => name)).toEqual([`n1${'!'.repeat(times)}`, `n2${'!'.repeat(times)}`])
})

test('a write that PostgreSQL takes back for the sake of another is tried again, and refused where that does not end', async () => {
  const failing = (times: number) =>
    server.query(
      `drop trigger if exists crossed on things; drop sequence if exists tries;
      create sequence tries; grant all on sequence tries to public;
      create or replace function crossed() returns trigger language plpgsql as $$ begin
        if nextval('tries') <= ${times} then raise exception 'crossed' using errcode = 'serialization_failure'; end if;
        return new; end $$;
      create trigger crossed before insert on things for each row execute function crossed()`,
      database,
    )
  const add = (id: number) => sql`insert into things (id, name) values (${id}, ${`n${id}`})`.execute(storage.records)
  await failing(3)
  await add(1)
  await failing(1000)
  expect((await refusalOf(together(() => add(2)))).detail).toBe('others write the same rows all the time')
  await failing(0)
  await add(3)
  const { rows } = await sql<{ id: number }>`select id from things order by id`.execute(storage.records)
  expect(rows.map(({ id }) => id)).toEqual([1, 3])
})

test('a table that another version changes under a prepared statement is read as it is now', async () => {
  const all = storage.prepare<{ id: number }>(storage.records.selectFrom('things').selectAll().compile())
  await sql`insert into things (id, name) values (1, 'a')`.execute(storage.records)
  expect((await all([])).rows).toEqual([{ id: 1, name: 'a', owner: null }])
  await server.query('alter table things add column more text', database)
  for (let i = 0; i < 20; i++) expect((await all([])).rows).toEqual([{ id: 1, name: 'a', owner: null, more: null }])
})

describe('an operator is told in a sentence, never with the password', () => {
  const said = async (url: string) => (await refusalOf(open(url))).detail!
  const at = (parameters: Record<string, string>) => server.url(database, parameters)
  const file = (name: string) => join(server.folder, name)

  test.each<[string, () => string, RegExp]>([
    ['a wrong password', () => at({}).replace('test@', 'tist@'), /does not take the user name or the password/],
    [
      'no such database',
      () => server.url('nowhere'),
      /database `nowhere` at `127.0.0.1:\d+`: there is no such database/,
    ],
    ['nobody there', () => at({}).replace(`:${server.port}/`, ':1/'), /cannot be reached \(ECONNREFUSED\)/],
    ['no such host', () => at({ sslmode: 'disable' }).replace('127.0.0.1', 'db.invalid'), /cannot be reached \(E/],
    ['no database', () => 'postgres://portico:secret@localhost', /a user, a host .* and a database are needed/],
    ['a mistyped parameter', () => at({ sslmod: 'x' }), /`sslmod` is no known parameter/],
    [
      'a mistyped mode',
      () => at({ sslmode: 'prefer' }),
      /`sslmode` is one of disable, require, verify-ca, verify-full/,
    ],
    ['too few connections', () => at({ connections: '1' }), /`connections` is a whole number from 2 to 500/],
    [
      'no such certificate',
      () => at({ sslmode: 'verify-full', sslrootcert: '/none' }),
      /`\/none` cannot be read \(ENOENT\)/,
    ],
    ['an unknown authority', () => at({ sslmode: 'verify-full' }), /certificate is not believed/],
    [
      'another authority',
      () => at({ sslmode: 'verify-ca', sslrootcert: file('other.pem') }),
      /certificate is not believed/,
    ],
    [
      'a certificate of another host',
      () => at({ sslmode: 'verify-full', sslrootcert: file('ca.pem') }),
      /certificate is not believed \(ERR_TLS_CERT_ALTNAME_INVALID\)/,
    ],
    ['a stray %', () => at({}).replace('%40', '%'), /a `%` must be written as `%25`/],
  ])('%s', async (_, url, sentence) => {
    const detail = await said(url())
    expect(detail).toMatch(sentence)
    for (const secret of ['p@ss', 'p%40ss', 'of the test', 'tist', 'secret']) {
      expect(detail).not.toContain(secret)
      expect(lines.join('')).not.toContain(secret)
    }
  })

  test('TLS: with its authority for its host, whatever the host with `verify-ca`, without any question with `require`', async () => {
    const root = { sslrootcert: file('ca.pem') }
    for (const url of [
      at({ sslmode: 'verify-full', ...root }).replace('127.0.0.1', 'localhost'),
      at({ sslmode: 'verify-ca', ...root }),
      at({ sslmode: 'require' }),
    ]) {
      const secured = await open(url)
      const rows = await sql<{ ssl: number }>`select ssl from pg_stat_ssl where pid = pg_backend_pid()`.execute(
        secured.records,
      )
      expect(rows.rows).toEqual([{ ssl: 1 }])
      await secured.close()
    }
  })

  test('a socket is reached by its folder', async () => {
    const local = await open(at({ host: server.folder }))
    const rows = await sql<{ none: number }>`select inet_client_addr() is null as none`.execute(local.records)
    expect(rows.rows).toEqual([{ none: 1 }])
    await local.close()
  })
})
