/**
 * Where a test keeps everything: a file of SQLite, or in a run with `PORTICO_TEST_STORAGE=postgres` a database of its own on the
 * run's server (`storage-setup.ts`), which goes when the test file is done.
 *
 * A test that is about the embedded database itself (its file, its pages, its commits) says so with `EMBEDDED` or
 * `EMBEDDED_FILE`, and with the reason where it is not plain: it runs there whatever the run is on. None is skipped.
 */
import { afterAll, inject } from 'vitest'
import { databasesAt } from './postgres.ts'

// the bench starts such gateways as well, and nothing is provided to it
const port = process.env['VITEST'] === undefined ? undefined : inject('postgresPort')
const databases = port === undefined ? undefined : databasesAt(port)
const names: string[] = []

async function made(template: string): Promise<string> {
  const name = await databases!.create(template)
  names.push(name)
  return databases!.url(name)
}

/** For a house of some rooms. */
export const EMBEDDED = 'sqlite::memory:'
/** For a whole gateway, in its folder; its state is there as well. */
export const EMBEDDED_FILE = 'sqlite:portico.db'

/** For `storage.url` of a whole gateway; `sqlite` where the run is on SQLite. */
export const storageUrl = async (sqlite: string): Promise<string> => (databases ? made('portico_migrated') : sqlite)

/** Without any table, for a house of some rooms. */
export const emptyStorageUrl = async (): Promise<string> => (databases ? made('template1') : EMBEDDED)

if (databases)
  afterAll(async () => {
    for (const name of names.splice(0)) await databases.drop(name)
  })
