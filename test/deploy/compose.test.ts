/** There is no container engine here: what the file says is compared with what Portico, the Dockerfile and Redis take. */
import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, expect, test } from 'vitest'
import { parse } from 'yaml'
import { loadSettings } from '#config'
import { parseDuration } from '#core/duration'
import { startRedis } from '../support/redis.ts'

interface Service {
  readonly environment: Readonly<Record<string, string | null>>
  readonly secrets: readonly string[]
  readonly ports: readonly string[]
  readonly volumes: readonly string[]
  readonly command: readonly string[]
  readonly profiles?: readonly string[]
  readonly depends_on: Readonly<Record<string, unknown>>
  readonly healthcheck: { readonly test: readonly string[] }
  readonly [more: string]: unknown
}

const run = promisify(execFile)
const root = join(import.meta.dirname, '../..')
const read = (file: string) => readFileSync(join(root, file), 'utf8')
const compose = parse(read('deploy/compose.yaml')) as {
  readonly services: Readonly<Record<'portico' | 'postgres' | 'redis', Service>>
  readonly secrets: Readonly<Record<string, { readonly file: string }>>
  readonly volumes: Readonly<Record<string, null>>
}
const { portico, postgres, redis } = compose.services
const large = Object.fromEntries(
  [...read('deploy/large.env').matchAll(/^(\w+)=(.*)$/gm)].map(([, key, value]) => [key!, value!]),
)
const folder = mkdtempSync(join(tmpdir(), 'portico-compose-'))
const secrets = join(folder, 'secrets')
await run(join(root, 'deploy/make-secrets.sh'), [secrets])
afterAll(() => rmSync(folder, { recursive: true }))

/** What the container has: a key without a value is there only where the shell or `.env` has it. */
function environmentOf(service: Service, given: Readonly<Record<string, string>>): Record<string, string> {
  const filled = (text: string) =>
    text.replace(/\$\{(\w+):-([^}]*)\}/g, (_, name, otherwise) => given[name] ?? otherwise)
  const all = Object.entries(service.environment).map(([key, value]) => [
    key,
    value === null ? given[key] : filled(value),
  ])
  return Object.fromEntries(
    all
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => [key, value!.replace('/run/secrets', secrets)]),
  )
}
const instruction = (name: string) =>
  [
    ...read('Dockerfile')
      .replace(/\\\n\s*/g, '')
      .matchAll(new RegExp(`^${name} (.*)$`, 'gm')),
  ].at(-1)![1]!

test.each([
  { title: 'alone', given: {}, storage: /^sqlite:data\/portico\.db$/, state: undefined },
  {
    title: 'with PostgreSQL and Redis',
    given: large,
    storage: /^postgres:\/\/portico:.+@postgres\/portico\?/,
    state: 'redis://redis:6379/0',
  },
])('$title: Portico takes exactly this environment', async ({ given, storage, state }) => {
  const env = environmentOf(portico, given)
  const { stdout } = await run(process.execPath, [join(root, 'src/portico.js'), 'config', 'check'], {
    cwd: root,
    env,
  }).catch((error) => error)
  expect(stdout).toMatch(/^settings are fine$/m)
  const { problems, settings } = loadSettings('/dev/null', env)
  expect(problems).toEqual([])
  expect(settings!.storage.url).toMatch(storage)
  expect(settings!.state?.url).toBe(state)
  expect(parseDuration(String(portico['stop_grace_period']))).toBeGreaterThan(parseDuration(settings!.drain)! + 10_000)
})

test('passwords are the same on both sides', () => {
  const secret = (name: string) => readFileSync(join(secrets, name), 'utf8')
  expect(new URL(secret('storage_url')).password).toBe(secret('postgres_password'))
  expect(secret('redis_conf')).toBe(`requirepass ${secret('redis_password')}\n`)
  expect(Buffer.from(secret('master_key'), 'base64url')).toHaveLength(32)
  expect(new URL(secret('storage_url')).pathname).toBe(`/${postgres.environment['POSTGRES_DB']}`)
  expect(new URL(secret('storage_url')).username).toBe(postgres.environment['POSTGRES_USER'])
})

test('secrets are made once, for containers to read and nobody else here', async () => {
  expect(readdirSync(secrets).sort()).toEqual(Object.keys(compose.secrets).sort())
  expect(Object.entries(compose.secrets).every(([name, { file }]) => file === `secrets/${name}`)).toBe(true)
  expect(statSync(secrets).mode & 0o777).toBe(0o700)
  for (const name of readdirSync(secrets)) expect(statSync(join(secrets, name)).mode & 0o777, name).toBe(0o444)
  const before = readdirSync(secrets).map((name) => readFileSync(join(secrets, name), 'utf8'))
  await run(join(root, 'deploy/make-secrets.sh'), [secrets])
  expect(readdirSync(secrets).map((name) => readFileSync(join(secrets, name), 'utf8'))).toEqual(before)
})

test('each service has the secrets and volumes that it names, and its profile', () => {
  for (const service of [portico, postgres, redis]) {
    const text = JSON.stringify([service.environment, service.command, service === portico ? large : {}])
    const named = [...text.matchAll(/\/run\/secrets\/(\w+)/g)].map(([, name]) => name!)
    expect([...new Set(named)].sort()).toEqual([...service.secrets].sort())
    for (const volume of service.volumes.filter((name) => !name.startsWith('.')))
      expect(Object.keys(compose.volumes)).toContain(volume.split(':')[0])
  }
  expect(large['COMPOSE_PROFILES']!.split(',')).toEqual([...postgres.profiles!, ...redis.profiles!])
  expect(portico.profiles).toBeUndefined()
  // without its profile a service is not there to wait for
  for (const [, how] of Object.entries(portico.depends_on))
    expect(how).toEqual({ condition: 'service_healthy', required: false })
})

test('user, port, data and health check are those of the image', () => {
  expect(portico['user']).toBe(instruction('USER'))
  expect(portico.ports.map((port) => port.split(':').at(-1))).toEqual([instruction('EXPOSE')])
  expect(portico.volumes[0]!.split(':')[1]).toBe(instruction('VOLUME'))
  expect(portico.healthcheck.test).toEqual(['CMD', ...JSON.parse(/CMD (.*)$/.exec(instruction('HEALTHCHECK'))![1]!)])
  expect(portico).toMatchObject({ read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] })
})

test('a Redis that is started so is one that Portico takes', async () => {
  const [program, file, ...flags] = redis.command
  expect([program, file]).toEqual(['redis-server', '/run/secrets/redis_conf'])
  const lines = flags
    .join(' ')
    .split('--')
    .filter((line) => line !== '')
  const server = await startRedis(...lines)
  try {
    expect(await server.ask('config', 'get', 'maxmemory-policy')).toContain('noeviction')
    expect(await server.ask('config', 'get', 'appendonly')).toContain('yes')
    expect(await server.ask('config', 'get', 'appendfsync')).toContain('always')
  } finally {
    await server.end()
  }
})
