/** Clients hear of a sign-out: OpenID Connect Back-Channel Logout 1.0 and Front-Channel Logout 1.0. */
import { createRemoteJWKSet, customFetch, jwtVerify } from 'jose'
import { expect } from 'vitest'
import { BACK_CHANNEL, FRONT_CHANNEL, type Op, POST_LOGOUT } from '../op/op.ts'
import type { Modules } from '../op/plan.ts'
import { cameBack, ended, endSession, STATE, signedIn } from './sign-out.ts'

const discovered =
  (...names: readonly string[]) =>
  async ({ metadata }: Op): Promise<void> => {
    for (const name of names) expect([name, metadata[name]]).toEqual([name, true])
    expect(metadata.end_session_endpoint).toMatch(/^https:\/\//)
  }

export const BACK_CHANNEL_MODULES: Modules = {
  'oidcc-backchannel-logout-discovery-endpoint-verification': discovered(
    'backchannel_logout_supported',
    'backchannel_logout_session_supported',
  ),

  async 'oidcc-backchannel-rp-initiated-logout'(op) {
    const { metadata, receiver } = op
    const somebody = await signedIn(op, 'back')
    await endSession(op, somebody)
    const [heard, ...more] = receiver.taken(BACK_CHANNEL)
    expect(more).toEqual([])
    // §2.5
    expect([heard!.method, heard!.contentType.split(';')[0]]).toEqual(['POST', 'application/x-www-form-urlencoded'])
    expect([...heard!.form.keys()]).toEqual(['logout_token'])
    // §2.4
    const keys = createRemoteJWKSet(new URL(metadata.jwks_uri), { [customFetch]: op.fetch })
    const { payload, protectedHeader } = await jwtVerify(heard!.form.get('logout_token')!, keys, {
      issuer: metadata.issuer,
      audience: 'back',
      typ: 'logout+jwt',
      algorithms: ['RS256'],
    })
    expect(protectedHeader.kid).toBeTypeOf('string')
    expect(payload).toEqual({
      iss: metadata.issuer,
      aud: 'back',
      sub: somebody.claims.sub,
      sid: somebody.claims['sid'],
      iat: Math.floor(Date.now() / 1000),
      exp: expect.any(Number),
      jti: expect.stringMatching(/^.{16,}$/),
      events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
    })
    cameBack(op, STATE)
    await ended(op, somebody)
  },
}

export const FRONT_CHANNEL_MODULES: Modules = {
  'oidcc-frontchannel-logout-discovery-endpoint-verification': discovered(
    'frontchannel_logout_supported',
    'frontchannel_logout_session_supported',
  ),

  async 'oidcc-frontchannel-rp-initiated-logout'(op) {
    const { metadata, receiver } = op
    const somebody = await signedIn(op, 'front')
    const { browser } = somebody
    const { text } = await endSession(op, somebody)
    // what a browser does with the page: it loads the frames, then it goes on
    const frames = [...text.matchAll(/<iframe [^>]*src="([^"]+)"/g)].map(([, src]) => src!.replaceAll('&amp;', '&'))
    const [, onward] = /^\d+;\s*url=(.+)$/.exec(browser.header('refresh')) ?? []
    const policy = browser.header('content-security-policy')
    expect(/frame-src ([^;]*)/.exec(policy)?.[1]).toContain(receiver.origin)
    expect(receiver.taken(POST_LOGOUT)).toEqual([])
    for (const frame of frames) await browser.open(frame)
    // §2
    const loaded = receiver.taken(FRONT_CHANNEL).map(({ method, query }) => [method, Object.fromEntries(query)])
    expect(loaded).toEqual([['GET', { iss: metadata.issuer, sid: somebody.claims['sid'] }]])
    await browser.open(onward!)
    cameBack(op, STATE)
    await ended(op, somebody)
  },
}
