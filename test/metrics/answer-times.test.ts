/** How long answers took, by flow, at `/metrics`. */
import { connect } from 'node:net'
import { expect, onTestFinished, test, vi } from 'vitest'
import { BOUNDS, createFlowTimes, type FlowTimes } from '../../src/flow-times.ts'
import { metricsOfAll, registerOf } from '../../src/metrics.ts'
import { serve } from '../http/house.ts'
import { startGateway } from '../support/gateway.ts'

const told = (times: FlowTimes) =>
  Object.fromEntries(times.read().map((one) => [`${one.flow} ${one.outcome}`, one.count]))
const measured = (times: FlowTimes) => ({
  ...{ load: () => ({ done: 0, running: 0, waiting: 0 }), directories: () => [], leads: () => true },
  times: times.read,
  ...{ decided: () => ({}), refused: () => [], prompted: () => [], connections: () => undefined },
  outbox: async () => ({ waiting: 0, oldestSeconds: 0 }),
})

test('each answer counts in every bound that it kept, and beyond the last in none', () => {
  const times = createFlowTimes()
  for (const took of [0.5, 1, 1.01, 5000, 10_000, 10_001]) times.note('/oauth2/token', 200, took)
  const [{ flow, outcome, count, sum, within }] = times.read() as [ReturnType<FlowTimes['read']>[0]]
  expect([flow, outcome, count]).toEqual(['token', 'ok', 6])
  expect(sum).toBeCloseTo(25.00351, 5)
  const least = (bound: number) => within[BOUNDS.indexOf(bound)]
  expect([least(0.001), least(0.0025), least(2.5), least(5), least(10)]).toEqual([2, 3, 3, 4, 5])
  expect(within).toEqual([...within].sort((a, b) => a - b))
})

test('what came of it is told apart: answered, refused, failed, and nobody there any more', () => {
  const times = createFlowTimes()
  for (const status of [200, 303, 400, 401, 429, 500, 503, undefined]) times.note('/signin', status, 1)
  expect(told(times)).toEqual({ 'sign-in ok': 2, 'sign-in refused': 3, 'sign-in failed': 2, 'sign-in gone': 1 })
})

test('ATTACK: whatever anybody asks for, there are no names but ours', () => {
  const times = createFlowTimes()
  const asked = [
    '/oauth2/token?x=/saml/',
    '/oauth2/auth/abc',
    '/oauth2/x',
    '/saml/sso?a',
    '/authz/api',
    '/access/v1/evaluation',
  ]
  const odd = [
    '',
    '/constructor',
    '/__proto__',
    '/oauth2',
    '/OAUTH2/token',
    `/${'x'.repeat(20_000)}`,
    '/sam@kestrel.example',
  ]
  for (const path of [...asked, ...odd]) times.note(path, 200, 1)
  for (let n = 0; n < 1000; n++) times.note(`/other-${n}`, 404, 1)
  expect(told(times)).toEqual({
    ...{ 'token ok': 1, 'sign-on ok': 1, 'oauth-other ok': 1, 'saml ok': 1, 'api-check ok': 2 },
    ...{ 'other ok': odd.length, 'other refused': 1000 },
  })
})

test('numbers of several processes stand beside each other under their own label', async () => {
  const numbers = []
  for (const worker of [1, 2]) {
    const times = createFlowTimes()
    for (let n = 0; n < worker; n++) times.note('/oauth2/token', 200, 3)
    numbers.push(await registerOf(measured(times), worker).getMetricsAsJSON())
  }
  const { text } = await metricsOfAll(numbers, { wanted: 2, serving: 2, ended: 0 })
  for (const worker of [1, 2]) {
    expect(text).toMatch(
      new RegExp(`^portico_answer_seconds_count\\{flow="token",outcome="ok",worker="${worker}"\\} ${worker}$`, 'm'),
    )
    expect(text).toMatch(
      new RegExp(
        `^portico_answer_seconds_bucket\\{flow="token",outcome="ok",le="0.005",worker="${worker}"\\} ${worker}$`,
        'm',
      ),
    )
  }
})

test('a gateway tells of its answers, ready-made and refused ones too, and not of what was asked', async () => {
  const gateway = await startGateway()
  onTestFinished(() => gateway.close())
  const { issuer, server } = gateway
  const ask = async (path: string, init?: RequestInit) => (await fetch(`${issuer}${path}`, init)).arrayBuffer()
  await ask('/.well-known/openid-configuration')
  await ask('/oauth2/jwks')
  await ask('/oauth2/token', { method: 'POST', body: new URLSearchParams({ grant_type: 'client_credentials' }) })
  await ask('/sam@kestrel.example?who=sam')
  const metrics = async () => (await fetch(`http://127.0.0.1:${server.managementPort}/metrics`)).text()
  // an answer counts when it has gone, which may be after it has come
  const shown = await vi.waitFor(async () => {
    const text = await metrics()
    expect(text).toMatch(/^portico_answer_seconds_count\{flow="other",outcome="refused"\} 1$/m)
    return text
  })
  expect(shown).toMatch(/^# TYPE portico_answer_seconds histogram$/m)
  expect(shown).toMatch(/^portico_answer_seconds_count\{flow="metadata",outcome="ok"\} 2$/m)
  expect(shown).toMatch(/^portico_answer_seconds_count\{flow="token",outcome="refused"\} 1$/m)
  expect(shown).toMatch(/^portico_answer_seconds_bucket\{flow="token",outcome="refused",le="\+Inf"\} 1$/m)
  expect(shown).not.toMatch(/kestrel|who=/)
})

test('who goes before the answer comes is counted as gone', async () => {
  const { promise: asked, resolve: begun } = Promise.withResolvers<void>()
  const { promise: answer, resolve: go } = Promise.withResolvers<void>()
  const times = createFlowTimes()
  const server = await serve({
    answered: times.note,
    routes: [
      {
        method: 'GET',
        path: '/',
        async handle() {
          begun()
          await answer
          return { status: 200 }
        },
      },
    ],
  })
  onTestFinished(() => server.close())
  const socket = connect(Number(new URL(server.origin).port), '127.0.0.1')
  socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await asked
  socket.destroy()
  await vi.waitFor(() => expect(told(times)).toEqual({ 'account gone': 1 }))
  go()
})
