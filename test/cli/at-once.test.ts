/** What a command loads is what it takes: counted, because time on a busy machine proves nothing. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'

const root = join(import.meta.dirname, '../..')
const folder = mkdtempSync(join(tmpdir(), 'portico-at-once-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Tells, when the process ends, what was loaded: modules by address, and Node's own by name. */
const WATCH = `
  import { registerHooks } from 'node:module'
  const loaded = []
  registerHooks({ load(url, context, next) { loaded.push(url); return next(url, context) } })
  process.on('exit', () => process.stderr.write(JSON.stringify([...loaded, ...process.moduleLoadList])))`

beforeAll(() => {
  writeFileSync(join(folder, 'watch.mjs'), WATCH)
  writeFileSync(join(folder, 'portico.yaml'), JSON.stringify({ catalog: join(root, 'apps-catalog') }))
})

function run(entrance: string, ...words: string[]) {
  const { NODE_COMPILE_CACHE: _, NODE_OPTIONS: __, ...env } = process.env
  const args = ['--import', join(folder, 'watch.mjs'), join(root, 'src', entrance), ...words]
  const ran = spawnSync(process.execPath, args, { encoding: 'utf8', cwd: folder, env })
  return { status: ran.status, out: ran.stdout, loaded: JSON.parse(ran.stderr) as string[] }
}

test('`apps search` loads neither schemas nor rooms that it does not use', () => {
  const { status, out, loaded } = run('portico.js', 'apps', 'search', 'grafana')
  expect(status).toBe(0)
  expect(out).toMatch(/^grafana +Grafana \(monitoring\)/)
  expect(loaded.filter((url) => /node_modules\//.test(url))).toEqual([])
  expect(loaded.filter((url) => url.includes('/src/')).length).toBeLessThan(30)
})

test('the stripper of types is not loaded where everything was kept stripped', () => {
  const stripper = /internal\/deps\/amaro/
  // the first run keeps what the second takes
  run('portico.js', 'apps', 'search', 'grafana')
  expect(run('portico.js', 'apps', 'search', 'grafana').loaded.filter((name) => stripper.test(name))).toEqual([])
  // by its old name the entrance is one file with types, and that is what it costs
  expect(run('main.ts', 'apps', 'search', 'grafana').loaded.filter((name) => stripper.test(name))).not.toEqual([])
})

test('`node src/main.ts` is the same command', () => {
  expect(run('main.ts', 'apps', 'search', 'grafana').out).toBe(run('portico.js', 'apps', 'search', 'grafana').out)
})
