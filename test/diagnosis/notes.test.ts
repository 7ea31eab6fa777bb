/** What is written down of failures, and how little of it, whatever is sent. */
import { describe, expect, test } from 'vitest'
import type { Stage } from '#diagnosis'
import { openRooms } from './house.ts'

const asks = (asked: string) => ({
  error: 'invalid_redirect_uri',
  address: { of: 'redirect_uri', asked, registered: ['https://web.example.com/callback'] } as const,
})

describe('a flood', () => {
  test('of one cause is one row and a few lines a minute, and every one of them is counted', async () => {
    const { app, clock, diagnosis, rows, logged, request } = await openRooms()
    const web = await app('web')
    for (let i = 0; i < 2000; i++) {
      clock.at += 10
      await diagnosis.failed({
        app: web,
        request: request(),
        stage: 'authorization',
        seen: asks(`https://evil.example/${i}`),
      })
    }
    expect(await rows()).toHaveLength(1)
    expect(logged('app-failing').length).toBeLessThanOrEqual(6)
    await diagnosis.tidy()
    expect(await diagnosis.ofApp(web)).toMatchObject([{ count: 2000, firstAt: clock.at - 19_990, lastAt: clock.at }])
  })

  test('of all causes of many apps is bounded together, but the first of each is written', async () => {
    const { app, clock, diagnosis, rows, logged, request } = await openRooms()
    const apps = await Promise.all(Array.from({ length: 150 }, (_, i) => app(`app-${i}`)))
    for (let i = 0; i < 5; i++)
      for (const one of apps)
        await diagnosis.failed({
          app: one,
          request: request(),
          stage: 'authorization',
          seen: { error: 'invalid_request' },
        })
    expect(await rows()).toHaveLength(150)
    // 150 for the first time, and 100 more in these ten seconds
    expect(logged('app-failing')).toHaveLength(250)
    clock.at += 60_000
    await diagnosis.tidy()
    expect((await rows()).reduce((sum, { count }) => sum + count, 0)).toBe(750)
  })

  test('of names that nobody registered leaves nothing but a line in ten seconds', async () => {
    const { app, clock, diagnosis, rows, logged } = await openRooms()
    await app('grafana')
    for (let i = 0; i < 1000; i++) await diagnosis.unknown('client-id', `grafanb\u001b[2J${i}`)
    clock.at += 10_000
    await diagnosis.unknown('client-id', 'grafanna')
    expect(await rows()).toEqual([])
    expect(logged('app-unknown')).toMatchObject([{ count: 1 }, { kind: 'client-id', near: 'grafana', count: 1000 }])
    expect(JSON.stringify(logged('app-unknown'))).not.toContain('grafanb')
  })
})

describe('the reference', () => {
  test('is the same for all whom the same cause stops, in every process, also after a restart', async () => {
    const { app, diagnosis, open, request } = await openRooms()
    const web = await app('web')
    const fail = (by: typeof diagnosis, path: string) =>
      by.failed({ app: web, request: request(), stage: 'authorization', seen: asks(`https://web.example.com/${path}`) })
    const other = open()
    const [first, ...more] = await Promise.all([
      fail(diagnosis, 'a'),
      fail(other, 'b'),
      fail(diagnosis, 'c'),
      fail(other, 'd'),
    ])
    const all = [...more, await fail(open(), 'e')]
    for (const one of all) expect(one).toBe(first)
    expect(await diagnosis.ofApp(web)).toMatchObject([{ reference: first, count: 5 }])
    const another = await diagnosis.failed({
      app: web,
      request: request(),
      stage: 'authorization',
      seen: { error: 'x', pkce: 'missing' },
    })
    expect(another).not.toBe(first)
  })

  test.each(['E-0000-0001', 'e-0000-0001', 'E 0000 0001', 'e00000001', ' E-OOOO-OOOI'])(
    'is found as somebody types it: %j',
    async (typed) => {
      const { app, diagnosis, request } = await openRooms()
      await diagnosis.failed({ app: await app('web'), request: request(), stage: 'token', seen: { error: 'x' } })
      expect(await diagnosis.byReference(typed)).toMatchObject({ app: 'web', cause: 'not-diagnosed' })
    },
  )

  test.each(['', 'E-', '0000-0001', 'E-0000-0002', "E-0000-0001' or 1=1"])('is not found by %j', async (typed) => {
    const { app, diagnosis, request } = await openRooms()
    await diagnosis.failed({ app: await app('web'), request: request(), stage: 'token', seen: { error: 'x' } })
    expect(await diagnosis.byReference(typed)).toBeUndefined()
  })
})

describe('a success', () => {
  const MENDED: readonly [Stage, readonly Stage[]][] = [
    ['authorization', ['authorization', 'sign-in']],
    ['token', ['authorization', 'token', 'sign-in']],
    ['sign-on', ['sign-on', 'sign-in']],
    ['opening', ['opening', 'sign-in']],
    ['sign-out', ['sign-out']],
    ['introspection', ['introspection']],
    ['arrival', ['arrival']],
    ['groups', ['groups']],
  ]
  const STAGES: readonly Stage[] = [...new Set(MENDED.flatMap(([, stages]) => stages))]

  test.each(MENDED)('at %s mends %j, and nothing else', async (stage, mended) => {
    for (const failing of STAGES) {
      const { app, clock, diagnosis, request } = await openRooms()
      const web = await app('web')
      const other = await app('other')
      for (const one of [web, other])
        await diagnosis.failed({ app: one, request: request(), stage: failing, seen: { error: 'x' } })
      clock.at += 1000
      await diagnosis.worked('web', stage)
      expect((await diagnosis.ofApp(web))[0]!.mendedAt, failing).toBe(mended.includes(failing) ? clock.at : undefined)
      expect((await diagnosis.ofApp(other))[0]!.mendedAt, failing).toBeUndefined()
    }
  })

  test('keeps the time of the first one, and counts what was not written before it', async () => {
    const { app, clock, diagnosis, request } = await openRooms()
    const web = await app('web')
    for (let i = 0; i < 20; i++)
      await diagnosis.failed({ app: web, request: request(), stage: 'token', seen: { error: 'x' } })
    clock.at += 1000
    await diagnosis.worked('web', 'token')
    const at = clock.at
    clock.at += 60_000
    await diagnosis.worked('web', 'token')
    await diagnosis.tidy()
    expect(await diagnosis.ofApp(web)).toMatchObject([{ count: 20, mendedAt: at }])
  })

  test('is seen by a process that did not see the failure, ten seconds later at most', async () => {
    const { app, clock, diagnosis, open, request } = await openRooms()
    const web = await app('web')
    const other = open()
    await other.worked('web', 'token')
    await diagnosis.failed({ app: web, request: request(), stage: 'token', seen: { error: 'x' } })
    clock.at += 10_000
    await other.worked('web', 'token')
    expect(await diagnosis.ofApp(web)).toMatchObject([{ mendedAt: clock.at }])
  })
})

test('an app that asks for no groups all day is noted once an hour', async () => {
  const { app, clock, diagnosis, logged, request } = await openRooms()
  const web = await app('web')
  const scopes = { asked: ['openid'], registered: ['openid', 'groups'] }
  for (let i = 0; i < 180; i++) {
    await diagnosis.failed({ app: web, request: request(), stage: 'groups', seen: { error: 'x', scopes } })
    clock.at += 60_000
    await diagnosis.tidy()
  }
  expect(logged('app-failing').length).toBeLessThanOrEqual(4)
  expect((await diagnosis.ofApp(web))[0]!.count).toBeGreaterThan(100)
})

test('what nobody asks about any more is forgotten after 90 days', async () => {
  const { app, clock, diagnosis, rows, request } = await openRooms()
  await diagnosis.failed({ app: await app('web'), request: request(), stage: 'token', seen: { error: 'x' } })
  clock.at += 89 * 86_400_000
  await diagnosis.tidy()
  expect(await rows()).toHaveLength(1)
  clock.at += 2 * 86_400_000
  await diagnosis.tidy()
  expect(await rows()).toEqual([])
})
