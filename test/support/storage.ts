/**
 * Where a test keeps everything: a file of SQLite, or in a run with `PORTICO_TEST_STORAGE=postgres` a database of its own on the
 * run's server (`storage-setup.ts`), which goes when the test file is done.
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

/** For `storage.url` of a whole gateway; `sqlite` where the run is on SQLite. */
export const storageUrl = async (sqlite: string): Promise<string> => (databases ? made('portico_migrated') : sqlite)

/** Without any table, for a house of some rooms. */
export const emptyStorageUrl = async (): Promise<string> => (databases ? made('template1') : 'sqlite::memory:')

if (databases)
  afterAll(async () => {
    for (const name of names.splice(0)) await databases.drop(name)
  })
