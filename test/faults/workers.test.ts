/** Several processes behind one address: what is seen of them together, and of one that dies. */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { ask, startLoad } from '../support/load.ts'
import { POLICIES } from '../support/policies.ts'
import { freePort } from '../support/ports.ts'
import { until } from '../support/redis.ts'
import { makePlace, type Place, portico, type Serving, serve } from '../support/serve.ts'

const CLOSED = 'policy: plain\nrules:\n  - { name: nobody, deny: { say: Closed. } }\n'

let place: Place
let managementPort: number
let serving: Serving
let authorization: string

beforeAll(async () => {
  managementPort = await freePort()
  place = await makePlace({
    settings: { workers: 2, drain: '1s', management: { listen: `127.0.0.1:${managementPort}` } },
    apps: [{ id: 'robot', policy: 'plain', oidc: { grant_types: ['client_credentials'], scopes: [] } }],
  })
  authorization = `Basic ${btoa(`robot:${place.secrets.get('robot')}`)}`
  serving = await serve(place.config)
})
afterAll(async () => {
  await serving?.stop()
  place?.remove()
})

/** Process ids of the workers. */
const workers = (of = serving): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/.*\) /, '').split(' ')[1] === `${of.process.pid}`
      } catch {
        return false // it has just ended
      }
    })
    .map(Number)

const readyz = async () => {
  const { status, body } = await ask(managementPort, { path: '/readyz' })
  return { ...(JSON.parse(body) as { failing: string[]; workers: { serving: number; wanted: number } }), status }
}
const both = () => until(readyz, ({ workers }) => workers.serving === 2)
const token = async () =>
  ask(place.port, {
    ...{ path: '/oauth2/token', body: 'grant_type=client_credentials' },
    headers: { authorization, 'content-type': 'application/x-www-form-urlencoded' },
  })
const activeOf = async (tokens: readonly string[]) => {
  let active = 0
  for (const one of tokens) {
    const { body } = await ask(place.port, {
      ...{ path: '/oauth2/introspection', body: `token=${one}` },
      headers: { authorization, 'content-type': 'application/x-www-form-urlencoded' },
    })
    if (body.includes('"active":true')) active++
  }
  return active
}

describe('two processes', () => {
  test('are one to whoever looks: one word of readiness, one link for the first administrator, numbers by worker', async () => {
    expect(workers()).toHaveLength(2)
    expect(serving.out().match(/^ready /gm)).toHaveLength(1)
    expect(serving.out().match(/\/claim\//g)).toHaveLength(1)
    expect(serving.out()).not.toContain('nobody is here yet')
    expect(await readyz()).toMatchObject({
      ...{ status: 200, failing: [], directories: [{ id: 'local', state: 'up' }] },
      workers: { serving: 2, wanted: 2 },
    })
    const { body } = await ask(managementPort, { path: '/metrics' })
    for (const worker of [1, 2]) expect(body).toMatch(`portico_password_queue{state="waiting",worker="${worker}"} 0`)
    expect(body.match(/^# TYPE portico_password_queue /gm)).toHaveLength(1)
    expect(body).toMatch(/^portico_workers\{state="serving"\} 2$/m)
  })

  test('both answer, and each takes what the other wrote', async () => {
    // each connection anew: the kernel gives it to one of the two
    const tokens: string[] = []
    for (let i = 0; i < 40; i++)
      tokens.push((JSON.parse((await token()).body) as { access_token: string }).access_token)
    expect(await activeOf(tokens)).toBe(40)
    const { body } = await ask(managementPort, { path: '/metrics' })
    const cpu = [...body.matchAll(/^portico_process_cpu_seconds_total\{worker="\d"\} ([\d.]+)$/gm)]
    expect(cpu).toHaveLength(2)
  })

  test('SIGHUP reaches both', async () => {
    const loads = () => new Set(serving.out().match(/"worker":\d,"event":"policies-loaded"/g)).size
    const file = join(place.folder, 'policies/plain.yaml')
    writeFileSync(file, CLOSED)
    serving.process.kill('SIGHUP')
    await until(
      async () => loads(),
      (count) => count === 2,
    )
    for (let i = 0; i < 12; i++) expect((await token()).status).toBe(400)
    writeFileSync(file, POLICIES['plain.yaml'])
    serving.process.kill('SIGHUP')
    await until(
      async () => (await token()).status,
      (status) => status === 200,
    )
  })

  test('one is killed under load: nothing that was answered is lost, the other serves, another takes its place', async () => {
    await both()
    const before = workers()
    const load = startLoad([{ port: place.port }], authorization)
    onTestFinished(() => load.stop())
    await load.answered(100)
    process.kill(before[0]!, 'SIGKILL')
    // by the other one, for nobody else is there yet
    await load.answered(100)
    await both()
    await load.answered(100)
    await load.stop()
    expect(load.failed.filter((what) => what !== 'ECONNRESET' && what !== 'EPIPE')).toEqual([])
    // at most what was on its way there
    expect(load.failed.length).toBeLessThanOrEqual(8)
    expect(await activeOf(load.tokens)).toBe(load.tokens.length)
    expect(workers()).toContain(before[1])
    expect(workers()).not.toContain(before[0])
    expect(serving.out()).toMatch(/"event":"worker-ended","number":\d,"signal":"SIGKILL"/)
    expect((await ask(managementPort, { path: '/metrics' })).body).toMatch(/^portico_worker_ends 1$/m)
  })

  test('half a settings file at SIGHUP: the old ones stay, also for the one that takes the place of one that died', async () => {
    await both()
    const whole = readFileSync(place.config, 'utf8')
    writeFileSync(place.config, whole.slice(0, whole.length / 2))
    onTestFinished(() => writeFileSync(place.config, whole))
    serving.process.kill('SIGHUP')
    const [one] = workers()
    process.kill(one!, 'SIGKILL')
    await until(async () => workers().length === 2 && !workers().includes(one!), Boolean)
    await both()
    for (let i = 0; i < 12; i++) expect((await token()).status).toBe(200)
  })

  test('one that stands still makes /readyz of the whole no worse, and goes on when it can', async () => {
    await both()
    const [one] = workers()
    process.kill(one!, 'SIGSTOP')
    onTestFinished(() => void process.kill(one!, 'SIGCONT'))
    expect(await readyz()).toMatchObject({ status: 200, failing: [] })
    process.kill(one!, 'SIGCONT')
    for (let i = 0; i < 12; i++) expect((await token()).status).toBe(200)
  })

  test('a second Portico on the same address is refused with a sentence, for all that several may listen there', async () => {
    const other = portico([
      'serve',
      '--config',
      place.settings('other.yaml', { management: { listen: '127.0.0.1:0' } }),
    ])
    expect(await other.exited).toBe(2)
    expect(other.err()).toContain(`\`listen: 127.0.0.1:${place.port}\`: another program, or another Portico`)
  })

  test('SIGTERM under load ends all of them, and no request in flight is lost', async () => {
    await both()
    const all = workers()
    const load = startLoad([{ port: place.port }], authorization, 4)
    await load.answered(20)
    const stopped = serving.stop()
    void load.stop()
    expect(await stopped).toBe(0)
    await load.stop()
    expect(load.failed).toEqual([])
    expect(await aliveOf(all)).toEqual([])
    expect(serving.out().match(/"event":"server-stopped"\}/g)).toHaveLength(2)
    serving = await serve(place.config)
    expect(await activeOf(load.tokens)).toBe(load.tokens.length)
  })

  test('their supervisor is killed: they end by themselves, and the next one serves', async () => {
    await both()
    const all = workers()
    await serving.stop('SIGKILL')
    await until(
      () => aliveOf(all),
      (alive) => alive.length === 0,
    )
    serving = await serve(place.config)
    expect((await token()).status).toBe(200)
  })
})

const aliveOf = async (pids: readonly number[]) =>
  pids.filter((pid) => {
    try {
      return !readFileSync(`/proc/${pid}/stat`, 'latin1').includes(') Z ')
    } catch {
      return false
    }
  })

test('what the first cannot start with is said once, and all end with 2', async () => {
  const other = portico([
    'serve',
    '--config',
    place.settings('bad.yaml', {
      ...{ listen: `127.0.0.1:${await freePort()}`, management: { listen: `127.0.0.1:${await freePort()}` } },
      storage: { url: 'sqlite:policies/plain.yaml' },
    }),
  ])
  expect(await other.exited).toBe(2)
  expect(other.err()).toContain('storage-unavailable')
  expect(other.err().match(/not an SQLite database/g)).toHaveLength(1)
  expect(execFileSync('ps', ['-eo', 'ppid']).toString().split('\n').map(Number)).not.toContain(other.process.pid)
})
