/** A real PostgreSQL server on a free loopback port, in a folder of its own; ended by its pid. One database for each test. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { chownSync, readdirSync, statSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { freePort } from './ports.ts'

const run = promisify(execFile)
const VERSIONS = '/usr/lib/postgresql'
/** Of initdb. */
const ROOT = 'root_of_the_test'
/** A user as it should be: owns its databases, and nothing else. */
const USER = 'portico'
const PASSWORD = 'p@ss:word/of the test'

export interface PostgresDatabases {
  /** For `storage.url`. */
  url(database: string, parameters?: Readonly<Record<string, string>>): string
  /** An empty database that nobody has used; answers its name. */
  create(template?: string): Promise<string>
  /** As the superuser. */
  query(sql: string, database?: string): Promise<readonly Record<string, unknown>[]>
  drop(database: string): Promise<void>
  /** Ends everybody's connection to this database. */
  hangUp(database: string): Promise<void>
}

export interface Postgres extends PostgresDatabases {
  readonly port: number
  readonly folder: string
  /** Ends the server: `SIGINT` at once and in order, `SIGKILL` wherever it is. */
  stop(signal?: 'SIGINT' | 'SIGKILL'): Promise<void>
  /** Starts it again on the same port with the same data. */
  start(): Promise<void>
  /** Stops it and deletes everything. */
  end(): Promise<void>
}

export interface PostgresOptions {
  /** Lines of `postgresql.conf`. */
  readonly settings?: readonly string[]
  /** Makes files in the folder, certificates for instance, before they are given to the user that runs it. */
  prepare?(folder: string): Promise<void>
}

const bin = () => join(VERSIONS, readdirSync(VERSIONS).sort((a, b) => Number(b) - Number(a))[0]!, 'bin')

/** A worker of the tests that is killed takes its server along. */
const LAST = ['--pdeathsig=QUIT']

/** PostgreSQL does not run as root: as root, the test runs it as the user that the package has made for it. */
const asPostgres = (program: string, args: readonly string[]): [string, string[]] =>
  process.getuid!() === 0
    ? ['setpriv', ['--reuid=postgres', '--regid=postgres', '--clear-groups', ...LAST, program, ...args]]
    : ['setpriv', [...LAST, program, ...args]]

/** So that it starts without waiting for the disk; what was committed survives the end of a process all the same. */
const SETTINGS = [
  'fsync = off',
  'full_page_writes = off',
  'max_connections = 200',
  'shared_buffers = 32MB',
  'log_min_messages = fatal',
  'autovacuum = off',
]

let count = 0

/** Those of a server that was started here, in another process perhaps. */
export function databasesAt(port: number): PostgresDatabases {
  const urlOf = (user: string, database: string) =>
    `postgres://${user}:${encodeURIComponent(PASSWORD)}@127.0.0.1:${port}/${database}`
  const self: PostgresDatabases = {
    url: (database, parameters = {}) => {
      const more = new URLSearchParams(parameters).toString()
      return `${urlOf(USER, database)}${more && `?${more}`}`
    },
    async query(sql, database = 'postgres') {
      const client = new pg.Client({ connectionString: urlOf(ROOT, database) })
      client.on('error', () => {})
      await client.connect()
      try {
        const answers = [await client.query(sql)].flat() as pg.QueryResult[]
        return answers.at(-1)!.rows as Record<string, unknown>[]
      } finally {
        await client.end()
      }
    },
    async create(template = 'template1') {
      const name = `portico_${process.pid}_${++count}`
      await self.query(`create database ${name} template ${template} owner ${USER}`)
      return name
    },
    drop: async (database) => void (await self.query(`drop database if exists ${database} with (force)`)),
    async hangUp(database) {
      await self.query(`select pg_terminate_backend(pid) from pg_stat_activity where datname = '${database}'`)
    },
  }
  return self
}

export async function startPostgres({ settings = [], prepare }: PostgresOptions = {}): Promise<Postgres> {
  const folder = await mkdtemp(join(tmpdir(), 'portico-postgres-'))
  const port = await freePort()
  const passwordFile = join(folder, 'password')
  await writeFile(passwordFile, `${PASSWORD}\n`)
  await prepare?.(folder)
  own(folder)
  const data = join(folder, 'data')
  const initdb = [
    '-D',
    data,
    '-U',
    ROOT,
    '-A',
    'scram-sha-256',
    `--pwfile=${passwordFile}`,
    '-E',
    'UTF8',
    '--no-locale',
  ]
  await run(...asPostgres(join(bin(), 'initdb'), [...initdb, '--no-sync']))
  const lines = [...SETTINGS, `port = ${port}`, `unix_socket_directories = '${folder}'`, ...settings]
  await writeFile(join(data, 'postgresql.auto.conf'), `${lines.join('\n')}\n`)
  let running: ChildProcess | undefined

  const databases = databasesAt(port)
  const self: Postgres = {
    port,
    folder,
    ...databases,
    async start() {
      const child = spawn(...asPostgres(join(bin(), 'postgres'), ['-D', data]), { stdio: ['ignore', 'ignore', 'pipe'] })
      running = child
      // a test run that is broken off must not leave it behind
      const last = () => child.kill('SIGQUIT')
      process.once('exit', last)
      child.once('exit', () => process.off('exit', last))
      let said = ''
      child.stderr!.on('data', (text: Buffer) => {
        said = (said + text).slice(-4000)
      })
      for (;;) {
        if (child.exitCode !== null) throw new Error(`postgres ended with ${child.exitCode}: ${said}`)
        try {
          await databases.query('select 1')
          return
        } catch (error) {
          // not there yet, or still recovering what was killed
          if (!['ECONNREFUSED', '57P03'].includes((error as { code?: string }).code ?? '')) throw error
        }
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    },
    async stop(signal = 'SIGINT') {
      const child = running
      running = undefined
      if (!child?.pid || child.exitCode !== null || child.signalCode !== null) return
      const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
      process.kill(child.pid, signal)
      await gone
    },
    async end() {
      // nothing of it is needed any more
      if (running?.pid && running.exitCode === null) {
        const gone = new Promise<void>((resolve) => running!.once('exit', () => resolve()))
        process.kill(running.pid, 'SIGQUIT')
        await gone
      }
      await rm(folder, { recursive: true, force: true })
    },
  }
  await self.start().catch(async (error) => {
    await self.end()
    throw error
  })
  await self.query(`create role ${USER} login password '${PASSWORD}'`)
  return self
}

/** Everything in the folder belongs to whoever runs the server. */
function own(folder: string): void {
  if (process.getuid!() !== 0) return
  const { uid, gid } = statSync('/var/lib/postgresql')
  for (const path of [folder, ...readdirSync(folder).map((name) => join(folder, name))]) chownSync(path, uid, gid)
}
