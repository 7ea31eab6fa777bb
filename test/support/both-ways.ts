/** Two answers to one request, on the short way and by the engine: what must be the same, and by what one tells which is which. */
import { createHash, randomBytes } from 'node:crypto'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { expect } from 'vitest'
import { formOf } from '../../demo/browser.ts'
import { type Gateway, PASSWORD } from './gateway.ts'
import { type RawAnswer, sendRaw } from './raw.ts'
import { type Browser, CALLBACK, typePassword } from './relying-party.ts'

const portOf = ({ issuer }: Gateway) => Number(new URL(issuer).port)

/** Only the first takes a short way; both mean the same (RFC 9110 §11.1). */
export type Scheme = 'Basic' | 'basic'
export type Fields = Record<string, string>
export interface Sent {
  readonly id: string
  readonly secret?: string
  readonly fields: Fields | string
  readonly headers?: Record<string, string>
}

export const FORM = 'application/x-www-form-urlencoded'

/** To the token endpoint, with the app's own secret unless another is given. */
export function sendToToken(gateway: Gateway, scheme: Scheme, { id, secret, fields, headers }: Sent) {
  const credentials = Buffer.from(`${id}:${secret ?? gateway.secrets.get(id) ?? 'none'}`).toString('base64')
  const body = typeof fields === 'string' ? fields : new URLSearchParams(fields).toString()
  const all = { 'content-type': FORM, authorization: `${scheme} ${credentials}`, ...headers }
  return sendRaw(portOf(gateway), { method: 'POST', path: '/oauth2/token', headers: all, body })
}

export interface Begun {
  readonly code: string
  readonly verifier: string
}

/** A fresh code for `sam`, silently where the browser is signed in. A parameter that is empty is left out. */
export async function beginAt(gateway: Gateway, browser: Browser, id: string, parameters: Fields = {}): Promise<Begun> {
  const verifier = randomBytes(32).toString('base64url')
  const challenge = createHash('sha256').update(verifier).digest('base64url')
  const query = new URLSearchParams({
    ...{ client_id: id, response_type: 'code', redirect_uri: CALLBACK, scope: 'openid profile email', state: 's' },
    ...{ nonce: randomBytes(8).toString('hex'), code_challenge: challenge, code_challenge_method: 'S256' },
    ...parameters,
  })
  for (const [name, value] of [...query]) if (value === '') query.delete(name)
  let page = await browser.open(`${gateway.issuer}/oauth2/auth?${query}`)
  if (page.text.includes('value="identifier"')) page = await typePassword(browser, page, 'sam')
  else if (page.text.includes('value="password"'))
    page = await browser.submit(formOf(page, 'password'), { password: PASSWORD })
  if (page.text.includes('value="consent"')) page = await browser.submit(formOf(page, 'consent'), { answer: 'allow' })
  const code = page.url.searchParams.get('code')
  if (!code) throw new Error(`no code at ${page.url.href}`)
  return { code, verifier }
}

export const exchange = ({ code, verifier }: Begun): Fields => ({
  ...{ grant_type: 'authorization_code', code, redirect_uri: CALLBACK, code_verifier: verifier },
})

/** What the program `api`, a resource server, is told about the token. */
export async function introspected(gateway: Gateway, token: string): Promise<Record<string, unknown>> {
  const answer = await sendRaw(portOf(gateway), {
    method: 'POST',
    path: '/oauth2/introspection',
    headers: {
      'content-type': FORM,
      authorization: `Basic ${Buffer.from(`api:${gateway.secrets.get('api')}`).toString('base64')}`,
    },
    body: `token=${token}`,
  })
  return JSON.parse(answer.body)
}

/** In their order: a reader of ours takes no other. */
const IS_NEW = new Set(['jti', 'iat', 'exp'])

/** Only the order of their headers tells from where two answers come. */
export const orderOf = ({ headers }: RawAnswer) => Object.keys(headers).join()

type Compared = Awaited<ReturnType<ReturnType<typeof comparisonAt>>>

/** But for a second that may end between the beginning of a token and its writing. */
export function expectSame(one: Compared, two: Compared): void {
  const [a, b] = [one.life, two.life]
  const apart = typeof a === 'number' && typeof b === 'number' ? Math.abs(a - b) : 0
  expect(apart).toBeLessThanOrEqual(1)
  expect({ ...one, life: apart || a }).toEqual({ ...two, life: apart || b })
}

/** What must be the same: everything but what is new each time. */
export function comparisonAt(gateway: Gateway) {
  const userinfo = async (token: string) =>
    (await sendRaw(portOf(gateway), { path: '/oauth2/userinfo', headers: { authorization: `Bearer ${token}` } })).body

  return async ({ status, headers, body }: RawAnswer) => {
    const { date: _date, 'content-length': length, ...rest } = headers
    const read = (/^{/.test(body) ? JSON.parse(body) : { error: body }) as Record<string, string>
    const { access_token: access, id_token: id, refresh_token: refresh, ...others } = read
    const { error_description: why, error_uri: where, ...rests } = others
    // one that is a JWT tells by itself what others are asked about
    const jwt = access?.includes('.') ? access : undefined
    const { iat, exp, nonce, jti, ...told } = jwt ? decodeJwt(jwt) : access ? await introspected(gateway, access) : {}
    const claims: Record<string, unknown> = id ? decodeJwt(id) : {}
    return {
      status,
      headers: Object.fromEntries(Object.entries(rest).sort()),
      lengthIsRight: Number(length) === Buffer.byteLength(body),
      names: Object.keys(read),
      others: rests,
      why: [why, where].map((text) => text?.replace(/[0-9A-Z]{4}-[0-9A-Z]{4}/, 'REFERENCE')),
      accessLength: access?.length,
      accessHeader: jwt && decodeProtectedHeader(jwt),
      accessClaims:
        jwt && Object.entries(decodeJwt(jwt)).map(([name, value]) => [name, IS_NEW.has(name) ? typeof value : value]),
      hasId: typeof jti,
      refreshes: refresh !== undefined,
      introspected: told,
      life: access && Number(exp) - Number(iat),
      userinfo: access && id ? await userinfo(access) : undefined,
      idHeader: id && decodeProtectedHeader(id),
      idClaims: id && {
        ...claims,
        nonce: typeof claims['nonce'],
        iat: typeof claims['iat'],
        exp: typeof claims['exp'],
      },
      idLife: id && Number(claims['exp']) - Number(claims['iat']),
      verified: nonce,
    }
  }
}
