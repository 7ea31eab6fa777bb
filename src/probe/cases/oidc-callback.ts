/** What comes back through the browser, and what was sent with it: state, `iss`, PKCE, the code itself. */
import { randomId } from '#core/random'
import type { ProbeCase, Seeing, Trial } from '../kind.ts'
import { trialOf } from '../kind.ts'
import { type AuthRequest, type OidcBench, signInRight } from '../kinds/oidc.ts'

type Row = ProbeCase<OidcBench>

/** The right answer, with other fields: is somebody in? */
async function answeredWith(
  bench: OidcBench,
  see: Seeing,
  change: (fields: Readonly<Record<string, string>>, request: AuthRequest) => Readonly<Record<string, string>>,
): Promise<Trial> {
  const browser = bench.desk.browser()
  const request = await bench.begin(browser)
  const attempt = bench.prepare(request)
  await bench.deliver(browser, request, change(bench.rightFields(request, attempt), request))
  return trialOf((await see(browser)).who)
}

const without = (fields: Readonly<Record<string, string>>, name: string) =>
  Object.fromEntries(Object.entries(fields).filter(([key]) => key !== name))

export const callbackCases: readonly Row[] = [
  {
    code: 'state-wrong',
    section: 'RFC 6749 §10.12',
    severity: 'high',
    run: (bench, see) => answeredWith(bench, see, (fields) => ({ ...fields, state: randomId(32) })),
  },
  {
    code: 'state-missing',
    section: 'RFC 6749 §10.12',
    severity: 'high',
    run: (bench, see) => answeredWith(bench, see, (fields) => without(fields, 'state')),
  },
  {
    // ATTACK: whoever begins a sign-in and leaves its end to another browser puts that one into their own account
    code: 'state-of-another-browser',
    section: 'RFC 9700 §4.7.1',
    severity: 'high',
    async run(bench, see) {
      const request = await bench.begin(bench.desk.browser())
      const attempt = bench.prepare(request)
      const another = bench.desk.browser()
      await bench.deliver(another, request, bench.rightFields(request, attempt))
      return trialOf((await see(another)).who)
    },
  },
  {
    code: 'response-iss-wrong',
    section: 'RFC 9207 §2.4',
    severity: 'low',
    run: (bench, see) => answeredWith(bench, see, (fields) => ({ ...fields, iss: 'https://other.probe.example' })),
  },
  {
    code: 'callback-replayed',
    section: 'RFC 9700 §4.7.1, RFC 6749 §10.5',
    severity: 'medium',
    async run(bench) {
      const { browser, request, attempt } = await signInRight(bench)
      const before = attempt.redeemed
      await bench.deliver(browser, request, bench.rightFields(request, attempt))
      return attempt.redeemed > before
        ? { result: 'accepted', note: 'the same answer was taken twice: its code was sent again' }
        : { result: 'refused' }
    },
  },
  {
    code: 'pkce-missing',
    section: 'RFC 9700 §2.1.1',
    severity: 'medium',
    async run(bench) {
      const { request, attempt } = await signInRight(bench)
      if (request.challenge === undefined) return { result: 'accepted', note: 'no code_challenge was sent' }
      if (request.challengeMethod !== 'S256')
        return { result: 'accepted', note: 'the code_challenge is sent as plain text' }
      if (attempt.verifier === 'right') return { result: 'refused' }
      return { result: 'accepted', note: `the code_verifier is ${attempt.verifier}` }
    },
  },
  {
    code: 'code-unbound',
    section: 'RFC 9700 §4.5.3',
    severity: 'high',
    async run(bench) {
      const { request } = await signInRight(bench)
      return request.challenge === undefined && request.nonce === undefined
        ? {
            result: 'accepted',
            note: 'neither nonce nor code_challenge: a stolen code can be put into another browser',
          }
        : { result: 'refused' }
    },
  },
]
