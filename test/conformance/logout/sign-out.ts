/** What the modules about sign-outs share: somebody is signed in, a client asks for the end, and then nobody is. */
import { expect } from 'vitest'
import { formsOf, type Page } from '../../../demo/browser.ts'
import { ask, browserOf, complete, type Done, type Parameters, type Visitor } from '../op/flow.ts'
import { type Client, type Op, POST_LOGOUT } from '../op/op.ts'

export interface SignedIn extends Done {
  readonly browser: Visitor
  readonly client: Client
}

export async function signedIn(op: Op, id = 'client'): Promise<SignedIn> {
  const [browser, client] = [browserOf(op), op.client(id)]
  return { browser, client, ...(await complete(op, { browser, client })) }
}

/** RP-Initiated Logout §2: the request as the suite makes it; `undefined` leaves a parameter out. */
export function endSession(op: Op, { browser, tokens }: SignedIn, changes: Parameters = {}): Promise<Page> {
  const all: Parameters = {
    id_token_hint: tokens.id,
    post_logout_redirect_uri: `${op.receiver.origin}${POST_LOGOUT}`,
    state: STATE,
    ...changes,
  }
  const fields = Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined)
  return browser.open(`${op.metadata.end_session_endpoint}?${new URLSearchParams(fields)}`)
}

export const STATE = 'a state & "more"'

/** §3: the browser was sent there once, with nothing but the state. */
export function cameBack({ receiver }: Op, state: string | undefined): void {
  const came = receiver.taken(POST_LOGOUT).map(({ method, query }) => [method, Object.fromEntries(query)])
  expect(came).toEqual([['GET', state === undefined ? {} : { state }]])
}

export function stayed({ receiver, metadata }: Op, page: Page): void {
  expect(page.url.origin).toBe(metadata.issuer)
  expect(receiver.taken(POST_LOGOUT)).toEqual([])
}

/** A request without a form is refused; one that asks is answered with yes. */
export function confirm(browser: Visitor, page: Page): Promise<Page> {
  const [form] = formsOf(page)
  expect(page.text).toContain('name="logout"')
  return browser.submit(form!, { logout: 'yes' })
}

/** Nobody is signed in any more: without asking somebody there is no code. */
export async function ended(op: Op, { browser, client }: SignedIn): Promise<void> {
  const { answer } = await ask(op, browser, client, { prompt: 'none' })
  expect(answer?.get('error')).toBe('login_required')
}

/** Whatever was asked for in vain ended nothing. */
export async function lives(op: Op, { browser, client }: SignedIn): Promise<void> {
  const { answer } = await ask(op, browser, client, { prompt: 'none' })
  expect(answer?.get('code')).toBeTruthy()
}
