import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { loadSettings, settingsJsonSchema } from '#config'

const root = join(import.meta.dirname, '../..')
const page = readFileSync(join(root, 'docs/operations.md'), 'utf8')

interface Schema {
  readonly default?: unknown
  readonly properties?: Readonly<Record<string, Schema>>
  readonly items?: Schema
  readonly oneOf?: readonly Schema[]
  readonly anyOf?: readonly Schema[]
}

/** Every key with its default as JSON, `undefined` where it has none. */
function keysOf(schema: Schema, path = ''): Map<string, string | undefined> {
  const found = new Map<string, string | undefined>()
  for (const [name, inner] of Object.entries(schema.properties ?? {})) {
    const own = path ? `${path}.${name}` : name
    if (inner.properties) for (const [key, value] of keysOf(inner, own)) found.set(key, value)
    else found.set(own, inner.default === undefined ? undefined : JSON.stringify(inner.default))
    for (const kind of [...(inner.items?.oneOf ?? []), ...(inner.items?.anyOf ?? [])])
      for (const [key, value] of keysOf(kind, `${own}[]`)) found.set(key, value)
  }
  return found
}

const keys = keysOf(settingsJsonSchema() as Schema)

test('the operations page has every setting with its default, and no other', () => {
  const table = /^\| key \| default \| meaning \|\n[\s\S]*?\n\n/m.exec(page)![0]
  const rows = [...table.matchAll(/^\| `([^`]+)` \| (?:`(.*)`)? ?\| (.*) \|$/gm)].map(
    ([, key, written]) => [key!, written || undefined] as const,
  )
  expect(Object.fromEntries(rows)).toEqual(Object.fromEntries(keys))
  expect(rows).toHaveLength(keys.size)
  expect(keys.size).toBeGreaterThan(30)
})

test('`config schema` prints that schema, and it takes the settings of the demo and refuses an unknown key', () => {
  const main = join(root, 'src/main.ts')
  const printed = JSON.parse(String(execFileSync(process.execPath, [main, 'config', 'schema'], { cwd: root })))
  expect(printed).toEqual(settingsJsonSchema())
  const schema = z.fromJSONSchema(printed)
  const demo = {
    issuer: 'https://id.example.com',
    storage: { url: 'sqlite:portico.db' },
    directories: [
      { id: 'staff', kind: 'local' },
      { id: 'office', kind: 'ldap', url: 'ldaps://ldap.example.com', base_dn: 'dc=example' },
    ],
    workers: 1,
    sessions: { idle: '1h' },
  }
  expect(schema.safeParse(demo).error).toBeUndefined()
  expect(schema.safeParse({}).success).toBe(true)
  for (const wrong of [
    { ...demo, isuer: 'x' },
    { workers: 'many' },
    { sessions: { idle: '1 hour' } },
    { directories: [{ id: 'a', kind: 'ldap' }] },
  ])
    expect(schema.safeParse(wrong).success, JSON.stringify(wrong)).toBe(false)
})

test('the settings of the demo can be used', () => {
  expect(loadSettings(join(root, 'demo/portico.yaml'), {}).problems).toEqual([])
})
