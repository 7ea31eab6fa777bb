/** Around the proxy, and through it with what only the proxy may say. */
import type { ProbeCase, Seeing, Trial } from '../kind.ts'
import { trialOf } from '../kind.ts'
import { type ForwardBench, JWT_HEADER, throughTrial } from '../kinds/forward-auth.ts'
import { decoded } from '../markup.ts'
import { ALMA, BORIS, isShown } from '../person.ts'
import type { Severity } from '../report.ts'

type Row = ProbeCase<ForwardBench>
type Claims = Readonly<Record<string, unknown>>
const HERE = 'docs/forward-auth.md'
const pem = ({ key: { publicKey } }: ForwardBench) => publicKey.export({ type: 'spki', format: 'pem' }) as string
const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** Everything right but the token. */
const token = (
  code: string,
  section: string,
  severity: Severity,
  make: (claims: Claims, bench: ForwardBench) => Promise<string>,
): Row => ({
  code,
  section,
  severity,
  async run(bench, see) {
    const jwt = await make(bench.rightClaims(), bench)
    const { who } = await see(bench.desk.browser({ ...bench.plainHeaders(ALMA), [JWT_HEADER]: jwt }))
    return named(trialOf(who), bench, see)
  },
})

/** Whoever does not look at the token at all is named once. */
const named = async (trial: Trial, bench: ForwardBench, see: Seeing): Promise<Trial> =>
  trial.result === 'accepted' && (await bench.believesHeaders(see))
    ? { result: 'not-applicable', note: 'no token is asked for: see `headers-believed`' }
    : trial

export const aroundCases: readonly Row[] = [
  {
    code: 'open-around',
    section: HERE,
    severity: 'medium',
    async run({ desk }, see) {
      const stop = await desk.browser().open(desk.target)
      const nobody = (await see(desk.browser())).who === 'nobody'
      const served = stop.end === 'page' && stop.status < 300 && stop.url.pathname === desk.target.pathname
      return served && nobody
        ? { result: 'accepted', note: 'around the proxy the page is there for nobody' }
        : { result: 'refused' }
    },
  },
  {
    code: 'headers-believed',
    section: HERE,
    severity: 'high',
    run: async (bench, see) =>
      (await bench.believesHeaders(see))
        ? { result: 'accepted', note: 'reached around the proxy, the app believes who is said to be there' }
        : { result: 'refused' },
  },
  token('jwt-alg-none', 'RFC 8725 §3.1', 'high', async (claims) =>
    [part({ alg: 'none', typ: 'portico-forward-auth+jwt' }), part(claims), ''].join('.'),
  ),
  token('jwt-of-another-key', 'RFC 7515 §5.2', 'high', (claims, bench) =>
    bench.sign(claims, {}, bench.desk.material.stranger()),
  ),
  token('jwt-key-confusion', 'RFC 8725 §2.1', 'high', (claims, bench) =>
    bench.sign(claims, { alg: 'HS256' }, Buffer.from(pem(bench))),
  ),
  token('jwt-key-confusion-trimmed', 'RFC 8725 §2.1', 'high', (claims, bench) =>
    bench.sign(claims, { alg: 'HS256' }, Buffer.from(pem(bench).trim())),
  ),
  token('jwt-expired', 'RFC 7519 §4.1.4', 'high', (claims, bench) => {
    const now = claims['iat'] as number
    return bench.sign({ ...claims, iat: now - 7200, exp: now - 3600 })
  }),
  token('jwt-iss-wrong', 'RFC 8725 §3.8', 'high', (claims, bench) =>
    bench.sign({ ...claims, iss: 'https://other.probe.example' }),
  ),
  token('jwt-aud-wrong', 'RFC 8725 §3.9', 'high', (claims, bench) =>
    bench.sign({ ...claims, aud: 'https://another-app.probe.example' }),
  ),
  // ATTACK: any other token that the same keys have signed
  token('jwt-typ-wrong', 'RFC 8725 §3.11', 'medium', (claims, bench) => bench.sign(claims, { typ: 'JWT' })),
  {
    code: 'jwt-of-another-person',
    section: HERE,
    severity: 'high',
    async run(bench, see) {
      const jwt = await bench.sign(bench.rightClaims())
      const { who } = await see(bench.desk.browser({ ...bench.plainHeaders(BORIS), [JWT_HEADER]: jwt }))
      if (who === 'somebody') return { result: 'inconclusive', note: 'the check does not show who is in' }
      return named({ result: who === 'boris' ? 'accepted' : 'refused' }, bench, see)
    },
  },
]

/** Need no sign-in that was right: nobody has signed in. */
export const throughCases: readonly Row[] = [
  {
    code: 'through-open',
    section: HERE,
    severity: 'high',
    run: (bench) => throughTrial(bench, {}, () => ({ result: 'accepted', note: 'the proxy asks nobody to sign in' })),
  },
  ...[
    ['through-headers-believed', (name: string) => name] as const,
    // ATTACK: servers of apps read `Remote_User` and `Remote-User` as the same
    ['through-twins-believed', (name: string) => name.replaceAll('-', '_')] as const,
  ].map(
    ([code, spelled]): Row => ({
      code,
      section: HERE,
      severity: 'high',
      run: (bench) => {
        const foreign = Object.entries(bench.plainHeaders(ALMA)).map(([name, value]) => [spelled(name), value])
        return throughTrial(bench, Object.fromEntries(foreign), ({ text }) =>
          isShown(decoded(text), ALMA)
            ? { result: 'accepted', note: 'the proxy passes on what a client says about who they are' }
            : { result: 'inconclusive', note: 'a page came that does not show who is in' },
        )
      },
    }),
  ),
]
