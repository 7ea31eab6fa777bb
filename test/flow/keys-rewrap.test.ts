/** `keys rewrap` beside a running server, as an operator does it. */
import { copyFileSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { makePlace, portico, serve } from '../support/serve.ts'

const place = await makePlace({ people: [{ username: 'sam', name: 'Sam' }] })
afterAll(() => place.remove())
const file = join(place.folder, 'master.key')

async function command(config: string, ...words: string[]) {
  const ran = portico([...words, '--config', config])
  const status = await ran.exited
  return { status, out: ran.out(), err: ran.err() }
}
const rewrap = (...words: string[]) => command(place.config, 'keys', 'rewrap', ...words)
const keyId = async () =>
  ((await (await fetch(`${place.issuer}/oauth2/jwks`)).json()) as { keys: { kid: string }[] }).keys.map(
    ({ kid }) => kid,
  )

test('another master key takes the place of the old one while a server runs, and the old one opens nothing', async () => {
  const serving = await serve(place.config)
  const before = await keyId()
  const old = join(place.folder, 'old.key')
  copyFileSync(file, old)
  const changed = await rewrap()
  expect(changed.status, changed.err).toBe(0)
  expect(changed.out).toContain('the one before opens nothing any more')
  expect(readFileSync(file, 'utf8')).not.toBe(readFileSync(old, 'utf8'))
  expect(statSync(file).mode & 0o777).toBe(0o600)
  expect(readdirSync(place.folder).filter((name) => name.includes('.next'))).toEqual([])
  // the running server goes on, and one that starts now is the same one
  expect(await keyId()).toEqual(before)
  expect(await serving.stop()).toBe(0)
  const again = await serve(place.config)
  expect(await keyId()).toEqual(before)
  expect(await again.stop()).toBe(0)
  const refused = await command(place.settings('old.yaml', { secrets: { key_file: 'old.key' } }), 'keys', 'list')
  expect(refused.status).toBe(2)
  expect(refused.err).toContain('the master key does not open')
  expect((await command(place.config, 'audit', 'search', '--json')).out).toContain('master-key-ended')
})

test('a change that was broken off before the file was put in place is taken up again', async () => {
  const next = `${file}.next`
  expect((await rewrap('--to', next)).status).toBe(0)
  const made = readFileSync(next, 'utf8')
  // both open it, so whatever the file holds when the power goes, the server starts
  expect((await command(place.config, 'keys', 'list')).status).toBe(0)
  expect((await rewrap()).status).toBe(0)
  expect(readFileSync(file, 'utf8')).toBe(made)
})

test('on several machines both keys open it until the change is finished', async () => {
  const told = await rewrap('--to', 'second.key')
  expect(told.out).toContain('portico keys rewrap --finish')
  const second = place.settings('second.yaml', { secrets: { key_file: 'second.key' } })
  for (const config of [place.config, second]) expect((await command(config, 'keys', 'list')).status).toBe(0)
  expect((await command(second, 'keys', 'rewrap', '--finish')).status).toBe(0)
  expect((await command(place.config, 'keys', 'list')).status).toBe(2)
  expect((await command(second, 'keys', 'rewrap', '--finish')).out).toContain('nothing to finish')
  copyFileSync(join(place.folder, 'second.key'), file)
})

test('what cannot be done is refused with a sentence, and nothing is changed', async () => {
  const key = readFileSync(file, 'utf8').trim()
  const given = place.settings('given.yaml', { secrets: { key } })
  expect((await command(given, 'keys', 'rewrap')).err).toContain('--to FILE')
  expect((await rewrap('--to', 'x.key', '--finish')).err).toContain('either --to or --finish')
  expect((await rewrap('--to', 'master.key')).err).toContain('holds the master key that is in use')
  writeFileSync(join(place.folder, 'half.key'), 'half a ke')
  expect((await rewrap('--to', 'half.key')).err).toContain('expected 32 bytes as base64url')
  expect(readFileSync(file, 'utf8').trim()).toBe(key)
  expect((await command(place.config, 'keys', 'list')).status).toBe(0)
})
