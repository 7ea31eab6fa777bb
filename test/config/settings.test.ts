import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { formatProblem, loadSettings, showSettings } from '#config'

const folder = mkdtempSync(join(tmpdir(), 'portico-settings-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const file = join(folder, 'portico.yaml')

function load(text: string, env: Record<string, string> = {}) {
  writeFileSync(file, text)
  return loadSettings(file, env)
}

/** `line:column code` of every problem. */
const places = (text: string, env: Record<string, string> = {}) =>
  load(text, env).problems.map(({ line, column, code }) => `${line}:${column} ${code}`)
const said = (text: string, env: Record<string, string> = {}) => load(text, env).problems.map(formatProblem).join('\n')

const LDAP = `directories:
  - id: head-office
    kind: ldap
    url: ldaps://ldap.example.com
    base_dn: dc=example,dc=com
    bind_password: a secret
`

test('an empty file means the embedded defaults', () => {
  const { settings, problems, origins } = load('')
  expect(problems).toEqual([])
  expect(settings).toMatchObject({
    issuer: 'http://localhost:3000',
    listen: '127.0.0.1:3000',
    management: { listen: '127.0.0.1:9090' },
    proxies: [],
    storage: { url: 'sqlite:data/portico.db' },
    secrets: { key_file: 'data/master.key' },
    policies: 'policies',
    catalog: 'apps-catalog',
    directories: [{ id: 'local', kind: 'local' }],
    workers: 'auto',
    languages: ['en', 'nl', 'de', 'ru'],
    sessions: { idle: '2h', max: '12h' },
  })
  expect(origins.size).toBe(0)
})

test('so does a file with comments only, and no file at all', () => {
  const defaults = load('').settings
  for (const text of ['\n', '# nothing here\n', '{}', '---\n']) expect(load(text).settings, text).toEqual(defaults)
  const nowhere = mkdtempSync(join(folder, 'nothing-'))
  const main = join(import.meta.dirname, '../../src/main.ts')
  const env = { PATH: process.env['PATH'] }
  const shown = execFileSync(process.execPath, [main, 'config', 'show', '--json'], { cwd: nowhere, env })
  expect(JSON.parse(String(shown))).toEqual(showSettings(load('')))
})

test('a file that was named must be there', () => {
  const { settings, problems } = loadSettings(join(folder, 'nowhere.yaml'), {})
  expect(settings).toBeUndefined()
  expect(problems).toMatchObject([{ code: 'file-unreadable', message: 'file cannot be read (ENOENT)' }])
  expect(loadSettings(folder, {}).problems[0]!.message).toContain('EISDIR')
  expect(loadSettings(undefined, { PORTICO_CONFIG: join(folder, 'nowhere.yaml') }).problems).toHaveLength(1)
})

test('relative names start in the folder of the file', () => {
  expect(load('').folder).toBe(folder)
})

test('all problems are told at once, each where it stands', () => {
  expect(
    places(`issuer: ftp://id.example.com
listen: 3000
storag: { url: 'sqlite:x' }
management: { listen: nowhere }
directories:
  - { id: Head Office, kind: ldap }
workers: 99
sessions: { idle: 2 hours }
`),
  ).toEqual([
    '1:9 invalid',
    '2:9 invalid',
    '3:1 unknown-key',
    '4:23 invalid',
    '6:5 missing',
    '6:5 missing',
    '6:11 invalid',
    '7:10 invalid',
    '8:19 invalid',
  ])
})

test('a problem is one line that an editor can jump to', () => {
  expect(said('listen: nowhere\n')).toBe(`${file}:1:9 invalid \`listen\` is not valid: expected \`host:port\``)
})

test('an unknown key comes with the nearest known one', () => {
  expect(said('isuer: http://localhost:3000')).toContain('unknown key `isuer`; did you mean `issuer`?')
  expect(said('storage: { uri: "sqlite:x" }')).toContain('`storage` has an unknown key `uri`; did you mean `url`?')
  expect(said(LDAP.replace('bind_password', 'bind_pasword'))).toContain('did you mean `bind_password`?')
})

test('keys that would change what objects are made of are unknown keys like any other', () => {
  expect(places('__proto__: { issuer: x }\nconstructor: 1\n')).toEqual(['1:1 unknown-key', '2:1 unknown-key'])
  expect(({} as Record<string, unknown>)['issuer']).toBeUndefined()
})

test('the environment wins over the file', () => {
  const { settings, origins } = load('organisation: Kestrel\nlisten: 127.0.0.1:3001\n', {
    PORTICO_ORGANISATION: 'Kestrel Mobile',
    PORTICO_STORAGE__URL: 'sqlite:/var/lib/portico.db',
    PORTICO_PROXIES: '[10.0.0.0/8, "::1"]',
    PORTICO_WORKERS: '1',
    PORTICO_SUPPORT: 'Call 4711',
    HOME: '/root',
  })
  expect(settings).toMatchObject({
    organisation: 'Kestrel Mobile',
    listen: '127.0.0.1:3001',
    storage: { url: 'sqlite:/var/lib/portico.db' },
    proxies: ['10.0.0.0/8', '::1'],
    workers: 1,
    support: 'Call 4711',
  })
  expect(origins.get('organisation')).toBe('PORTICO_ORGANISATION')
  expect(origins.get('listen')).toBe(`${file}:2`)
})

test('a text from the environment stays a text, whatever it looks like', () => {
  const texts = ['4711', 'true', 'null', '[a', '{b: c}', '~', '*alias', '&x y', '1e5', 'a: b', '!!js/function x']
  for (const text of texts) {
    const { settings } = load(LDAP, {
      PORTICO_ORGANISATION: text,
      PORTICO_DIRECTORIES__0__BIND_PASSWORD: text,
    })
    expect(settings?.organisation, text).toBe(text)
    expect(settings?.directories[0], text).toMatchObject({ bind_password: text })
  }
})

test('what is no list in the environment is a problem of its variable', () => {
  for (const text of ['10.0.0.0/8', '[10.0.0.0/8', '[*nothing]', '&a [*a]', '']) {
    const { problems } = load('', { PORTICO_PROXIES: text })
    expect(
      problems.map((problem) => `${problem.file} ${problem.code}`),
      text,
    ).toEqual(['PORTICO_PROXIES invalid'])
  }
})

test('an unknown variable comes with the nearest known one', () => {
  expect(said('', { PORTICO_ISUER: 'x' })).toContain('did you mean `PORTICO_ISSUER`?')
  expect(said('', { PORTICO_STORAGE__URI: 'x' })).toContain('PORTICO_STORAGE__URI:1:1 unknown-key')
  expect(places('', { PORTICO___PROTO__: 'x' })).toEqual(['1:1 unknown-key'])
  expect(said('', { PORTICO_STORAGE____PROTO____POLLUTED: 'x' })).not.toBe('')
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
})

test('problems of the file and of the environment come together', () => {
  const { problems } = load('listen: nowhere\n', { PORTICO_ISSUER: 'http://id.example.com', PORTICO_COLOUR: 'red' })
  expect(problems.map((problem) => `${problem.file}:${problem.line}`).sort()).toEqual([
    `${file}:1`,
    'PORTICO_COLOUR:1',
    'PORTICO_ISSUER:1',
  ])
})

test('a secret can come from a file, without its last line break', () => {
  const secret = join(folder, 'bind-password')
  writeFileSync(secret, '0123456\n')
  const { settings, origins } = load(LDAP, {
    PORTICO_DIRECTORIES__0__BIND_PASSWORD: 'from the environment',
    PORTICO_DIRECTORIES__0__BIND_PASSWORD_FILE: secret,
  })
  expect(settings?.directories[0]).toMatchObject({ bind_password: '0123456' })
  expect(origins.get('directories.0.bind_password')).toBe('PORTICO_DIRECTORIES__0__BIND_PASSWORD_FILE')
})

test('settings that are file names keep their names', () => {
  const { settings } = load(LDAP, {
    PORTICO_SECRETS__KEY_FILE: '/run/secrets/master',
    PORTICO_DIRECTORIES__0__CA_FILE: '/etc/ca.pem',
    PORTICO_GEO__FILE: '/var/lib/geo/city.mmdb',
  })
  expect(settings?.secrets.key_file).toBe('/run/secrets/master')
  expect(settings?.geo.file).toBe('/var/lib/geo/city.mmdb')
  expect(settings?.directories[0]).toMatchObject({ ca_file: '/etc/ca.pem' })
})

test('a secret file that is missing or far too large is a problem, not an empty or a cut secret', () => {
  expect(said('', { PORTICO_SUPPORT_FILE: join(folder, 'nowhere') })).toContain('cannot be read (ENOENT)')
  const large = join(folder, 'large')
  writeFileSync(large, 'x'.repeat(70_000))
  expect(said('', { PORTICO_SUPPORT_FILE: large })).toContain('file-too-large')
})

test('every value is shown with where it came from, secrets masked', () => {
  const rows = showSettings(
    load(`organisation: Kestrel\nsecrets: { key: AAAA }\n${LDAP}`, { PORTICO_LISTEN: '[::1]:80' }),
  )
  const row = (path: string) => rows.find((one) => one.path === path)
  expect(row('organisation')).toEqual({ path: 'organisation', value: 'Kestrel', origin: `${file}:1` })
  expect(row('listen')).toEqual({ path: 'listen', value: '[::1]:80', origin: 'PORTICO_LISTEN' })
  expect(row('issuer')).toEqual({ path: 'issuer', value: 'http://localhost:3000', origin: 'default' })
  expect(row('secrets.key')?.value).toBe('***')
  expect(row('directories.0.bind_password')?.value).toBe('***')
  expect(JSON.stringify(rows)).not.toMatch(/AAAA|a secret/)
})

test('a problem with a secret does not quote it', () => {
  expect(said('secrets: { key: [hunter2] }')).not.toContain('hunter2')
  expect(said('', { PORTICO_SECRETS__KEY: '' })).toContain('secrets.key')
})

test('the issuer is an https origin, or http on this very machine', () => {
  for (const good of ['https://id.example.com', 'https://id.example.com:8443', 'http://127.0.0.1', 'http://[::1]:3000'])
    expect(load(`issuer: "${good}"`).settings?.issuer, good).toBe(good)
  for (const bad of [
    'http://id.example.com',
    'https://id.example.com/sso',
    'https://a@id.example.com',
    'id.example.com',
    'https://id.example.com?x',
    'https://ID.example.com',
    'ftp://localhost',
    '',
  ])
    expect(load(`issuer: "${bad}"`).settings, bad).toBeUndefined()
})

test('a slash at the end of the issuer is taken away: everything else compares it as an origin', () => {
  expect(load('issuer: https://id.example.com/').settings?.issuer).toBe('https://id.example.com')
  expect(load('', { PORTICO_ISSUER: 'https://id.example.com/' }).settings?.issuer).toBe('https://id.example.com')
})

test('networks are addresses or CIDR notation, read strictly', () => {
  expect(load('proxies: [10.0.0.0/8, 192.0.2.1, "2001:db8::/32", "::1"]').problems).toEqual([])
  for (const bad of ['010.0.0.1', '10.0.0.0/33', '10.0.0.0/8/8', '::/129', 'example.com', '10.0.0.0/-1', '10.0.0.0/'])
    expect(load(`proxies: ["${bad}"]`).settings, bad).toBeUndefined()
})

test('two directories with one id are told before anything is opened', () => {
  expect(said('directories:\n  - { id: staff, kind: local }\n  - { id: staff, kind: local }\n')).toContain(
    ':3:11 duplicate `directories.1.id` is the id of another directory too',
  )
})

test('what is declared for the time in which a provider is down must be able to happen', () => {
  const provider = (kind: string) =>
    `directories:\n  - id: partner\n    kind: ${kind}\n    degraded: { tiers: [standard], ask_again: 30m }\n`
  const oidc = `${provider('oidc')}    issuer: https://idp.example\n    client_id: x\n`
  expect(load(oidc).problems).toEqual([])
  expect(load(oidc).settings!.directories[0]).toMatchObject({
    degraded: { tiers: ['standard'], for: '4h', verified_within: '24h', ask_again: '30m' },
  })
  const saml = `${provider('saml')}    entity_id: urn:idp\n    metadata_url: https://idp.example/metadata\n`
  expect(load(saml).problems).toEqual([])
  // nobody would ever notice
  expect(said(saml.replace('metadata_url: https://idp.example/metadata', 'metadata_file: idp.xml'))).toContain(
    ':4:5 not-supported `directories.0.degraded` needs `metadata_url`',
  )
  // no session lives until then
  expect(said(`${oidc}sessions: { max: 30m }\n`)).toContain(':4:47 invalid `directories.0.degraded.ask_again`')
  expect(said(oidc.replace('tiers: [standard], ', ''))).toContain('`directories.0.degraded.tiers`')
  // of a directory that can be asked about people nobody has to wait for them
  expect(said(`${LDAP}    degraded: { tiers: [standard], ask_again: 30m }\n`)).toContain('unknown key `ask_again`')
})

test('a duration longer than 100 years is none', () => {
  expect(load('sessions: { max: 36525d }').problems).toEqual([])
  expect(places('sessions: { max: 999999999d }')).toEqual(['1:18 invalid'])
})

test('whatever stands in the file or the environment, loading answers and never throws', () => {
  const word = fc.constantFrom(
    'issuer',
    'listen',
    'directories',
    'proxies',
    '- ',
    ': ',
    '[',
    '{',
    '}',
    ']',
    '&a ',
    '*a',
    '!!set ',
    '? ',
    '|',
    '\n',
    '  ',
    '\t',
    '"',
    "'",
    '#',
    '---',
    '...',
    '%YAML 1.1',
    '<<',
    '\u0000',
    '4711',
    'https://x',
  )
  const yaml = fc.oneof(
    fc.array(word, { maxLength: 30 }).map((words) => words.join('')),
    fc.string({ unit: 'binary', maxLength: 60 }),
  )
  const variable = fc.constantFrom(
    'PORTICO_ISSUER',
    'PORTICO_PROXIES',
    'PORTICO_DIRECTORIES__0__ID',
    'PORTICO_STATE',
    'PORTICO_X',
  )
  fc.assert(
    fc.property(yaml, fc.dictionary(variable, yaml, { maxKeys: 2 }), (text, env) => {
      const { settings, problems } = load(text, env)
      expect(settings === undefined).toBe(problems.length > 0)
    }),
    { numRuns: 400 },
  )
})

test('workers are counted, and a database in memory belongs to one', () => {
  const places = (text: string) => load(text).problems.map(({ line, column, code }) => `${line}:${column} ${code}`)
  expect(load('workers: 64').settings?.workers).toBe(64)
  for (const bad of ['0', '65', '1.5', '"2"', 'all']) expect(places(`workers: ${bad}`), bad).toEqual(['1:10 invalid'])
  expect(places("storage: { url: 'sqlite::memory:' }\nworkers: 2")).toEqual(['2:10 contradiction'])
  expect(places("storage: { url: 'sqlite::memory:' }\nworkers: auto")).toEqual([])
  expect(places('drain: 6m')).toEqual(['1:8 invalid'])
})
