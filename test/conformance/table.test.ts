/** The tables of `README.md`: every module of the Foundation's plans has a row, and every row tells the truth. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { startOp } from './op/op.ts'
import { PLANS } from './plans.ts'

const read = (name: string) => readFileSync(join(import.meta.dirname, name), 'utf8')

interface Row {
  readonly plan: string
  readonly module: string
  readonly state: string
  readonly words: string
}

/** A section names its plans above its table. */
const rows: Row[] = read('README.md')
  .split(/^## /m)
  .slice(1)
  .flatMap((section) => {
    const plans = [...(/^`.*`$/m.exec(section)?.[0] ?? '').matchAll(/`([^`]+)`/g)].map(([, plan]) => plan!)
    const table = [...section.matchAll(/^\| `([^`]+)` \| ([^|]+) \| (.+) \|$/gm)]
    return plans.flatMap((plan) =>
      table.map(([, module, state, words]) => ({ plan, module: module!, state: state!, words: words! })),
    )
  })

const key = (plan: string, module: string) => `${plan} ${module}`
const keysOf = (which: (row: Row) => boolean) => rows.filter(which).map(({ plan, module }) => key(plan, module))

test('every module of the plans has one row, and there are no others', () => {
  const modules = JSON.parse(read('modules.json')) as Record<string, string[]>
  // a variant of a plan has a table of its own
  const variants = Object.values(PLANS)
    .flat()
    .map(({ name }) => name)
    .filter((name) => !(name in modules))
  const known = [
    ...Object.entries(modules),
    ...variants.map((name): [string, string[]] => [name, modules[name.replace(/ \(.*\)$/, '')] ?? []]),
  ].flatMap(([plan, names]) => names.map((name) => key(plan, name)))
  expect(new Set(known).size).toBe(known.length)
  expect(keysOf(() => true).toSorted()).toEqual(known.toSorted())
})

test('every row says one of three things', () => {
  expect(rows.filter(({ state }) => !['covered', 'not offered', 'not applicable'].includes(state))).toEqual([])
})

test('what is covered has a test in the file that is named, and every test has a row', () => {
  const tests = Object.values(PLANS)
    .flat()
    .flatMap(({ name, files }) =>
      Object.entries(files).flatMap(([file, modules]) => Object.keys(modules).map((module) => [name, module, file])),
    )
  const covered = rows
    .filter(({ state }) => state === 'covered')
    .map(({ plan, module, words }) => [plan, module, words])
  expect(covered.toSorted()).toEqual(tests.toSorted())
  for (const [, module, file] of tests)
    expect(read(file!)).toContain(module!.replace(/^fapi2-security-profile-final-(par-)?/, ''))
})

test('every plan is run by a test file', () => {
  const files = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.test.ts'))
  expect(files.toSorted()).toEqual([...Object.keys(PLANS).map((name) => `${name}.test.ts`), 'table.test.ts'].toSorted())
  for (const name of Object.keys(PLANS)) expect(read(`${name}.test.ts`)).toContain(`PLANS['${name}']!) run(plan)`)
})

test('what is not offered is not in the discovery document either', async () => {
  const op = await startOp()
  onTestFinished(() => op.close())
  const { metadata } = op
  const scopes = metadata['scopes_supported'] as string[]
  const missing: Record<string, boolean> = {
    'oidcc-scope-address': !scopes.includes('address'),
    'oidcc-scope-phone': !scopes.includes('phone'),
    'oidcc-scope-all': !scopes.includes('address') && !scopes.includes('phone'),
    'oidcc-session-management-discovery-endpoint-verification': !('check_session_iframe' in metadata),
    'oidcc-session-management-rp-initiated-logout': !('check_session_iframe' in metadata),
  }
  for (const { module } of rows.filter(({ state }) => state === 'not offered'))
    expect([module, missing[module]]).toEqual([module, true])
  // the plans that have no table
  expect(metadata['response_types_supported']).toEqual(['code'])
  expect(metadata).not.toHaveProperty('registration_endpoint')
})
