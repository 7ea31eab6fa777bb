/** The rules of the house, checked on the source text. Adding a room means adding it here. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { expect, test } from 'vitest'

/** Bottom floor first. A room imports rooms on lower floors, never its neighbours. */
const FLOORS = [
  ['core'],
  ['config', 'storage', 'http'],
  ['audit', 'keys', 'pages', 'saml'],
  ['directory', 'factors', 'sessions', 'context', 'catalog', 'apis', 'policy', 'organisations'],
  ['access', 'diagnosis'],
  ['signin'],
  [
    'protocol/oidc',
    'protocol/saml',
    'forward-auth',
    'api-access',
    'provisioning',
    'admin',
    'console',
    'account',
    'probe',
  ],
  ['cli'],
  ['.'], // portico.js, server.ts, settings.ts
]
const ONLY_IN: [what: RegExp, where: string][] = [
  [/\bDate\.now\(|new Date\(\)|\bperformance\.now\(/, 'core/clock.ts'],
  [/\bMath\.random\(/, '(nowhere)'],
  [/\bprocess\.env\b/, 'config/'],
  [/'pg'/, 'storage/drivers/postgres'],
  [/from 'ioredis'/, 'storage/drivers/redis.ts'],
  [/from 'oidc-provider/, 'protocol/oidc/'],
  [/from 'geoip-lite'/, 'context/'],
  [/from '@simplewebauthn\/server'/, 'factors/'],
  [/from 'ldapts'/, 'directory/kinds/'],
  [/from 'openid-client'/, 'directory/kinds/'],
  [/'xml-crypto'/, 'saml/'],
  [/\bfetch\(/, 'http/outbound.ts'],
]
const LONGEST_FILE = 400

const src = join(import.meta.dirname, '../src')
const files = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .filter((f) => /\.[jt]s$/.test(f))
  .sort()
const text = (file: string) => readFileSync(join(src, file), 'utf8')
const doors = JSON.parse(readFileSync(join(src, '../package.json'), 'utf8')).imports as Record<string, string>
const floorOf = new Map(FLOORS.flatMap((rooms, floor) => rooms.map((room) => [room, floor] as const)))
const roomOf = (path: string) =>
  [...floorOf.keys()].find((r) => path === r || path.startsWith(`${r}/`)) ?? (path.includes('/') ? undefined : '.')
const importsOf = (file: string) =>
  [...text(file).matchAll(/\b(?:from|import)\s*\(?\s*['"]([^'"]+)['"]/g)].map((m) => m[1]!)
const resolve = (file: string, spec: string) => relative(src, join(src, dirname(file), spec))

test.each(files)('%s', (file) => {
  const room = roomOf(file)
  expect(room, 'stands in no room').toBeDefined()
  expect(text(file).split('\n').length, 'is too long').toBeLessThanOrEqual(LONGEST_FILE)
  for (const spec of importsOf(file)) {
    if (spec.startsWith('.')) expect(roomOf(resolve(file, spec)), `${spec} leaves the room`).toBe(room)
    if (!spec.startsWith('#')) continue
    expect(spec.startsWith('#core/') || spec in doors, `${spec} is no door`).toBe(true)
    expect(floorOf.get(roomOf(spec.slice(1))!), `${spec} is not below`).toBeLessThan(floorOf.get(room!)!)
  }
})

test('no file imports itself, however indirectly', () => {
  const done = new Set<string>()
  const walk = (file: string, path: string[]): void => {
    expect(path, [...path, file].join(' -> ')).not.toContain(file)
    if (done.has(file)) return
    for (const spec of importsOf(file)) if (spec.startsWith('.')) walk(resolve(file, spec), [...path, file])
    done.add(file)
  }
  for (const file of files) walk(file, [])
})

test.each(ONLY_IN)('%s appears only in %s', (what, where) => {
  // modules that run in the browser live in <room>/browser/ and have the browser's own clock and fetch
  expect(files.filter((f) => !f.startsWith(where) && !f.includes('/browser/') && what.test(text(f)))).toEqual([])
})
