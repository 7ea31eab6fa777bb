/** Diagnosis on real rooms below it, with a clock that tests set and a log that they read. */
import { afterAll } from 'vitest'
import { auditMigrations, createAudit, createLog } from '#audit'
import { type App, catalogMigrations, type Manifest, openCatalog } from '#catalog'
import { type Diagnosis, diagnosisMigrations, openDiagnosis } from '#diagnosis'
import { keysMigrations, openKeys } from '#keys'
import { openStorage } from '#storage'
import { folder } from '../catalog/house.ts'
import { emptyStorageUrl } from '../support/storage.ts'

export const ISSUER = 'https://id.example.com'
export const START = Date.UTC(2026, 10, 30, 9)

export const manifest = (id: string, more: object = {}): Manifest =>
  ({
    id,
    name: id,
    policy: 'plain',
    audience: ['staff'],
    oidc: { redirect_uris: [`https://${id}.example.com/callback`] },
    ...more,
  }) as Manifest

export async function openRooms() {
  const clock = { at: START, now: () => clock.at }
  const lines: string[] = []
  const log = createLog({ level: 'info', stream: { write: (line: string) => lines.push(line) } })
  const storage = await openStorage({
    url: await emptyStorageUrl(),
    clock,
    log,
    migrations: [...auditMigrations, ...keysMigrations, ...catalogMigrations, ...diagnosisMigrations],
  })
  afterAll(() => storage.close())
  const audit = createAudit({ storage, clock, log })
  const keys = await openKeys({ storage, clock, log, audit, masterKey: Buffer.alloc(32, 7) })
  const catalog = await openCatalog({ storage, clock, audit, keys, templates: folder() })
  /** As many as there are processes. */
  const open = (): Diagnosis => openDiagnosis({ issuer: ISSUER, storage, clock, log, catalog })
  let requests = 0
  return {
    clock,
    catalog,
    open,
    diagnosis: open(),
    async app(id: string, more: object = {}): Promise<App> {
      return (await catalog.apps.register(manifest(id, more), 'test')).app
    },
    /** The id of a request that nobody had before. */
    request: (): string => `E-0000-${String(++requests).padStart(4, '0')}`,
    rows: async () => (await storage.records.selectFrom('app_failures').selectAll().execute()) as { count: number }[],
    logged: (event: string): Record<string, unknown>[] =>
      lines.map((line) => JSON.parse(line)).filter((line) => line.event === event),
  }
}
