/** The two clients of the plan of CIBA, which sign all that they ask for, and the person whose screen is asked. */
import { randomUUID } from 'node:crypto'
import { expect } from 'vitest'
import type { Manifest } from '#catalog'
import { type createBrowser, formOf } from '../../../demo/browser.ts'
import { CIBA } from '../../support/ciba.ts'
import { es256, type Json, jwt, now, registered, type Signer } from '../../support/proofs.ts'
import { typePassword } from '../../support/relying-party.ts'
import { type Answer, type Party, partyOf, type Sending, send } from '../fapi2/party.ts'
import { browserOf } from '../op/flow.ts'
import { type Op, startOp, USERNAME } from '../op/op.ts'

const parties = new WeakMap<Op, readonly [Party, Party]>()
const screens = new WeakMap<Op, ReturnType<typeof createBrowser>>()

const manifestOf = ({ id, keys }: Party): Manifest => ({
  ...{ id, name: `Client ${id}`, policy: 'plain', audience: ['*'] },
  oidc: {
    redirect_uris: [],
    scopes: ['openid', 'profile', 'offline_access'],
    grant_types: [CIBA, 'refresh_token'],
    token_endpoint_auth_method: 'private_key_jwt',
    jwks: { keys: [{ ...registered(keys, `${id}-key`), kty: 'EC' as const }] },
    require_signed_request_object: true,
    dpop_bound_access_tokens: true,
  },
})

export async function startCiba(): Promise<Op> {
  let known: readonly [Party, Party] | undefined
  const op = await startOp('default', (origin) => {
    known = [partyOf(origin, 'ciba-one'), partyOf(origin, 'ciba-two')]
    return known.map(manifestOf)
  })
  parties.set(op, known!)
  return op
}

export const partiesOf = (op: Op): readonly [Party, Party] => parties.get(op)!

/** What a module changes about a request; `undefined` takes a claim away. */
export interface Request {
  readonly claims?: Json
  readonly header?: Json
  readonly signer?: Signer
}

/** CIBA Core §7.1.1. */
export const requestOf = (op: Op, { id, keys }: Party, { claims, header, signer }: Request = {}): string =>
  jwt(
    { alg: 'ES256', kid: `${id}-key`, ...header },
    {
      ...{ iss: id, aud: op.metadata.issuer, iat: now(), nbf: now(), exp: now() + 300, jti: randomUUID() },
      ...{ client_id: id, scope: 'openid', login_hint: USERNAME, ...claims },
    },
    signer ?? es256(keys.privateKey),
  )

const endpointOf = (op: Op): string => String(op.metadata['backchannel_authentication_endpoint'])

export async function ask(op: Op, request: Request = {}, how: Sending = {}): Promise<Answer> {
  // the limits on asking are not what is looked at
  op.pass(61_000)
  const [one] = partiesOf(op)
  return send(op, one, endpointOf(op), { request: requestOf(op, one, request) }, { proof: null, ...how })
}

export const askUnsigned = (op: Op, fields: Record<string, string>): Promise<Answer> =>
  send(op, partiesOf(op)[0], endpointOf(op), fields, { proof: null })

export const poll = (op: Op, { body }: Answer, by = partiesOf(op)[0], how: Sending = {}): Promise<Answer> =>
  send(op, by, op.metadata.token_endpoint, { grant_type: CIBA, auth_req_id: String(body['auth_req_id']) }, how)

/** §7.3. */
export function asked(answer: Answer): Answer {
  expect([answer.status, typeof answer.body['auth_req_id']]).toEqual([200, 'string'])
  expect(String(answer.body['auth_req_id'])).toMatch(/^[A-Za-z0-9._-]{22,}$/)
  expect(answer.body['expires_in']).toEqual(expect.any(Number))
  expect(answer.headers.get('cache-control')).toContain('no-store')
  return answer
}

/** What the person reads, who answers it; every question that waits is answered alike. */
export async function answerOnScreen(op: Op, said: 'allow' | 'deny'): Promise<string> {
  const browser = screens.get(op) ?? browserOf(op)
  screens.set(op, browser)
  let page = await browser.open(op.issuer)
  if (page.text.includes('value="identifier"')) page = await typePassword(browser, page, USERNAME)
  let read = ''
  for (;;) {
    const [, path] = /href="(\/confirmations\/[^"]+)"/.exec(page.text) ?? []
    if (path === undefined) return read
    const question = await browser.open(`${op.issuer}${path}`)
    read += question.text
    page = await browser.submit(formOf(question, 'confirm'), { answer: said })
  }
}
