/** People and browsers as the tests of abuse need them. */
import { createBrowser, formOf, type Page } from '../../demo/browser.ts'
import type { Gateway } from '../support/gateway.ts'
import { CALLBACK } from '../support/relying-party.ts'
import { totpCode } from '../support/totp.ts'

export type Browser = ReturnType<typeof createBrowser>

/** Time that only the test moves on; it begins now, because the protocol engine has a clock of its own. */
export function movableClock() {
  const clock = { at: Date.now(), now: () => clock.at }
  return clock
}

/** A proxy's word for where a browser is: limits per address must not reach from test to test. */
export const PROXIED = { proxies: ['127.0.0.0/8'] }
let last = 0
export const newAddress = (): string => `198.51.${++last >> 8}.${last & 255}`

export const browserAt = (address = newAddress(), headers: Readonly<Record<string, string>> = {}): Browser =>
  createBrowser({ stopAt: [CALLBACK, 'https://'], headers: { 'x-forwarded-for': address, ...headers } })

/** Where the app sends a browser: without PKCE, so that a test need not keep a verifier. */
export const appAddress = (gateway: Gateway, app: string, more: Readonly<Record<string, string>> = {}): string => {
  const parameters = {
    client_id: app,
    response_type: 'code',
    scope: 'openid',
    redirect_uri: CALLBACK,
    state: 'x',
    ...more,
  }
  return `${gateway.issuer}/oauth2/auth?${new URLSearchParams(parameters)}`
}

export const anApp = (id: string, policy: string, more: object = {}) => ({
  id,
  name: `App ${id}`,
  policy,
  audience: ['*'],
  oidc: { redirect_uris: [CALLBACK], scopes: ['openid'], pkce: 'optional' as const },
  ...more,
})

/** Adds an authenticator app to somebody; answers its secret. The code of this very step is spent by it. */
export async function giveTotp(
  gateway: { readonly server: { readonly house: Pick<Gateway['server']['house'], 'factors'> } },
  personId: string,
  now: number,
): Promise<string> {
  const { factors } = gateway.server.house
  const about = { personId, username: 'x', name: 'x', conversation: 'giving' }
  const { secret } = (await factors.beginEnrolment('totp', about)) as { secret: string }
  await factors.finishEnrolment('totp', totpCode(secret, now), about)
  return secret
}

/** One code to try that is none of the three that would do. */
export const wrongCode = (secret: string, now: number): string => {
  const right = [-30_000, 0, 30_000].map((drift) => totpCode(secret, now + drift))
  return ['000000', '111111', '222222', '333333'].find((code) => !right.includes(code))!
}

/** A form's answer without following redirects, with all cookies of the browser as they were. */
export async function post(
  browser: Browser,
  url: string | URL,
  fields: Readonly<Record<string, string>>,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ status: number; location: string; text: string; cookies: string[]; headers: Headers }> {
  const response = await fetch(url, {
    method: 'POST',
    redirect: 'manual',
    headers: { cookie: cookiesOf(browser), ...headers },
    body: new URLSearchParams(fields),
  })
  const text = await response.text()
  const location = response.headers.get('location') ?? ''
  return {
    status: response.status,
    location,
    text,
    cookies: response.headers.getSetCookie(),
    headers: response.headers,
  }
}

export const cookiesOf = (browser: Browser): string =>
  [...browser.jar].map(([name, value]) => `${name}=${value}`).join('; ')

/** The step that a page asks for: the first form on it. */
export const stepOf = (page: Page): string | undefined => /name="step" value="([^"]+)"/.exec(page.text)?.[1]

/** Types the user name and stops in front of the password. */
export async function identify(browser: Browser, url: string, username: string): Promise<Page> {
  return browser.submit(formOf(await browser.open(url), 'identifier'), { username })
}
