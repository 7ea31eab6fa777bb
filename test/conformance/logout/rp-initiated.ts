/** OpenID Connect RP-Initiated Logout 1.0. */
import { SignJWT } from 'jose'
import { expect } from 'vitest'
import { messagesFor } from '#pages'
import type { Page } from '../../../demo/browser.ts'
import type { Parameters } from '../op/flow.ts'
import { type Op, POST_LOGOUT } from '../op/op.ts'
import type { Modules } from '../op/plan.ts'
import { cameBack, confirm, ended, endSession, lives, STATE, signedIn, stayed } from './sign-out.ts'

const signedOut = ({ text }: Page) => expect(text).toContain(messagesFor('en').signedOut.title)

/** A hint or an address that is not right: an error page, and nothing is over. */
async function refused(op: Op, changes: (idToken: string) => Parameters | Promise<Parameters>): Promise<void> {
  const somebody = await signedIn(op)
  const page = await endSession(op, somebody, await changes(somebody.tokens.id))
  expect(page.status).toBe(400)
  stayed(op, page)
  await lives(op, somebody)
}

/** Nobody knows that a client asks: the person does, and the browser stays here. */
async function confirmed(op: Op, changes: Parameters): Promise<void> {
  const somebody = await signedIn(op)
  const asked = await endSession(op, somebody, { id_token_hint: undefined, ...changes })
  stayed(op, asked)
  await lives(op, somebody)
  const page = await confirm(somebody.browser, asked)
  signedOut(page)
  stayed(op, page)
  await ended(op, somebody)
}

export const RP_INITIATED: Modules = {
  async 'oidcc-rp-initiated-logout-discovery-endpoint-verification'({ metadata }) {
    expect(metadata.end_session_endpoint).toMatch(/^https:\/\//)
  },

  async 'oidcc-rp-initiated-logout'(op) {
    const somebody = await signedIn(op)
    await endSession(op, somebody)
    cameBack(op, STATE)
    await ended(op, somebody)
  },

  async 'oidcc-rp-initiated-logout-no-state'(op) {
    const somebody = await signedIn(op)
    await endSession(op, somebody, { state: undefined })
    cameBack(op, undefined)
    await ended(op, somebody)
  },

  async 'oidcc-rp-initiated-logout-no-post-logout-redirect-uri'(op) {
    const somebody = await signedIn(op)
    const page = await endSession(op, somebody, { post_logout_redirect_uri: undefined })
    signedOut(page)
    stayed(op, page)
    await ended(op, somebody)
  },

  'oidcc-rp-initiated-logout-no-params': (op) =>
    confirmed(op, { post_logout_redirect_uri: undefined, state: undefined }),
  'oidcc-rp-initiated-logout-only-state': (op) => confirmed(op, { post_logout_redirect_uri: undefined }),
  'oidcc-rp-initiated-logout-no-id-token-hint': (op) => confirmed(op, {}),

  'oidcc-rp-initiated-logout-bad-post-logout-redirect-uri': (op) =>
    refused(op, () => ({ post_logout_redirect_uri: `${op.receiver.origin}${POST_LOGOUT}/wrong` })),
  'oidcc-rp-initiated-logout-query-added-to-post-logout-redirect-uri': (op) =>
    refused(op, () => ({ post_logout_redirect_uri: `${op.receiver.origin}${POST_LOGOUT}?foo=bar` })),

  'oidcc-rp-initiated-logout-modified-id-token-hint': (op) =>
    refused(op, (idToken) => {
      const header = Buffer.from(JSON.stringify({ alg: 'none' })).toString('base64url')
      return { id_token_hint: `${header}.${idToken.split('.')[1]}.` }
    }),
  'oidcc-rp-initiated-logout-bad-id-token-hint': (op) =>
    refused(op, async (idToken) => {
      const claims = JSON.parse(Buffer.from(idToken.split('.')[1]!, 'base64url').toString())
      // as the suite does for a client without keys of its own: with its secret
      const key = Buffer.from(op.client('client').secret)
      return { id_token_hint: await new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(key) }
    }),
}
