/** Applies a folder of manifests in a loop of its own process, which the test kills in the middle. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { auditMigrations, createAudit } from '#audit'
import { catalogMigrations, openCatalog } from '#catalog'
import { systemClock } from '#core/clock'
import { silentLog } from '#core/log'
import { keysMigrations, openKeys } from '#keys'
import { openStorage } from '#storage'

const [url, templates, manifests] = process.argv.slice(2) as [string, string, string]
const clock = systemClock
const storage = await openStorage({
  url,
  clock,
  log: silentLog,
  migrations: [...auditMigrations, ...keysMigrations, ...catalogMigrations],
})
const audit = createAudit({ storage, clock, log: silentLog })
const keys = await openKeys({ storage, clock, log: silentLog, audit, masterKey: Buffer.alloc(32, 7) })
const { apps } = await openCatalog({ storage, clock, audit, keys, templates })
const sources = readdirSync(manifests).map((file) => ({ file, text: readFileSync(join(manifests, file), 'utf8') }))
process.stdout.write('ready\n')
await apps.apply(sources, { by: 'cli', prune: true })
process.stdout.write('applied\n')
await storage.close()
