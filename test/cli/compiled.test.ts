import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'

const source = join(import.meta.dirname, '../../src/compiled.js')
const root = mkdtempSync(join(tmpdir(), 'portico-compiled-'))
let data: string
let cache: string
let number = 0
beforeEach(() => {
  data = join(root, `data-${number++}`)
  cache = join(data, 'compile-cache')
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

/** Whether a process uses the folder, in which it then compiles something. */
function used(): boolean {
  const script = `
    const { keepCompiled } = await import(${JSON.stringify(source)})
    keepCompiled(${JSON.stringify(cache)})
    const { getCompileCacheDir } = await import('node:module')
    await import('node:fs')
    await import(${JSON.stringify(join(root, 'compiled.mjs'))})
    console.log(getCompileCacheDir() === undefined ? 'no' : 'yes')`
  const { NODE_COMPILE_CACHE: _, ...env } = process.env
  writeFileSync(join(root, 'compiled.mjs'), `export const number = ${number}`)
  const ran = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8', env })
  expect(ran.stderr).toBe('')
  return ran.stdout.trim() === 'yes'
}

describe('what is compiled', () => {
  test('is kept, where nobody else can look or write', () => {
    expect(used()).toBe(true)
    expect(readdirSync(cache, { recursive: true }).length).toBeGreaterThan(1)
    expect(statSync(data).mode & 0o777).toBe(0o700)
    expect(statSync(cache).mode & 0o777).toBe(0o700)
  })

  test('is not taken from a folder that others may write to', () => {
    mkdirSync(cache, { recursive: true, mode: 0o700 })
    chmodSync(cache, 0o777)
    expect(used()).toBe(false)
    chmodSync(cache, 0o700)
    expect(used()).toBe(true)
    chmodSync(data, 0o770)
    expect(used()).toBe(false)
  })

  test('is not taken from a folder that somebody else owns, nor through a link', () => {
    const elsewhere = join(root, 'elsewhere')
    mkdirSync(elsewhere, { recursive: true, mode: 0o700 })
    mkdirSync(data, { mode: 0o700 })
    symlinkSync(elsewhere, cache)
    expect(used()).toBe(false)
    rmSync(cache)
    // only root can give folders away; anybody else is refused the next line, and has nobody to fear here
    if (process.getuid?.() !== 0) return
    mkdirSync(cache, { mode: 0o700 })
    chownSync(data, 1000, 1000)
    expect(used()).toBe(false)
    chownSync(data, 0, 0)
    chownSync(cache, 1000, 1000)
    expect(used()).toBe(false)
  })

  test('is done without where there is no place for it', () => {
    writeFileSync(data, 'a file')
    expect(used()).toBe(false)
  })
})
