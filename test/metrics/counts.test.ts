/** What policies said, who was refused and what apps have yet to hear, at `/metrics`. */
import { expect, inject, onTestFinished, test, vi } from 'vitest'
import type { Manifest } from '#catalog'
import { createBrowser } from '../../demo/browser.ts'
import { createCounts } from '../../src/counts.ts'
import { createFlowTimes } from '../../src/flow-times.ts'
import { measuredOf, metricsOfAll, registerOf } from '../../src/metrics.ts'
import { createVisitor, app as protectedApp, WIKI } from '../forward-auth/house.ts'
import { startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { CALLBACK, relyingParty, signIn } from '../support/relying-party.ts'

type Rooms = Parameters<typeof measuredOf>[0]

const NOW = 1_000_000
const counted = (values: string[], times: number) => {
  const counts = createCounts()
  for (let n = 0; n < times; n++) counts.add(...values)
  return counts
}
const registerWith = (outbox: Rooms['outbox'], worker?: number) =>
  registerOf(
    measuredOf({
      people: { load: () => ({ done: 0, running: 0, waiting: 0 }), states: () => [] },
      access: { decided: () => ({ allow: 3, challenge: 2, deny: 0 }) },
      leader: { leads: () => false },
      clock: { now: () => NOW },
      times: createFlowTimes(),
      refusals: counted(['page', 'throttled'], 4),
      prompts: counted(['totp'], 5),
      storage: { load: () => ({ busy: 2, idle: 1, waiting: 3 }) },
      outbox,
    }),
    worker,
  )
const shownAs = (text: string, name: string) => new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]
const outboxIn = (text: string, labels = '') =>
  ['waiting', 'oldest_seconds'].map((what) =>
    shownAs(text, `portico_sign_outs_${what}${labels === '' ? '' : `\\{${labels.slice(1)}\\}`}`),
  )

test('counts go on counting from one look to the next, and are not added up twice', async () => {
  const register = registerWith({ pending: async () => 0, oldest: async () => undefined })
  for (let looks = 0; looks < 2; looks++) {
    const text = await register.metrics()
    expect(text).toMatch(/^# TYPE portico_decisions_total counter$/m)
    for (const [outcome, count] of Object.entries({ allow: '3', challenge: '2', deny: '0' }))
      expect(shownAs(text, `portico_decisions_total\\{outcome="${outcome}"\\}`)).toBe(count)
    expect(shownAs(text, 'portico_refusals_total\\{door="page",code="throttled"\\}')).toBe('4')
    expect(shownAs(text, 'portico_prompts_total\\{factor="totp"\\}')).toBe('5')
    expect(shownAs(text, 'portico_database_connections\\{state="waiting"\\}')).toBe('3')
  }
})

test('sign-outs that wait are those of the look before; unknown is no number, and a database that hangs keeps nobody waiting', async () => {
  let pending: Rooms['outbox']['pending'] = async () => 7
  const register = registerWith({ pending: () => pending(), oldest: async () => NOW - 90_000 })
  const look = async () => outboxIn(await register.metrics())
  expect(await look()).toEqual(['Nan', 'Nan'])
  await expect.poll(look).toEqual(['7', '90'])
  pending = () => Promise.reject(new Error('no database'))
  await expect.poll(look).toEqual(['Nan', 'Nan'])
  pending = () => new Promise(() => {})
  await look()
  expect(await look()).toEqual(['Nan', 'Nan'])
})

test('what all processes find in one database is told once, by whoever knows it, and the rest beside each other', async () => {
  const hangs = { pending: () => new Promise<never>(() => {}), oldest: async () => undefined }
  const known = registerWith({ pending: async () => 7, oldest: async () => NOW - 90_000 }, 1)
  await expect.poll(async () => outboxIn(await known.metrics(), ',worker="1"')).toEqual(['7', '90'])
  const begun = registerWith(hangs, 2)
  const shown = async (...registers: (typeof known)[]) => {
    const numbers = await Promise.all(registers.map((register) => register.getMetricsAsJSON()))
    return (await metricsOfAll(numbers, { wanted: 2, serving: registers.length, ended: 0 })).text
  }
  for (const text of [await shown(known, begun), await shown(begun, known)]) {
    expect(outboxIn(text)).toEqual(['7', '90'])
    expect(text.match(/^portico_sign_outs_waiting/gm)).toHaveLength(1)
    for (const worker of [1, 2])
      expect(shownAs(text, `portico_prompts_total\\{factor="totp",worker="${worker}"\\}`)).toBe('5')
  }
  expect(outboxIn(await shown(begun))).toEqual(['Nan', 'Nan'])
  expect(outboxIn(await shown())).toEqual([undefined, undefined])
})

test('a gateway counts what was asked of policies and of people, and refusals by door and code', async () => {
  const app = {
    id: 'crm',
    name: 'CRM',
    policy: 'plain',
    audience: ['staff'],
    oidc: { redirect_uris: [CALLBACK], grant_types: ['authorization_code', 'client_credentials'] },
  } satisfies Manifest
  const wiki = protectedApp('wiki', { rules: [{ paths: ['/admin/*'], access: 'deny' }] })
  const people = [{ username: 'sam', name: 'Sam', groups: ['staff'] }]
  const gateway = await startGateway({
    policies: POLICIES,
    apps: [app, wiki],
    people,
    settings: { proxies: ['127.0.0.1'] },
  })
  onTestFinished(() => gateway.close())
  const { issuer, server } = gateway
  const metrics = async () => (await fetch(`http://127.0.0.1:${server.managementPort}/metrics`)).text()
  const rows = async (name: string) =>
    Object.fromEntries(
      [...(await metrics()).matchAll(new RegExp(`^portico_${name}_total\\{(.*)\\} (\\d+)$`, 'gm'))].map(
        ([, labels, count]) => [labels!.replaceAll(/\w+=|"/g, ''), Number(count)],
      ),
    )
  expect(await rows('decisions')).toEqual({ allow: 0, challenge: 0, deny: 0 })
  expect([await rows('refusals'), await rows('prompts')]).toEqual([{}, {}])

  await signIn(createBrowser({ stopAt: CALLBACK }), await relyingParty(gateway, 'crm'), 'sam')
  const { allow, challenge } = (await rows('decisions')) as { allow: number; challenge: number }
  expect([allow > 0, challenge > 0]).toEqual([true, true])
  // the page that asks who somebody is asks for no factor
  expect(await rows('prompts')).toEqual({ password: 1 })

  const visitor = createVisitor(gateway)
  expect((await visitor.visit(`${WIKI}/admin/a`)).status).toBe(403)
  expect((await visitor.visit(`${WIKI}/admin/a`, { headers: {} })).status).toBe(403)
  expect((await visitor.visit(`${WIKI}/admin/a`, { from: '127.0.0.2' })).status).toBe(403)
  const ask = async (path: string, body?: Record<string, string>) =>
    (await fetch(`${issuer}${path}`, body ? { method: 'POST', body: new URLSearchParams(body) } : {})).status
  expect(await ask('/nowhere')).toBe(404)
  expect(await ask('/nowhere?again')).toBe(404)
  expect(await ask('/authz/api')).toBe(400)
  expect(await ask('/oauth2/token', { grant_type: 'client_credentials', client_id: 'nobody' })).toBe(401)
  expect(await ask('/access/v1/evaluation', {})).toBe(401)
  expect(await rows('refusals')).toEqual({
    ...{ 'page,not-found': 2, 'forward-auth,access-refused': 2, 'forward-auth,proxy-unknown': 1 },
    ...{ 'oauth,invalid_client': 1, 'api-check,request-refused': 1, 'api-check,token-required': 1 },
  })
  await vi.waitFor(async () => expect(outboxIn(await metrics())).toEqual(['0', '0']))
  const connections = shownAs(await metrics(), 'portico_database_connections\\{state="waiting"\\}')
  expect(connections).toBe(inject('postgresPort') === undefined ? undefined : '0')
})
