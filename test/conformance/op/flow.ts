/** The steps that most modules share, each with what the suite checks whenever it takes them. */
import { createHash, randomBytes } from 'node:crypto'
import { createRemoteJWKSet, customFetch, decodeProtectedHeader, type JWTPayload, jwtVerify } from 'jose'
import { expect } from 'vitest'
import { createBrowser, formsOf, type Page } from '../../../demo/browser.ts'
import { PASSWORD } from '../../support/gateway.ts'
import { fetchPage } from '../../support/page-fetch.ts'
import { type Browser, typePassword } from '../../support/relying-party.ts'
import { type Client, type Op, USERNAME } from './op.ts'
import type { Received } from './receiver.ts'

export interface Visitor extends Browser {
  /** Of the last answer. */
  header(name: string): string
}

export function browserOf(op: Op): Visitor {
  let headers = new Headers()
  const browser = createBrowser({
    fetch: async (url, init) => {
      const response = await (url.protocol === 'https:' ? op.fetch : fetchPage)(url, init)
      headers = response.headers
      return response
    },
  })
  return { ...browser, header: (name) => headers.get(name) ?? '' }
}

const random = () => randomBytes(16).toString('base64url')

/** A request for an authorization; `undefined` leaves a parameter out. */
export type Parameters = Readonly<Record<string, string | undefined>>

export interface Asked {
  readonly page: Page
  readonly state: string
  readonly nonce: string
  /** What the client's callback was told; undefined: the person was shown something instead. */
  readonly answer?: URLSearchParams
}

export function requestFor({ mode }: Op, client: Client, parameters: Parameters = {}): Record<string, string> {
  const all: Parameters = {
    client_id: client.id,
    redirect_uri: client.redirectUri,
    scope: 'openid',
    state: random(),
    nonce: random(),
    response_type: 'code',
    ...(mode === 'form_post' ? { response_mode: 'form_post' } : {}),
    ...parameters,
  }
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as Record<string, string>
}

export const addressOf = ({ metadata }: Op, request: Readonly<Record<string, string>>): string =>
  `${metadata.authorization_endpoint}?${new URLSearchParams(request)}`

/** Follows the browser until the client's callback or a page for the person. */
export async function arrive(op: Op, browser: Visitor, client: Client, page: Page): Promise<Received | undefined> {
  const [form] = formsOf(page)
  if (form?.action.href === client.redirectUri) {
    submitsItself(browser, page)
    await browser.submit(form)
  }
  const came = op.receiver.taken(new URL(client.redirectUri).pathname)
  expect(came.length).toBeLessThanOrEqual(1)
  return came[0]
}

/** OAuth 2.0 Form Post Response Mode §2: the page goes on by itself, also where its own policy of contents is kept. */
function submitsItself(browser: Visitor, { text }: Page): void {
  const [form, ...others] = [...text.matchAll(/<form\b[^>]*>/g)].map(([tag]) => tag)
  expect([form, others]).toEqual([expect.stringContaining('method="post"'), []])
  const script = /<script>([\s\S]*?)<\/script>/.exec(text)![1]!
  expect(script).toContain('document.forms[0].submit()')
  const policy = browser.header('content-security-policy')
  expect(policy).toContain(`'sha256-${createHash('sha256').update(script).digest('base64')}'`)
  expect(policy).not.toContain('form-action')
}

/** The answer as its mode wants it: nowhere else, from this provider, and with the state of the request. */
export function answerOf({ mode, metadata }: Op, received: Received, state: string | undefined): URLSearchParams {
  if (mode === 'form_post') {
    expect([received.method, received.contentType.split(';')[0]]).toEqual(['POST', 'application/x-www-form-urlencoded'])
    for (const name of ['code', 'error']) expect(received.query.has(name)).toBe(false)
  } else expect(received.method).toBe('GET')
  const answer = mode === 'form_post' ? received.form : received.query
  expect(answer.get('state') ?? undefined).toBe(state)
  // RFC 9207 §2.4
  expect(answer.get('iss')).toBe(metadata.issuer)
  if (answer.has('error')) expect(answer.has('code')).toBe(false)
  return answer
}

export async function ask(op: Op, browser: Visitor, client: Client, parameters: Parameters = {}): Promise<Asked> {
  const request = requestFor(op, client, parameters)
  return answered(op, browser, client, request, await browser.open(addressOf(op, request)))
}

async function answered(
  op: Op,
  browser: Visitor,
  client: Client,
  { state, nonce }: Record<string, string>,
  page: Page,
): Promise<Asked> {
  const received = await arrive(op, browser, client, page)
  const asked = { page, state: state!, nonce: nonce! }
  return received ? { ...asked, answer: answerOf(op, received, state) } : asked
}

/** Types what the pages ask for, and agrees to what they ask about. */
export async function signInAt(browser: Visitor, page: Page): Promise<Page> {
  const step = (of: Page, name: string) => formsOf(of).find(({ fields }) => fields.get('step') === name)
  const again = step(page, 'password')
  let after = page
  if (again) after = await browser.submit(again, { password: PASSWORD })
  else if (step(page, 'identifier')) after = await typePassword(browser, page, USERNAME)
  const agreeing = step(after, 'consent')
  return agreeing ? browser.submit(agreeing, { answer: 'allow' }) : after
}

/** Nobody who was not asked has to. */
export async function signIn(op: Op, browser: Visitor, client: Client, asked: Asked): Promise<Asked> {
  if (asked.answer) return asked
  const { page, state, nonce } = asked
  return answered(op, browser, client, { state, nonce }, await signInAt(browser, page))
}

export interface TokenAnswer {
  readonly status: number
  readonly headers: Headers
  readonly body: Readonly<Record<string, unknown>>
}

/** RFC 6749 §2.3.1. */
export async function atTokenEndpoint(
  op: Op,
  client: Client,
  fields: Readonly<Record<string, string>>,
): Promise<TokenAnswer> {
  const basic = Buffer.from(`${encodeURIComponent(client.id)}:${encodeURIComponent(client.secret)}`).toString('base64')
  const asBasic = client.method === 'client_secret_basic'
  const response = await op.fetch(op.metadata.token_endpoint, {
    method: 'POST',
    headers: asBasic ? { authorization: `Basic ${basic}` } : {},
    body: new URLSearchParams({
      ...fields,
      ...(asBasic ? {} : { client_id: client.id, client_secret: client.secret }),
    }),
  })
  const { status, headers } = response
  expect(headers.get('content-type')).toMatch(/^application\/json/)
  return { status, headers, body: (await response.json()) as Record<string, unknown> }
}

export const redeem = (op: Op, client: Client, code: string, more: Readonly<Record<string, string>> = {}) =>
  atTokenEndpoint(op, client, { grant_type: 'authorization_code', code, redirect_uri: client.redirectUri, ...more })

/** RFC 6749 §5.1. */
export function tokensOf({ status, headers, body }: TokenAnswer): { access: string; id: string; refresh?: string } {
  expect([status, body['error']]).toEqual([200, undefined])
  expect(headers.get('cache-control')).toContain('no-store')
  expect(String(body['token_type']).toLowerCase()).toBe('bearer')
  expect(body['expires_in']).toBeGreaterThan(0)
  const { access_token, id_token, refresh_token } = body as Record<string, string>
  return { access: access_token!, id: id_token!, ...(refresh_token === undefined ? {} : { refresh: refresh_token }) }
}

/** OIDC Core §3.1.3.7, with a signature of the keys that are published. */
export async function claimsOf(op: Op, client: Client, idToken: string, nonce?: string): Promise<JWTPayload> {
  const { metadata } = op
  const { alg, kid } = decodeProtectedHeader(idToken)
  expect([alg, typeof kid]).toEqual(['RS256', 'string'])
  const keys = createRemoteJWKSet(new URL(metadata.jwks_uri), { [customFetch]: op.fetch })
  const { payload } = await jwtVerify(idToken, keys, { issuer: metadata.issuer, audience: client.id })
  expect(payload.aud).toBe(client.id)
  expect(payload.sub).toMatch(/^[\x21-\x7e]{1,255}$/)
  const now = Date.now() / 1000
  expect(payload.exp).toBeGreaterThan(now)
  expect(Math.abs(payload.iat! - now)).toBeLessThan(60)
  expect(payload['nonce']).toBe(nonce)
  if (payload['azp'] !== undefined) expect(payload['azp']).toBe(client.id)
  return payload
}

export type How = (access: string) => RequestInit
export const AS_HEADER: How = (access) => ({ headers: { authorization: `Bearer ${access}` } })

/** OIDC Core §5.3. */
export async function userinfo(op: Op, access: string, how: How = AS_HEADER): Promise<JWTPayload> {
  const response = await op.fetch(op.metadata.userinfo_endpoint, how(access))
  expect([response.status, response.headers.get('content-type')]).toEqual([
    200,
    expect.stringMatching(/^application\/json/),
  ])
  return (await response.json()) as JWTPayload
}

export interface Done {
  readonly asked: Asked
  readonly code: string
  readonly tokens: ReturnType<typeof tokensOf>
  readonly claims: JWTPayload
}

/** A flow to its end. */
export async function complete(
  op: Op,
  options: { browser?: Visitor; client?: Client; parameters?: Parameters; redeeming?: Record<string, string> } = {},
): Promise<Done> {
  const { browser = browserOf(op), client = op.client('client'), parameters = {}, redeeming = {} } = options
  const asked = await signIn(op, browser, client, await ask(op, browser, client, parameters))
  return finish(op, client, asked, redeeming)
}

/** From the callback on: tokens, the ID token, userinfo. */
export async function finish(
  op: Op,
  client: Client,
  asked: Asked,
  redeeming: Record<string, string> = {},
): Promise<Done> {
  expect(Object.fromEntries(asked.answer ?? [['error', `shown ${asked.page.url.pathname}`]])).not.toHaveProperty(
    'error',
  )
  const code = asked.answer!.get('code')!
  const tokens = tokensOf(await redeem(op, client, code, redeeming))
  const claims = await claimsOf(op, client, tokens.id, asked.nonce)
  expect((await userinfo(op, tokens.access)).sub).toBe(claims.sub)
  return { asked, code, tokens, claims }
}
