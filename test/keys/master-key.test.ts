import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { readMasterKey } from '#keys'

/** Of a database in which nothing is sealed yet. */
const read = (secrets: Parameters<typeof readMasterKey>[0], from: string) =>
  readMasterKey(secrets, from, async () => false)
const folder = mkdtempSync(join(tmpdir(), 'portico-test-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('a key in the settings wins over the file, which is then not made', async () => {
  const key = randomBytes(32)
  expect(await read({ key: key.toString('base64url'), key_file: 'unused.key' }, folder)).toEqual(key)
  expect(() => statSync(join(folder, 'unused.key'))).toThrow()
})

test('the file is made on the first start for its owner only, and read from then on', async () => {
  const first = await read({ key_file: 'data/master.key' }, folder)
  expect(first).toHaveLength(32)
  expect(await read({ key_file: 'data/master.key' }, folder)).toEqual(first)
  expect(statSync(join(folder, 'data/master.key')).mode & 0o777).toBe(0o600)
  expect(statSync(join(folder, 'data')).mode & 0o777).toBe(0o700)
  expect(readdirSync(join(folder, 'data'))).toEqual(['master.key'])
  expect(await read({ key_file: 'other/master.key' }, folder)).not.toEqual(first)
})

test('a key that is not 32 bytes as base64url is refused with a sentence, and without the key in it', async () => {
  const short = randomBytes(31).toString('base64url')
  const standard = Buffer.alloc(32, 0xfb).toString('base64')
  for (const key of ['', 'secret', short, standard, `${randomBytes(32).toString('base64url')}=`]) {
    const error: unknown = await read({ key, key_file: 'x' }, folder).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'settings-invalid', detail: 'secrets.key: expected 32 bytes as base64url' })
  }
  const file = join(folder, 'bad.key')
  writeFileSync(file, 'half a ke')
  await expect(read({ key_file: file }, '/')).rejects.toMatchObject({
    detail: `master key file \`${file}\`: expected 32 bytes as base64url`,
  })
  expect(readFileSync(file, 'utf8')).toBe('half a ke')
  await expect(read({ key_file: join(file, 'below') }, '/')).rejects.toMatchObject({
    detail: expect.stringContaining('can be neither read nor made (ENOTDIR)'),
  })
})

test('four processes that start at once on an empty place read one and the same key', async () => {
  const program = `const { readMasterKey } = await import('#keys')
    process.stdout.write((await readMasterKey({ key_file: 'k' }, process.argv[1], async () => false)).toString('hex'))`
  for (let round = 0; round < 2; round++) {
    const place = join(folder, `race-${round}`)
    const keys = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const child = spawn(process.execPath, ['--input-type=module', '-e', program, place], {
          cwd: join(import.meta.dirname, '../..'),
          stdio: ['ignore', 'pipe', 'inherit'],
        })
        let out = ''
        child.stdout.on('data', (chunk) => {
          out += chunk
        })
        await once(child, 'close')
        return out
      }),
    )
    expect(keys[0]).toMatch(/^[0-9a-f]{64}$/)
    expect(new Set(keys).size).toBe(1)
    expect(readdirSync(place)).toEqual(['k'])
  }
})
