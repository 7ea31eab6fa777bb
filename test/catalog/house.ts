/** The catalog on real rooms below it, on storage in memory or in a file, with a clock that tests set. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { auditMigrations, createAudit } from '#audit'
import { type Catalog, catalogMigrations, type KnownApis, openCatalog } from '#catalog'
import { systemClock } from '#core/clock'
import { silentLog } from '#core/log'
import { type Diagnosis, diagnosisMigrations, openDiagnosis } from '#diagnosis'
import { createHashing, directoryMigrations, openDirectory, type People } from '#directory'
import { keysMigrations, openKeys } from '#keys'
import { createSamlKeys, type SamlKeys, samlMigrations } from '#protocol/saml'
import { openStorage, type Storage } from '#storage'
import { emptyStorageUrl } from '../support/storage.ts'

export const SHIPPED = join(import.meta.dirname, '../../apps-catalog')
/** Sealing depends on the master key alone, so one making of signing keys serves the whole file. */
const sealing = (async () => {
  const clock = systemClock
  const log = silentLog
  const storage = await openStorage({
    url: await emptyStorageUrl(),
    clock,
    log,
    migrations: [...auditMigrations, ...keysMigrations],
  })
  const audit = createAudit({ storage, clock, log })
  const keys = await openKeys({ storage, clock, log, audit, masterKey: Buffer.alloc(32, 7) })
  await storage.close()
  return keys
})()

const hashing = createHashing({ clock: systemClock })

export function folder(files: Record<string, string> = {}): string {
  const path = mkdtempSync(join(tmpdir(), 'portico-catalog-'))
  afterAll(() => rmSync(path, { recursive: true, force: true }))
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(path, name, '..'), { recursive: true })
    writeFileSync(join(path, name), text)
  }
  return path
}

export interface TestHouse {
  readonly catalog: Catalog
  readonly diagnosis: Diagnosis
  readonly people: People
  readonly samlKeys: SamlKeys
  readonly storage: Storage
  readonly audit: ReturnType<typeof createAudit>
  readonly clock: { now(): number; advance(ms: number): void }
  close(): Promise<void>
}

export async function openHouse(
  options: { url?: string; templates?: string; policyNames?: () => readonly string[]; knownApis?: KnownApis } = {},
): Promise<TestHouse> {
  let now = Date.UTC(2026, 10, 22, 9)
  const clock = {
    now: () => now,
    advance(ms: number) {
      now += ms
    },
  }
  const log = silentLog
  const storage = await openStorage({
    url: options.url ?? (await emptyStorageUrl()),
    clock,
    log,
    migrations: [
      ...auditMigrations,
      ...keysMigrations,
      ...directoryMigrations,
      ...catalogMigrations,
      ...samlMigrations,
      ...diagnosisMigrations,
    ],
  })
  const audit = createAudit({ storage, clock, log })
  const keys = await sealing
  const { policyNames, knownApis } = options
  const catalog = await openCatalog({
    storage,
    clock,
    audit,
    keys,
    templates: options.templates ?? SHIPPED,
    ...(policyNames && { policyNames }),
    ...(knownApis && { knownApis: async () => knownApis }),
  })
  const directories = [{ id: 'local', kind: 'local' as const }]
  const people = await openDirectory({ storage, clock, log, audit, directories, folder: tmpdir(), hashing })
  const samlKeys = createSamlKeys({ storage, clock, audit, keys, name: 'sso.kestrel.example' })
  const diagnosis = openDiagnosis({ issuer: 'https://sso.kestrel.example', storage, clock, log, catalog })
  return { catalog, diagnosis, people, samlKeys, storage, audit, clock, close: () => storage.close() }
}
