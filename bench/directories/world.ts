/** A directory of a size that hurts: OpenLDAP with 20,000 people in 700 groups, as if it had grown over years. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Slapd, startSlapd } from '../../test/support/slapd.ts'
import { PASSWORD } from '../subjects.ts'

export const PEOPLE = 20_000
export const GROUPS = 700

const stamp = (hours: number): string =>
  `${new Date(Date.UTC(2024, 5, 1, hours)).toISOString().slice(0, 19).replace(/\D/g, '')}Z`

export function startLarge(people: number): Promise<Slapd> {
  const all = Array.from({ length: people }, (_, i) => ({
    uid: `user${i}`,
    name: `Given${i} Family${i}`,
    mail: `user${i}@kestrel.example`,
    language: 'nl',
    changed: stamp(i),
    ...(i < 16 ? { password: PASSWORD } : {}),
  }))
  const uids = all.map(({ uid }) => uid)
  const spread = (name: string) =>
    Object.entries(Object.groupBy(uids, (_, i) => `${name} ${(name === 'store' ? i : i * 7) % GROUPS}`))
  const groups = { staff: uids, ...Object.fromEntries([...spread('store'), ...spread('team')]) }
  return startSlapd(all, groups as Record<string, string[]>)
}

/** Answers the name of the settings file. */
export function writeSettings(folder: string, directories: readonly object[]): string {
  mkdirSync(folder, { recursive: true })
  const file = join(folder, 'portico.yaml')
  const settings = { storage: { url: 'sqlite:portico.db' }, secrets: { key_file: 'master.key' }, directories }
  writeFileSync(file, JSON.stringify(settings))
  return file
}
