/** Every kind of probe there is, by the protocol that the app speaks. To add a case: a row in its file in `cases/`. */
import { callbackCases } from '../cases/oidc-callback.ts'
import { logoutCases } from '../cases/oidc-logout.ts'
import { tokenCases } from '../cases/oidc-token.ts'
import type { Kind } from '../kind.ts'
import type { ProbedProtocol } from '../report.ts'
import { type OidcBench, openOidc, signInRight } from './oidc.ts'

const oidc: Kind<OidcBench> = {
  protocol: 'oidc',
  open: openOidc,
  signIn: signInRight,
  cases: [...callbackCases, ...tokenCases, ...logoutCases],
}

// biome-ignore lint/suspicious/noExplicitAny: each kind has a bench of its own, and only gets its own back
export const KINDS: Readonly<Record<ProbedProtocol, Kind<any>>> = Object.freeze({
  oidc,
  saml: oidc,
  forward_auth: oidc,
})

export const PROBED_PROTOCOLS = Object.freeze(Object.keys(KINDS) as ProbedProtocol[])
