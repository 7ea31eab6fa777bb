/** There is no systemd to start it here: its own check of the unit, and what the unit starts, as the unit says it. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { loadSettings } from '#config'
import { parseDuration } from '#core/duration'
import { copyPolicies } from '../../demo/policies.ts'
import { freePort } from '../support/ports.ts'
import { answers, ended } from '../support/processes.ts'

const run = promisify(execFile)
const root = join(import.meta.dirname, '../..')
const unitFile = join(root, 'deploy/portico.service')
const unit = readFileSync(unitFile, 'utf8')
const all = (key: string) => [...unit.matchAll(new RegExp(`^${key}=(.*)$`, 'gm'))].map(([, value]) => value!)
const one = (key: string) => all(key).at(-1) ?? ''
/** What operations.md tells to write into /etc/portico. */
const sample = /With systemd[\s\S]*?```yaml\n([\s\S]*?)```/.exec(
  readFileSync(join(root, 'docs/operations.md'), 'utf8'),
)![1]!

let folder: string
let server: ChildProcess | undefined
let said = ''

/** The places of the unit, here. */
const here = (text: string) =>
  text
    .replaceAll('/opt/portico', root)
    .replaceAll('/etc/portico', join(folder, 'etc'))
    .replaceAll('/var/lib/portico', join(folder, 'state'))
    .replaceAll('/usr/bin/node', process.execPath)

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'portico-systemd-'))
  for (const name of ['etc', 'state']) mkdirSync(join(folder, name))
  copyPolicies(join(folder, 'etc/policies'))
  writeFileSync(join(folder, 'etc/portico.yaml'), here(sample))
})
afterAll(async () => {
  if (server) await ended(server)
  rmSync(folder, { recursive: true, force: true })
})

test('systemd takes the unit, and finds it little exposed', async () => {
  // what it starts has to exist where it is checked
  const copy = join(folder, 'portico.service')
  writeFileSync(copy, here(unit).replaceAll(/^Documentation=.*\n/gm, ''))
  const verified = await run('systemd-analyze', ['verify', '--man=no', copy])
  expect(verified.stderr + verified.stdout).toBe('')
  const { stdout } = await run('systemd-analyze', ['security', '--offline=true', '--threshold=20', unitFile])
  expect(stdout).toMatch(/Overall exposure level .* OK/)
})

test('it waits longer than the server takes to stop', () => {
  const { settings } = loadSettings(join(folder, 'etc/portico.yaml'), {})
  const inFlight = 10_000
  expect(parseDuration(one('TimeoutStopSec'))).toBeGreaterThan(parseDuration(settings!.drain)! + inFlight)
})

test('what it starts serves, reloads and ends, and writes to its state directory only', async () => {
  const [port, management] = [await freePort(), await freePort()]
  const [command, ...words] = here(one('ExecStart')).split(' ')
  const before = readdirSync(join(folder, 'etc'))
  server = spawn(command!, words, {
    cwd: here(one('WorkingDirectory')),
    env: {
      ...Object.fromEntries(all('Environment').map((pair) => here(pair).split(/=(.*)/s))),
      PORTICO_LISTEN: `127.0.0.1:${port}`,
      PORTICO_MANAGEMENT__LISTEN: `127.0.0.1:${management}`,
      PORTICO_DRAIN: '0s',
    },
  })
  server.stdout!.on('data', (data: Buffer) => (said += data))
  server.stderr!.on('data', (data: Buffer) => (said += data))
  expect(await answers(port, server), said).toBe(true)
  expect((await fetch(`http://127.0.0.1:${management}/readyz`)).status).toBe(200)
  expect(one('ExecReload')).toBe('/bin/kill -HUP $MAINPID')
  server.kill('SIGHUP')
  expect((await fetch(`http://127.0.0.1:${port}/.well-known/openid-configuration`)).status).toBe(200)
  await ended(server)
  expect(server.exitCode, said).toBe(0)
  const written = readdirSync(join(folder, 'state'))
  for (const name of ['portico.db', 'master.key', 'compile-cache']) expect(written).toContain(name)
  expect(readdirSync(join(folder, 'etc'))).toEqual(before)
})

test('the files that it names are in the repository', () => {
  const named = [...unit.matchAll(/\/opt\/portico\/([\w./-]+)/g)].map(([, name]) => name!)
  for (const name of [...named, one('ExecStart').split(' ')[2]!]) expect(existsSync(join(root, name)), name).toBe(true)
})
