/** More work than one process can do: who comes then hears at once that they should come again. */
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { silentLog } from '#core/log'
import { watchLateness } from '#http'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'

let gateway: Gateway
beforeAll(async () => {
  gateway = await startGateway({ policies: POLICIES, people: [{ username: 'sam', name: 'Sam', groups: ['staff'] }] })
})
afterAll(() => gateway.close())

/** So long nothing else happens in this process, which is the gateway's too. */
const work = (ms: number) => {
  const until = performance.now() + ms
  while (performance.now() < until);
}
const turn = () => new Promise((resolve) => setTimeout(resolve))
const ask = async (path: string, accept: string, init: RequestInit = {}) => {
  const answer = await fetch(`${gateway.issuer}${path}`, { redirect: 'manual', headers: { accept }, ...init })
  return { status: answer.status, retryAfter: answer.headers.get('retry-after'), body: await answer.text() }
}
const asPerson = () => ask('/account', 'text/html', { headers: { accept: 'text/html', 'accept-language': 'nl' } })
const asProgram = () =>
  ask('/oauth2/token', 'application/json', { method: 'POST', body: new URLSearchParams({ grant_type: 'x' }) })

test('whoever comes while it goes on is told so in their form, and nothing is done for them; afterwards all is as before', async () => {
  for (let turns = 0; turns < 3; turns++) {
    work(1300)
    await turn()
  }
  // all three reach the process before its next turn ends
  const [person, program, document] = [asPerson(), asProgram(), ask('/.well-known/openid-configuration', '*/*')]
  work(1300)
  const answers = await Promise.all([person, program, document])
  expect(answers.slice(0, 2).map(({ status, retryAfter }) => [status, retryAfter])).toEqual([
    [503, '5'],
    [503, '5'],
  ])
  expect(answers[0].body).toContain('lang="nl"')
  expect(answers[0].body).not.toMatch(/E-\w{4}-\w{4}/)
  expect(JSON.parse(answers[1].body)).toMatchObject({ error: 'temporarily_unavailable' })

  await expect.poll(async () => (await asPerson()).status).toBe(303)
  expect((await asProgram()).status).toBe(400)
  expect(gateway.log().match(/overload[\w-]+/g)).toEqual(['overloaded', 'overload-over'])
  expect(gateway.log()).not.toContain('request-failed')
})

test('one long turn, or two, are a pause and no overload; the third in a row is', () => {
  vi.useFakeTimers()
  let now = 0
  const lateness = watchLateness({ log: silentLog, time: () => now })
  const tick = (late: number) => {
    now += 250 + late
    vi.advanceTimersByTime(250)
    return lateness.isLate()
  }
  try {
    expect([1000, 1000, 999, 1000, 5000, 1000, 1000, 0].map(tick)).toEqual([
      ...[false, false, false],
      ...[false, false, true, true],
      false,
    ])
  } finally {
    lateness.stop()
    vi.useRealTimers()
  }
})
