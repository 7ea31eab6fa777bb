/** An app that asks on another screen (CIBA), and somebody in front of that screen. */
import * as oidc from 'openid-client'
import { createBrowser, formOf, type Page } from '../../demo/browser.ts'
import type { Gateway } from './gateway.ts'
import { type Browser, CALLBACK, relyingParty, typePassword } from './relying-party.ts'

export const CIBA = 'urn:openid:params:grant-type:ciba'
export type Json = Record<string, unknown>

/** A request as any program can send it. */
export async function send(gateway: Gateway, client: string, path: string, fields: Record<string, string> | string) {
  const secret = gateway.secrets.get(client) ?? 'none'
  const answer = await fetch(`${gateway.issuer}/oauth2/${path}`, {
    method: 'POST',
    headers: {
      authorization: `Basic ${btoa(`${client}:${secret}`)}`,
      'content-type': 'application/x-www-form-urlencoded',
    },
    body: typeof fields === 'string' ? fields : new URLSearchParams(fields).toString(),
  })
  const body = (await answer.json()) as Json
  return { status: answer.status, headers: answer.headers, body }
}

export const ask = (gateway: Gateway, client: string, fields: Record<string, string>) =>
  send(gateway, client, 'ciba', { scope: 'openid', ...fields })
export const poll = (gateway: Gateway, client: string, id: unknown, more: Record<string, string> = {}) =>
  send(gateway, client, 'token', { grant_type: CIBA, auth_req_id: String(id), ...more })

/** With openid-client. */
export async function party(gateway: Gateway, client: string) {
  const { configuration } = await relyingParty(gateway, client)
  return {
    configuration,
    ask: (parameters: Record<string, string>) => oidc.initiateBackchannelAuthentication(configuration, parameters),
    poll: (asked: oidc.BackchannelAuthenticationResponse) =>
      oidc.genericGrantRequest(configuration, CIBA, { auth_req_id: asked.auth_req_id }),
  }
}

/** Somebody signed in, on their apps. */
export async function screenOf(gateway: Gateway, username: string): Promise<Browser> {
  const browser = createBrowser({ stopAt: CALLBACK })
  await typePassword(browser, await browser.open(gateway.issuer), username)
  return browser
}

/** Where the pages lead to the questions that wait. */
export async function waiting(gateway: Gateway, browser: Browser): Promise<string[]> {
  const { text } = await browser.open(gateway.issuer)
  return [...text.matchAll(/href="(\/confirmations\/[^"]+)"/g)].map(([, path]) => `${gateway.issuer}${path}`)
}

/** The first question that waits. */
export async function question(gateway: Gateway, browser: Browser): Promise<Page> {
  const [first] = await waiting(gateway, browser)
  if (!first) throw new Error('nothing waits')
  return browser.open(first)
}

export const answer = (browser: Browser, page: Page, said: 'allow' | 'deny' | 'disown'): Promise<Page> =>
  browser.submit(formOf(page, 'confirm'), { answer: said })
