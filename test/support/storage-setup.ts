/** One server of PostgreSQL for a whole run, with a database to copy on which every migration is applied. */
import type { TestProject } from 'vitest/node'
import { systemClock } from '#core/clock'
import { silentLog } from '#core/log'
import { openStorage } from '#storage'
import { MIGRATIONS } from '../../src/house.ts'
import { startPostgres } from './postgres.ts'

declare module 'vitest' {
  interface ProvidedContext {
    postgresPort: number | undefined
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await startPostgres()
  const name = await server.create()
  await server.query(`alter database ${name} rename to portico_migrated`)
  const url = server.url('portico_migrated')
  await (await openStorage({ url, clock: systemClock, log: silentLog, migrations: MIGRATIONS })).close()
  project.provide('postgresPort', server.port)
  return () => server.end()
}
