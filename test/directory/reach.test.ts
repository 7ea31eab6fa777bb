/** Whether a provider answers, at a real server whose way is cut and whose addresses fail one by one. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { createOutbound } from '#http'
import { createReach } from '../../src/directory/federation/reach.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'
import { refusalOf } from './house.ts'

async function open() {
  const statuses: Record<string, number> = { '/document': 200, '/token': 400 }
  const asked: string[] = []
  const server = createServer((request, response) => {
    const [path] = request.url!.split('?')
    asked.push(`${request.method} ${request.url}`)
    response.writeHead(statuses[path!] ?? 404).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const way = await startTcpProxy({ to: (server.address() as AddressInfo).port })
  onTestFinished(async () => {
    await way.close()
    await new Promise((resolve) => server.close(resolve))
  })
  const origin = `http://127.0.0.1:${way.port}`
  let time = Date.UTC(2026, 10, 30, 9)
  const outbound = createOutbound(['127.0.0.0/8'])
  const named = new Set(['/token'])
  const document = async () => {
    const { status } = await outbound(`${origin}/document`)
    if (status !== 200) throw new Error(`status ${status}`)
    return JSON.stringify([...named].map((path) => origin + path))
  }
  const clock = { now: () => time }
  const reach = createReach({ directory: 'partner', outbound, clock, timeout: 1000, ask: document })
  const pass = (ms: number) => {
    time += ms
  }
  return { reach, way, statuses, asked, named, origin, document, pass, now: clock.now }
}

test('one that was never asked is unknown, one that answers is up, whatever it answers', async () => {
  const { reach, origin } = await open()
  expect(reach.health()).toEqual({ state: 'unknown' })
  expect((await reach.outbound(`${origin}/token`, { method: 'POST', body: 'x' })).status).toBe(400)
  expect(reach.health()).toEqual({ state: 'up' })
})

test('one that has never answered is unknown while it is doubted: a process that starts in an outage has not seen it back', async () => {
  const { reach, way, pass } = await open()
  way.cut()
  expect(await reach.look()).toBe(false)
  expect(reach.health()).toEqual({ state: 'unknown', doubted: true })
  pass(1000)
  expect(await reach.look()).toBe(false)
  expect(reach.health()).toMatchObject({ state: 'down' })
  way.restore()
  expect(await reach.look()).toBe(true)
  expect(reach.health()).toEqual({ state: 'up' })
})

test('one failure is a doubt, and a look decides; when it is back it is up at the first look', async () => {
  const { reach, way, document, now, pass } = await open()
  expect(await reach.look()).toBe(true)
  way.cut()
  const since = now()
  expect(await refusalOf(reach.find(document))).toBe('directory-unavailable')
  expect(reach.health()).toEqual({ state: 'up', doubted: true })
  way.restore()
  expect(await reach.look()).toBe(true)
  expect(reach.health()).toEqual({ state: 'up' })
  way.cut()
  pass(1000)
  expect(await reach.look()).toBe(false)
  expect(reach.health()).toEqual({ state: 'up', doubted: true })
  pass(1000)
  expect(await reach.look()).toBe(false)
  expect(reach.health()).toEqual({ state: 'down', since: since + 1000, code: expect.stringMatching(/^E[A-Z]+$/) })
  way.restore()
  expect(await reach.look()).toBe(true)
  expect(reach.health()).toEqual({ state: 'up' })
})

test('an address that fails beside others that answer is looked at itself, without what was sent there', async () => {
  const { reach, statuses, asked, origin, document } = await open()
  statuses['/token'] = 503
  const url = `${origin}/token?secret=1`
  expect(await refusalOf(reach.outbound(url, { method: 'POST', body: 'code=1' }))).toBe('directory-unavailable')
  // that the rest answers says nothing about it
  await reach.find(document)
  expect(reach.health()).toEqual({ state: 'up', doubted: true })
  expect(await reach.look()).toBe(false)
  expect(asked.at(-1)).toBe('GET /token')
  expect(reach.health()).toMatchObject({ state: 'down', code: 'status-503' })
  // it is for somebody's form to be sent there
  statuses['/token'] = 405
  expect(await reach.look()).toBe(true)
  expect(reach.health()).toEqual({ state: 'up' })
  const before = asked.length
  expect(await reach.look()).toBe(true)
  expect(asked.slice(before)).toEqual(['GET /document'])
})

test('nobody waits for one that did not answer, for a time that grows and ends with an answer to a look', async () => {
  const { reach, way, document, pass } = await open()
  way.cut()
  const tries = async (times: number) => {
    const before = way.connections
    for (let i = 0; i < times; i++) expect(await refusalOf(reach.find(document))).toBe('directory-unavailable')
    return way.connections - before
  }
  expect(await tries(5)).toBe(1)
  let longest = 0
  for (let round = 0; round < 8; round++) {
    let waited = 0
    while ((await tries(1)) === 0) {
      pass(500)
      waited += 500
    }
    expect(waited).toBeGreaterThanOrEqual(round === 0 ? 500 : longest / 2)
    longest = Math.max(longest, waited)
  }
  expect(longest).toBeGreaterThan(30_000)
  expect(longest).toBeLessThan(76_000)
  way.restore()
  expect(await tries(1)).toBe(0)
  expect(await reach.look()).toBe(true)
  await reach.find(document)
})

test('an address that the provider has left holds it down no longer than it names it', async () => {
  const { reach, statuses, named, origin, pass } = await open()
  statuses['/token'] = 503
  expect(await refusalOf(reach.outbound(`${origin}/token`))).toBe('directory-unavailable')
  pass(1000)
  expect(await reach.look()).toBe(false)
  expect(reach.health()).toMatchObject({ state: 'down', code: 'status-503' })
  named.clear()
  named.add('/token/of/today')
  expect(await reach.look()).toBe(true)
  expect(reach.health()).toEqual({ state: 'up' })
})
