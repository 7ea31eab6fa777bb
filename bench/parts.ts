/** Everything that `npm run bench` measures, by the name for `--scenarios`, in the order in which it is done. */
import { apisFound } from './apis/apis.ts'
import { APPS, appsLayer } from './apps/apps.ts'
import { DIRECTORIES, directoryLayer } from './directories/directories.ts'
import { elsewhere } from './elsewhere/elsewhere.ts'
import { filled } from './filled/filled.ts'
import { API_SCENARIOS } from './load/api-scenarios.ts'
import { SCENARIOS } from './load/scenarios.ts'
import type { Options } from './policy/options.ts'
import { POLICY, policyLayer } from './policy/policy.ts'
import { queue } from './queue/queue.ts'
import { flowsFound } from './report.ts'
import { revocation } from './revocation/revocation.ts'
import { saml } from './saml.ts'
import { sessions } from './sessions/sessions.ts'
import { startFound } from './start-up.ts'
import { dayFound } from './store-day-found.ts'
import { passkey } from './storm/passkey.ts'
import { stormFound } from './storm/storm.ts'
import { throughput } from './throughput.ts'
import { type Found, measuredFound } from './verdict.ts'

export const FLOWS: readonly string[] = Object.freeze(Object.keys(SCENARIOS))
export const APIS: readonly string[] = Object.freeze(Object.keys(API_SCENARIOS))

/** Words for `--scenarios` that stand for several. */
const GROUPS: Readonly<Record<string, readonly string[]>> = {
  flows: FLOWS,
  apis: APIS,
  policy: POLICY.map((name) => `policy.${name}`),
  directories: DIRECTORIES.map((name) => `directories.${name}`),
  apps: APPS.map((name) => `apps.${name}`),
}

/**
 * What `--quick` measures where nothing was asked for, in under four minutes on a quiet machine. Left out is what takes long, has no row
 * in the table of targets or says nothing of a small world.
 */
const QUICK: readonly string[] = [
  ...FLOWS,
  ...['api_jwt', 'api_introspection', 'api_authz', 'api_many'],
  ...['passkey', 'queue', 'elsewhere', 'sessions', 'saml', 'start', 'storm', 'day'],
  ...[
    'policy.deciding',
    'policy.share',
    'directories.trips',
    'directories.importing',
    'apps.applying',
    'apps.searching',
  ],
]

export interface PartOptions extends Options {
  readonly alg: string
  /** Names that were asked for. */
  readonly scenarios: readonly string[]
}

export interface Part {
  readonly title: string
  run(options: PartOptions): Promise<Found>
}

const part = (title: string, run: Part['run']): Part => ({ title, run })

/** Those of a group that were asked for, by their own names. */
const asked = (group: string, { scenarios }: PartOptions): string[] =>
  GROUPS[group]!.filter((name) => scenarios.includes(name)).map((name) => name.slice(name.indexOf('.') + 1))

export const PARTS: Readonly<Record<string, Part>> = Object.freeze({
  flows: part('flows', async (options) => {
    const [warmup, seconds] = options.quick ? [1, 1.5] : [3, 12]
    return flowsFound(await throughput({ ...options, scenarios: asked('flows', options), warmup, seconds }))
  }),
  apis: part('programs and partners', async (options) => apisFound(options, asked('apis', options))),
  passkey: part('sign-in with a passkey', passkey),
  queue: part('silent sign-ons while the hash queue is full', queue),
  elsewhere: part('PostgreSQL and Redis', elsewhere),
  sessions: part('a living session', sessions),
  saml: part('SAML', saml),
  start: part('start and memory', startFound),
  filled: part('after months', filled),
  storm: part('the beginning of a shift', stormFound),
  policy: part('the policy layer', async (options) =>
    measuredFound(await policyLayer(options, asked('policy', options))),
  ),
  directories: part('directories', async (options) =>
    measuredFound(await directoryLayer(options, asked('directories', options))),
  ),
  apps: part('apps', async (options) => measuredFound(await appsLayer(options, asked('apps', options)))),
  day: part('a store day', dayFound),
  revocation: part('how soon a revocation is felt', revocation),
})

const ALL: readonly string[] = Object.keys(PARTS).flatMap((name) => GROUPS[name] ?? [name])

/** Every word that `--scenarios` takes. */
export const WORDS: readonly string[] = Object.freeze([...new Set([...Object.keys(PARTS), ...ALL])])

export interface Chosen {
  readonly parts: readonly string[]
  readonly scenarios: readonly string[]
  /** What nobody knows. */
  readonly unknown: readonly string[]
  /** Of everything, where nothing was asked for. */
  readonly leftOut: readonly string[]
}

/** What was asked for, by parts; without `words` everything, or what `--quick` has time for. */
export function chosen(words: readonly string[] | undefined, quick = false): Chosen {
  const scenarios = (words ?? (quick ? QUICK : ALL)).flatMap((word) => GROUPS[word] ?? [word])
  return {
    parts: Object.keys(PARTS).filter((name) => (GROUPS[name] ?? [name]).some((one) => scenarios.includes(one))),
    scenarios,
    unknown: (words ?? []).filter((word) => !WORDS.includes(word)),
    leftOut: words ? [] : ALL.filter((name) => !scenarios.includes(name)),
  }
}
