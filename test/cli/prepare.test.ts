/** What `npm ci` does at its end: the first start after it finds everything compiled. */
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'

const root = join(import.meta.dirname, '../..')
const folder = mkdtempSync(join(tmpdir(), 'portico-prepare-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const prepare = (source: string, cache: string) =>
  execFileSync(process.execPath, ['--max-semi-space-size=8', join(source, 'prepare.js'), cache], { encoding: 'utf8' })

test('what a server loads is compiled, and nothing is started or said', () => {
  expect(prepare(join(root, 'src'), join(folder, 'cache'))).toBe('')
  const [version, ...others] = readdirSync(join(folder, 'cache'))
  expect(others).toEqual([])
  expect(readdirSync(join(folder, 'cache', version!)).length).toBeGreaterThan(1_000)
})

test('where the sources are not there yet an installation goes on', () => {
  const bare = join(folder, 'src')
  mkdirSync(bare)
  for (const name of ['prepare.js', 'compiled.js']) cpSync(join(root, 'src', name), join(bare, name))
  expect(prepare(bare, join(folder, 'none'))).toBe('')
})

test('it is what the installation runs, with the flags of a server', () => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  expect(scripts.postinstall).toBe('node --max-semi-space-size=8 src/prepare.js || exit 0')
  expect(readFileSync(join(root, 'src/portico.js'), 'utf8').split('\n')[0]).toContain('--max-semi-space-size=8')
})
