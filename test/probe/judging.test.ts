/** How a probe tells who is in, and what it makes of a test copy of which nothing can be told. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { App } from '#catalog'
import { type Lab, openLab, taken } from '../support/lab/lab.ts'
import { type OidcAppOptions, startOidcApp } from '../support/lab/oidc-app.ts'
import { type LabApp, startLabServer } from '../support/lab/server.ts'

// hundreds of requests, on a machine that has more to do
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 })

let lab: Lab
let app: App
/** Somebody else's server, to which nothing may be sent. */
let other: LabApp
beforeAll(async () => {
  lab = await openLab()
  const more = { policy: 'default', audience: ['staff'] }
  app = await lab.register({ id: 'sample', ...more, oidc: { redirect_uris: ['https://sample.example.com/callback'] } })
  other = await startLabServer(async () => ({ body: 'Alma Probewell' }))
})
afterAll(async () => {
  await other.close()
  await lab.close()
})

const probeOf = (options: Partial<OidcAppOptions> & { start?: string; check?: string }, again?: boolean) =>
  lab.probe(
    app,
    'oidc',
    async ({ issuer, client_id, client_secret }) => {
      const { start = '/login', check, ...rest } = options
      const own = await startOidcApp({
        issuer: () => issuer!,
        clientId: client_id!,
        secret: () => client_secret!,
        ...rest,
      })
      return {
        target: own.origin + start,
        close: own.close,
        ...(check === undefined ? {} : { check: new URL(check, own.origin) }),
      }
    },
    again,
  )

describe('who is in', () => {
  test('is told by what only somebody who is in can open, where no page names them', async () => {
    const right = await probeOf({ front: 'that' })
    expect(right).toMatchObject({ grade: 'green', check: { by: 'reach', address: expect.stringMatching(/\/$/) } })
    const broken = await probeOf({ front: 'that', fault: 'ignores-aud' })
    expect(broken.grade).toBe('red')
    expect(taken(broken)).toEqual(['aud-wrong', 'aud-missing', 'azp-wrong'])
  })

  test('is not whoever a complaint about a refusal names', async () => {
    const report = await probeOf({ complains: true })
    expect(report.check?.by).toBe('person')
    expect(taken(report)).toEqual([])
    expect(report.grade).toBe('green')
  })

  test('is told by the address that the administrator names, and by no other', async () => {
    const report = await probeOf({ check: '/nothing-there' })
    expect(report).toMatchObject({ grade: 'inconclusive', cause: { code: 'not-distinguishable' } })
  })
})

describe('never green', () => {
  test.each<[string, Partial<OidcAppOptions> & { start?: string }]>([
    ['not-distinguishable', { front: 'same' }],
    ['secret-wrong', { secret: () => 'of another' }],
    ['client-id-wrong', { clientId: 'another' }],
    ['start-no-sign-in', { start: '/' }],
    ['redirect-elsewhere', { redirectUri: 'https://elsewhere.example.com/callback' }],
  ])('%s', async (code, options) => {
    const report = await probeOf(options)
    expect(report).toMatchObject({ grade: 'inconclusive', cause: { code }, cases: [] })
  })

  test('where the app lets nobody in any more after the cases', async () => {
    const report = await probeOf({ locksAfter: 12 }, false)
    expect(report.grade).toBe('amber')
    expect(report.cases.filter(({ result }) => result === 'refused')).toEqual([])
    expect(taken(report)).toEqual([])
  })
})

describe('nothing is sent to anybody who was not named', () => {
  test('whatever the app leads to after the sign-in', async () => {
    const report = await probeOf({ leadsTo: `${other.origin}/` })
    // its own front page tells who is in
    expect(report).toMatchObject({ grade: 'green', check: { by: 'person' } })
  })

  test('whatever the start leads to', async () => {
    const away = await startLabServer(async () => ({ location: `${other.origin}/` }))
    const report = await lab.probe(app, 'oidc', async () => ({ target: `${away.origin}/`, close: away.close }))
    expect(report).toMatchObject({ grade: 'inconclusive', cause: { code: 'left-target' } })
  })

  test('not by a form, nor by a page that goes on by itself', async () => {
    const body = [
      `<meta http-equiv="refresh" content="0; url=${other.origin}/">`,
      `<form method="post" action="${other.origin}/"><input name="SAMLRequest" value="x"></form>`,
    ]
    for (const text of body) {
      const away = await startLabServer(async () => ({ body: text }))
      const report = await lab.probe(app, 'oidc', async () => ({ target: `${away.origin}/`, close: away.close }))
      expect(report.grade).toBe('inconclusive')
    }
  })

  afterAll(() => {
    expect(other.heard).toEqual([])
    expect(lab.asked).not.toContain(other.origin)
  })
})
