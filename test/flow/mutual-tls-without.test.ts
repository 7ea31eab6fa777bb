/** A client whose tokens are to be bound to a certificate, at a gateway that no certificate can reach: it gets none, by no grant. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createBrowser } from '../../demo/browser.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { CALLBACK, relyingParty, typePassword } from '../support/relying-party.ts'

let gateway: Gateway
beforeAll(async () => {
  const bound = { tls_client_certificate_bound_access_tokens: true }
  gateway = await startGateway({
    policies: POLICIES,
    people: [{ username: 'sam', name: 'Sam', groups: ['staff'] }],
    apps: [
      { id: 'program', template: 'machine', policy: 'plain', oidc: bound },
      { id: 'shop', policy: 'plain', audience: ['staff'], oidc: { redirect_uris: [CALLBACK], ...bound } },
    ] as never,
  })
})
afterAll(() => gateway.close())

test('a program gets no token', async () => {
  const answer = await fetch(`${gateway.issuer}/oauth2/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`program:${gateway.secrets.get('program')}`)}` },
    body: new URLSearchParams({ grant_type: 'client_credentials' }),
  })
  expect([answer.status, ((await answer.json()) as { error: string }).error]).toEqual([400, 'invalid_grant'])
})

test('an app of people gets none for its code', async () => {
  const party = await relyingParty(gateway, 'shop')
  const begun = await party.begin({ scope: 'openid' })
  const browser = createBrowser({ stopAt: CALLBACK })
  const page = await typePassword(browser, await browser.open(begun.url.href), 'sam')
  await expect(party.finish(begun, page.url)).rejects.toMatchObject({ error: 'invalid_grant' })
})
