/** Every kind of probe there is, by the protocol that the app speaks. To add a case: a row in its file in `cases/`. */
import { aroundCases, throughCases } from '../cases/forward-auth.ts'
import { callbackCases } from '../cases/oidc-callback.ts'
import { logoutCases } from '../cases/oidc-logout.ts'
import { tokenCases } from '../cases/oidc-token.ts'
import { responseCases } from '../cases/saml-response.ts'
import { wrappingCases } from '../cases/saml-wrapping.ts'
import { caseReport, type Kind, type Seeing } from '../kind.ts'
import type { CaseReport, ProbedProtocol } from '../report.ts'
import { enterRight, type ForwardBench, openForwardAuth } from './forward-auth.ts'
import { type OidcBench, openOidc, signInRight } from './oidc.ts'
import { openSaml, type SamlBench, signOnRight } from './saml.ts'

const oidc: Kind<OidcBench> = {
  protocol: 'oidc',
  open: openOidc,
  signIn: signInRight,
  cases: [...callbackCases, ...tokenCases, ...logoutCases],
}

const saml: Kind<SamlBench> = {
  protocol: 'saml',
  open: openSaml,
  signIn: signOnRight,
  cases: [...responseCases, ...wrappingCases],
}

const forwardAuth: Kind<ForwardBench> = {
  protocol: 'forward_auth',
  open: openForwardAuth,
  signIn: enterRight,
  cases: [...aroundCases, ...throughCases],
  // nobody answers around the proxy: what there is to wish for, where the app is there through it
  async withoutSignIn(bench, { code }) {
    if (code !== 'target-unreachable' || !bench.desk.through) return []
    const seen: CaseReport[] = []
    for (const one of throughCases) seen.push(await caseReport(one, bench, nobodyThere))
    const closed = { code: 'reachable-around', section: 'docs/forward-auth.md', severity: 'medium' } as const
    return [{ ...closed, result: 'refused', note: 'nobody answers around the proxy' }, ...seen]
  },
}
const nobodyThere: Seeing = async () => ({ who: 'nobody', text: '' })

// biome-ignore lint/suspicious/noExplicitAny: each kind has a bench of its own, and only gets its own back
export const KINDS: Readonly<Record<ProbedProtocol, Kind<any>>> = Object.freeze({
  oidc,
  saml,
  forward_auth: forwardAuth,
})

export const PROBED_PROTOCOLS = Object.freeze(Object.keys(KINDS) as ProbedProtocol[])
