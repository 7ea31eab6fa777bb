/** What ends a session from server to server (OpenID Connect Back-Channel Logout 1.0 §2.6). */
import { randomId } from '#core/random'
import type { Browser } from '../browser.ts'
import type { ProbeCase, Seeing, Trial } from '../kind.ts'
import { type Claims, LONG_AGO, type OidcBench, signInRight } from '../kinds/oidc.ts'
import { ALMA, BORIS } from '../person.ts'
import type { Severity } from '../report.ts'

type Row = ProbeCase<OidcBench>
const SECTION = 'Back-Channel Logout §2.6'
const EVENT = 'http://schemas.openid.net/event/backchannel-logout'
const NONE: Trial = { result: 'not-applicable', note: 'no backchannel_logout_uri is registered' }

/** RFC 8417, with what §2.4 asks for. */
const rightClaims = ({ issuer, desk }: OidcBench, sid: string): Claims => {
  const now = Math.floor(desk.clock.now() / 1000)
  return {
    iss: issuer,
    aud: desk.app.id,
    iat: now,
    exp: now + 120,
    jti: randomId(),
    sub: ALMA.id,
    sid,
    events: { [EVENT]: {} },
  }
}

/** By the app, without any cookie: from server to server. */
const tell = ({ desk, logoutUri }: OidcBench, token: string) => desk.browser().post(logoutUri!, { logout_token: token })

async function inside(bench: OidcBench, see: Seeing): Promise<{ browser: Browser; sid: string } | undefined> {
  const { browser, attempt } = await signInRight(bench)
  return (await see(browser)).who === 'nobody' ? undefined : { browser, sid: attempt.sid }
}

/** Whether the right token ends a session at all: where it does not, that others do not either says nothing. */
const works = new WeakMap<OidcBench, Promise<boolean>>()

function rightOneWorks(bench: OidcBench, see: Seeing): Promise<boolean> {
  let known = works.get(bench)
  if (!known) {
    known = (async () => {
      const session = await inside(bench, see)
      if (!session) return false
      await tell(bench, await bench.sign(rightClaims(bench, session.sid), { typ: 'logout+jwt' }))
      return (await see(session.browser)).who === 'nobody'
    })()
    works.set(bench, known)
  }
  return known
}

type Make = (claims: Claims, bench: OidcBench) => Promise<string>

/** A token that must end nothing. */
const wrong = (code: string, severity: Severity, make: Make): Row => ({
  code,
  section: SECTION,
  severity,
  async run(bench, see) {
    if (!bench.logoutUri) return NONE
    if (!(await rightOneWorks(bench, see)))
      return { result: 'inconclusive', note: 'even the right logout token ends no session' }
    const session = await inside(bench, see)
    if (!session) return { result: 'inconclusive', note: 'the right sign-in before it failed' }
    await tell(bench, await make(rightClaims(bench, session.sid), bench))
    return (await see(session.browser)).who === 'nobody'
      ? { result: 'accepted', note: 'the session was ended' }
      : { result: 'refused' }
  },
})

const changed = (code: string, severity: Severity, change: (claims: Claims) => Claims): Row =>
  wrong(code, severity, (claims, bench) => bench.sign(change(claims), { typ: 'logout+jwt' }))
const without = (claims: Claims, ...names: string[]): Claims =>
  Object.fromEntries(Object.entries(claims).filter(([key]) => !names.includes(key)))
const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')

export const logoutCases: readonly Row[] = [
  {
    code: 'logout-ignored',
    section: 'Back-Channel Logout §2.7',
    severity: 'medium',
    async run(bench, see) {
      if (!bench.logoutUri) return NONE
      return (await rightOneWorks(bench, see))
        ? { result: 'refused' }
        : { result: 'accepted', note: 'the session goes on after the right logout token' }
    },
  },
  wrong('logout-alg-none', 'high', async (claims) => `${part({ alg: 'none', typ: 'logout+jwt' })}.${part(claims)}.`),
  wrong('logout-signature-of-another-key', 'high', (claims, bench) =>
    bench.sign(claims, { alg: 'RS256', typ: 'logout+jwt' }, bench.desk.material.stranger()),
  ),
  changed('logout-iss-wrong', 'medium', (claims) => ({ ...claims, iss: 'https://other.probe.example' })),
  changed('logout-aud-wrong', 'medium', (claims) => ({ ...claims, aud: 'another-app' })),
  changed('logout-events-missing', 'medium', (claims) => without(claims, 'events')),
  changed('logout-nonce-present', 'medium', (claims) => ({ ...claims, nonce: randomId() })),
  changed('logout-expired', 'medium', (claims) => {
    const now = claims['iat'] as number
    return { ...claims, iat: now - LONG_AGO - 120, exp: now - LONG_AGO }
  }),
  changed('logout-nobody-named', 'medium', (claims) => without(claims, 'sub', 'sid')),
  changed('logout-other-session', 'medium', (claims) => ({ ...without(claims, 'sub'), sid: randomId() })),
  changed('logout-other-person', 'medium', (claims) => ({ ...claims, sub: BORIS.id, sid: randomId() })),
]
