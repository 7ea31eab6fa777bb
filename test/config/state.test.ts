import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { formatProblem, loadSettings, showSettings } from '#config'

const folder = mkdtempSync(join(tmpdir(), 'portico-state-settings-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const file = join(folder, 'portico.yaml')

function load(text: string, env: Record<string, string> = {}) {
  writeFileSync(file, text)
  return loadSettings(file, env)
}
const said = (text: string, env?: Record<string, string>) => load(text, env).problems.map(formatProblem).join('\n')

test.each([
  'redis://127.0.0.1:6379',
  'rediss://user:pass@redis.example.com/3',
  'redis+sentinel://:pass@a:26379,b:26379,c/kestrel',
  'redis+cluster://a:7000,b:7001?tls=true',
  'sqlite:data/portico.db',
])('`%s` is where short-lived state may be', (url) => {
  expect(said(`state: { url: "${url}" }`)).toBe('')
})

test.each(['sqlite:elsewhere.db', 'http://redis:6379', 'redis:6379', 'redis+other://a', 'redis://a b', 'memory:'])(
  '`%s` is not',
  (url) => {
    expect(said(`state: { url: "${url}" }`)).toMatch(/portico\.yaml:1:\d+ invalid .*`state\.url`.*redis\+sentinel/)
  },
)

test('what says something about a Redis that is not there is refused, each by its name', () => {
  const text = 'state:\n  password: secret\n  replicas: 1\n  ca_file: ca.pem\n'
  expect(said(text)).toMatch(/:2:\d+ not-supported .*`state\.password` has no effect|`state\.password`/)
  expect(load(text).problems.map(({ line, code }) => `${line} ${code}`)).toEqual([
    '2 not-supported',
    '3 not-supported',
    '4 not-supported',
  ])
  expect(said('state: { url: "redis://a", replicas: 10 }')).toContain('`state.replicas`')
  expect(said('state: { url: "redis://a", replica: 1 }')).toContain('did you mean `replicas`')
})

test('passwords come from files, and are shown nowhere: not by themselves, not in an address', () => {
  for (const name of ['redis', 'sentinel']) writeFileSync(join(folder, name), `password of ${name}\n`)
  const loaded = load('state: { url: "redis://a" }', {
    PORTICO_STATE__URL: 'redis+sentinel://user:in%20the@address@s1:26379,s2/kestrel',
    PORTICO_STATE__PASSWORD_FILE: join(folder, 'redis'),
    PORTICO_STATE__SENTINEL_PASSWORD_FILE: join(folder, 'sentinel'),
    PORTICO_STATE__CA_FILE: 'ca.pem',
    PORTICO_STATE__REPLICAS: '2',
  })
  expect(loaded.problems).toEqual([])
  expect(loaded.settings?.state).toMatchObject({
    password: 'password of redis',
    sentinel_password: 'password of sentinel',
    ca_file: 'ca.pem',
    replicas: 2,
  })
  const shown = Object.fromEntries(showSettings(loaded).map(({ path, value }) => [path, value]))
  expect(shown['state.url']).toBe('redis+sentinel://user:***@s1:26379,s2/kestrel')
  expect([shown['state.password'], shown['state.sentinel_password']]).toEqual(['***', '***'])
  writeFileSync(join(folder, 'url'), 'rediss://:secret@a\n')
  const byFile = load('', { PORTICO_STATE__URL_FILE: join(folder, 'url') })
  expect(byFile.settings?.state.url).toBe('rediss://:secret@a')
  expect(JSON.stringify(showSettings(byFile))).not.toContain('secret@')
})
