/** `apps probe` as administrators type it, in a process of its own. */
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { allVerbs, runCommand } from '#cli'
import { silentLog } from '#core/log'
import { openHouse } from '../../src/house.ts'
import { type OidcFault, startOidcApp } from '../support/lab/oidc-app.ts'
import type { LabApp } from '../support/lab/server.ts'
import { freePort } from '../support/ports.ts'
import { makePlace, type Place } from '../support/serve.ts'
import { atTerminal } from '../support/terminal.ts'

// hundreds of requests, on a machine that has more to do
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 })

let place: Place
let listen: string
const running: LabApp[] = []
beforeAll(async () => {
  place = await makePlace({
    settings: { outbound: { allow: ['127.0.0.0/8'] } },
    apps: [
      {
        id: 'sample',
        name: 'Sample',
        policy: 'default',
        audience: ['*'],
        oidc: { redirect_uris: ['https://sample.example.com/callback'] },
      },
    ],
  })
  listen = `127.0.0.1:${await freePort()}`
})
afterAll(async () => {
  await Promise.all(running.map((one) => one.close()))
  await place.remove()
})

/** As the command line runs it, on the rooms of a house of its own. */
async function run(...words: string[]): Promise<{ code: number; out: string; err: string }> {
  return runWith(place.config, ...words)
}

async function runWith(config: string, ...words: string[]) {
  const [out, err]: string[][] = [[], []]
  const code = await runCommand({
    words: [...words, '--config', config],
    verbs: await allVerbs(),
    openHouse: ({ settings, folder, clock }) => openHouse({ settings, folder, clock, log: silentLog }),
    out: (line) => out!.push(line),
    err: (line) => err!.push(line),
  })
  return { code, out: out!.join('\n'), err: err!.join('\n') }
}

async function values(): Promise<Record<string, string>> {
  const { code, out } = await run('apps', 'probe', 'sample', '--setup', '--listen', listen, '--json')
  expect(code).toBe(0)
  return JSON.parse(out)
}

async function testCopy(fault?: OidcFault): Promise<LabApp> {
  const { issuer, client_id, client_secret } = await values()
  const own = await startOidcApp({
    issuer: () => issuer!,
    clientId: client_id!,
    secret: () => client_secret!,
    ...(fault === undefined ? {} : { fault }),
  })
  running.push(own)
  return own
}

test('what to enter at the test copy is the same each time, and nothing of it is a secret of the gateway', async () => {
  const first = await values()
  expect(await values()).toEqual(first)
  expect(first).toEqual({
    issuer: `http://${listen}`,
    discovery_url: `http://${listen}/.well-known/openid-configuration`,
    client_id: 'sample',
    client_secret: expect.stringMatching(/^[\w-]{43}$/),
  })
  expect(first['client_secret']).not.toBe(place.secrets.get('sample'))
})

test('a report is printed, kept with the app, shown by `apps show` and `--last`, and replaced by the next', async () => {
  expect((await run('apps', 'probe', 'sample', '--last')).out).toBe('never probed')
  const broken = await testCopy('ignores-nonce')
  const red = await run(
    'apps',
    'probe',
    'sample',
    '--target',
    `${broken.origin}/login`,
    '--listen',
    listen,
    '--yes',
    '--json',
  )
  expect(red.code).toBe(1)
  const report = JSON.parse(red.out)
  expect(report).toMatchObject({ app: 'sample', protocol: 'oidc', grade: 'red', check: { by: 'person' } })
  expect(report.at).toMatch(/^\d{4}-\d\d-\d\dT/)
  const last = await run('apps', 'probe', 'sample', '--last', '--json')
  expect(last.code).toBe(1)
  expect(JSON.parse(last.out)).toEqual([report])
  expect((await run('apps', 'show', 'sample')).out).toContain(`last_probe                  oidc red ${report.at}`)

  const right = await testCopy()
  const green = await run('apps', 'probe', 'sample', '--target', `${right.origin}/login`, '--listen', listen, '--yes')
  expect(green.code).toBe(0)
  expect(green.out).toMatch(/^issuer +http/)
  expect(green.out).toMatch(/\ngreen {2}oidc {2}http:\/\/127\.0\.0\.1:\d+\/login {2}\d{4}-/)
  expect(green.out).toMatch(/\n\d+ refused, 0 accepted, 0 inconclusive, 11 not applicable$/)
  expect((await run('apps', 'probe', 'sample', '--last')).code).toBe(0)
  expect((await run('audit', 'search', '--event', 'app-probed')).out).toMatch(/reason=oidc-green\n.*reason=oidc-red/)
})

test.each<[string, (origin: string) => string[], RegExp]>([
  ['without a word that it is meant', (to) => ['--target', `${to}/login`], /say --yes/],
  ['without a target', () => ['--yes'], /--target: expected/],
  ['to no web address', () => ['--target', 'ftp://127.0.0.1/', '--yes'], /--target: expected/],
  [
    'with a check on another host',
    (to) => ['--target', `${to}/login`, '--check', 'https://example.com/', '--yes'],
    /--check: expected an address on/,
  ],
  [
    'for a protocol that the app does not speak',
    (to) => ['--target', to, '--protocol', 'saml', '--yes'],
    /--protocol: expected/,
  ],
  [
    'through a proxy that no OpenID Connect app has',
    (to) => ['--target', to, '--through', to, '--yes'],
    /--through: expected/,
  ],
  ['from an address that is none', (to) => ['--target', to, '--listen', 'here', '--yes'], /--listen: expected/],
  [
    'as somebody on plain http',
    (to) => ['--target', to, '--public', 'http://probe.example.com', '--yes'],
    /--public: expected/,
  ],
])('nothing is sent %s', async (_, words, message) => {
  const own = await testCopy()
  const { code, err } = await run('apps', 'probe', 'sample', ...words(own.origin))
  expect(err).toMatch(message)
  expect(code).toBe(2)
  expect(own.heard).toEqual([])
})

test('nothing is sent into a network that the settings do not allow', async () => {
  const own = await testCopy()
  const strict = place.settings('strict.yaml', { outbound: { allow: [] } })
  const words = ['apps', 'probe', 'sample', '--target', `${own.origin}/login`, '--listen', listen, '--yes']
  const { code, out } = await runWith(strict, ...words)
  expect(code).toBe(1)
  expect(out).toMatch(/inconclusive {2}oidc[\s\S]*target-unreachable: .*special-use/)
  expect(own.heard).toEqual([])
})

async function typed(words: readonly string[], answer: string): Promise<{ code: number | null; out: string }> {
  const terminal = atTerminal([...words, '--config', place.config])
  await terminal.shows(/to go on: /)
  terminal.type(`${answer}\n`)
  const code = await terminal.exited
  return { code, out: terminal.screen() }
}

test('on a terminal the host is typed once more, or nothing is sent', async () => {
  const own = await testCopy()
  const words = ['apps', 'probe', 'sample', '--target', `${own.origin}/login`, '--listen', listen]
  const no = await typed(words, 'yes')
  expect(no.out).toContain('nothing was sent')
  expect(no.code).toBe(2)
  expect(own.heard).toEqual([])
  const yes = await typed(words, new URL(own.origin).host)
  expect(yes.out).toContain('green  oidc')
  expect(yes.code).toBe(0)
})
