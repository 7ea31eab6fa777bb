/** `portico migrate`: what a new version changes in the database, tried beforehand. A start does the same by itself. */

import { createLog } from '#audit'
import type { Context, Verb } from '#cli'
import { Refusal } from '#core/refusal'
import { MigrationFailed, migrationStatus, openStorage, tryMigrations } from '#storage'
import { MIGRATIONS } from './house.ts'
import { inFolder, missingFile } from './missing.ts'

export const migrateVerbs: readonly Verb[] = [
  {
    words: ['migrate'],
    usage: 'migrate [--dry-run]',
    summary:
      'bring the database to what this version needs; --dry-run: only say what is missing, and try it on a copy (PostgreSQL: in a transaction that is rolled back)',
    switches: ['dry-run'],
    run: (args, context) => migrate(context, args.has('dry-run')),
  },
]

async function migrate(context: Context, dryRun: boolean): Promise<number> {
  const { settings, folder, clock, print, err } = context
  const missing = missingFile(context)
  if (missing !== undefined) throw new Refusal('database-missing', `there is no ${missing}`)
  const url = inFolder(settings.storage.url, folder)
  const options = { clock, log: createLog({ level: 'warn', stream: process.stderr }), migrations: MIGRATIONS }
  const before = await migrationStatus(url, MIGRATIONS)
  const pending = before.filter(({ applied }) => !applied).map(({ name }) => name)
  try {
    // a newer database is refused here, with its sentence, also where nothing is missing
    if (dryRun) await tryMigrations(url, options)
    else await (await openStorage({ ...options, url })).close()
  } catch (error) {
    if (!(error instanceof MigrationFailed)) throw error
    print({ dry_run: dryRun, ok: false, pending, failed: error.migration }, () => [])
    err(error.message)
    return 1
  }
  print({ dry_run: dryRun, ok: true, pending, applied: before.length - pending.length }, () => [
    ...pending.map((name) => `${dryRun ? 'would apply' : 'applied'} ${name}`),
    pending.length === 0
      ? `nothing to do: all ${before.length} migrations of this version are applied`
      : dryRun
        ? `tried, and nothing was changed: ${pending.length} of ${before.length} migrations are missing`
        : `done: ${pending.length} of ${before.length} migrations were missing`,
  ])
  return 0
}
