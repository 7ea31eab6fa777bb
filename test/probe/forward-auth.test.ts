/** The lab behind proxies: each broken app or proxy is named with its fault and nothing else, no correct one is blamed. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { App } from '#catalog'
import type { ProbeReport } from '#probe'
import {
  type ForwardAuthFault,
  type ProxyFault,
  startForwardAuthApp,
  startLabProxy,
} from '../support/lab/forward-auth-app.ts'
import { type Lab, openLab, taken } from '../support/lab/lab.ts'
import { freePort } from '../support/ports.ts'

// hundreds of requests, on a machine that has more to do
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 })

let lab: Lab
let app: App
beforeAll(async () => {
  lab = await openLab()
  app = await lab.register({
    id: 'sample',
    name: 'Sample',
    policy: 'default',
    audience: ['staff'],
    forward_auth: { hosts: ['sample.example.com'] },
  })
})
afterAll(() => lab.close())

const probeOf = (fault?: ForwardAuthFault): Promise<ProbeReport> =>
  lab.probe(app, 'forward_auth', async ({ issuer }) => {
    const own = await startForwardAuthApp({ issuer: issuer!, ...(fault === undefined ? {} : { fault }) })
    // known by its own address: nobody stands in front of it
    return { target: `${own.origin}/`, close: own.close }
  })

/** The app itself answers nobody but the proxy: on an address that the probe is not given. */
const probeThrough = (fault?: ProxyFault): Promise<ProbeReport> =>
  lab.probe(app, 'forward_auth', async ({ issuer }) => {
    const own = await startForwardAuthApp({ issuer: issuer!, fault: 'believes-remote-user' })
    const proxy = await startLabProxy(() => own, fault)
    const closed = `http://127.0.0.1:${await freePort()}/`
    return {
      target: closed,
      through: new URL(`${proxy.origin}/`),
      async close() {
        await proxy.close()
        await own.close()
      },
    }
  })

const BROKEN: Readonly<Record<ForwardAuthFault, readonly string[]>> = {
  'believes-remote-user': ['headers-believed'],
  'token-if-any': ['headers-believed'],
  'open-to-nobody': ['open-around'],
  'token-unsigned': ['jwt-alg-none'],
  'token-of-any-key': ['jwt-of-another-key'],
  'token-by-hmac': ['jwt-key-confusion', 'jwt-key-confusion-trimmed'],
  'token-expired': ['jwt-expired'],
  'token-of-any-issuer': ['jwt-iss-wrong'],
  'token-for-anybody': ['jwt-aud-wrong'],
  'token-of-any-type': ['jwt-typ-wrong'],
  'name-from-header': ['jwt-of-another-person'],
}
const BROKEN_PROXIES: Readonly<Record<ProxyFault, readonly string[]>> = {
  'asks-nobody': ['through-open'],
  'passes-headers': ['through-headers-believed'],
  'passes-twins': ['through-twins-believed'],
}

describe('docs/forward-auth.md, RFC 8725: a broken app is named with its fault', () => {
  test.each(Object.entries(BROKEN))('%s', async (fault, codes) => {
    const report = await probeOf(fault as ForwardAuthFault)
    expect(report.cause).toBeUndefined()
    expect(taken(report)).toEqual(codes)
    expect(report.cases.filter(({ result }) => result === 'inconclusive')).toEqual([])
    expect(report.grade).toBe(['open-to-nobody', 'token-of-any-type'].includes(fault) ? 'amber' : 'red')
  })

  test.each(Object.entries(BROKEN_PROXIES))('a proxy that %s', async (fault, codes) => {
    const report = await probeThrough(fault as ProxyFault)
    expect(taken(report)).toEqual(codes)
    expect(report.grade).toBe('red')
  })
})

describe('no correct app is blamed', () => {
  test('one that verifies the token', async () => {
    const report = await probeOf()
    expect(report).toMatchObject({ grade: 'green', check: { by: 'person' } })
    expect(taken(report)).toEqual([])
  })

  test('one that nobody reaches but the proxy', async () => {
    const report = await probeThrough()
    expect(report).toMatchObject({ grade: 'green', cause: { code: 'target-unreachable' } })
    expect(report.cases.map(({ code, result }) => `${code} ${result}`)).toEqual([
      'reachable-around refused',
      'through-open refused',
      'through-headers-believed refused',
      'through-twins-believed refused',
    ])
  })

  test('nobody reached at all is no green', async () => {
    const report = await lab.probe(app, 'forward_auth', async () => ({
      target: `http://127.0.0.1:${await freePort()}/`,
      close: async () => {},
    }))
    expect(report).toMatchObject({ grade: 'inconclusive', cause: { code: 'target-unreachable' }, cases: [] })
  })
})
