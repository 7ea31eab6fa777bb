/**
 * What is wanted, in one place: the rows of the table at the end of `npm run bench`, and what each flow must reach beside the engine
 * with our durability. Whoever measures tells figures by these names; nobody else compares one with anything.
 */

export interface Target {
  /** By which a scenario tells its figure. */
  readonly figure: string
  readonly what: string
  /** `npm run bench -- --scenarios` with this name measures it. */
  readonly scenario: string
  readonly unit: string
  readonly side: 'at least' | 'at most'
  /** Absent where only the other is told. */
  readonly must?: number
  readonly reach?: number
  readonly digits: number
  /** Of a row that no scenario of ours measures. */
  readonly never?: string
}

const ratio = (
  figure: string,
  what: string,
  scenario: string,
  unit: string,
  must?: number,
  reach?: number,
  more: Partial<Target> = {},
): Target => ({
  ...{ figure, what, scenario, unit, digits: 2, side: 'at least' },
  ...(must === undefined ? {} : { must }),
  ...(reach === undefined ? {} : { reach }),
  ...more,
})

const most = (...[figure, what, scenario, unit, must, reach, more]: Parameters<typeof ratio>): Target =>
  ratio(figure, what, scenario, unit, must, reach, { side: 'at most', ...more })

const BARE = '× bare'
/** "Bare" is the engine alone with maps for a store: nothing of it survives. Ratios are of operations per second of CPU. */
export const TARGETS: readonly Target[] = Object.freeze([
  ratio('sso', 'silent sign-on with policy and receipt, on the disk', 'sso', BARE, 0.7, 2),
  ratio('sso-peers', 'the same beside every peer', 'sso', '× the best', 5, undefined, {
    never: 'no peer is on this machine; bench/README.md says how to load one',
  }),
  ratio('client_credentials', 'client credentials, opaque, durable', 'client_credentials', BARE, 0.6, 1),
  ratio('refresh', 'refresh with rotation, durable', 'refresh', BARE, 0.6, 1),
  ratio('introspection', 'introspection with revocation checked', 'introspection', BARE, 0.9, 2),
  ratio('discovery', 'discovery', 'discovery', BARE, 2, 3.5),
  most('discovery-p99', 'discovery, p99', 'discovery', 'ms', 2, undefined, { digits: 1 }),
  ratio('jwks', 'JWKS', 'jwks', BARE, 2, 3.5),
  most('jwks-p99', 'JWKS, p99', 'jwks', 'ms', 2, undefined, { digits: 1 }),
  ratio('login', 'password sign-in', 'login', '× the hash alone', 0.75, 0.8),
  most('queue', 'silent sign-on while the hash queue is full, p99', 'queue', '× unloaded', 3, 2),
  ratio('api_many', '10,000 clients in the store', 'api_many', '× one client', 0.9),
  ratio('elsewhere', 'PostgreSQL and Redis, one process', 'elsewhere', '× embedded', 0.5, 0.7),
  ratio('elsewhere-two', 'the same, two processes', 'elsewhere', '× one', 1.7, 1.8),
  most('start', 'start to ready with 1,000 apps and 100,000 people', 'start', 'ms', 1500, 400, {
    digits: 0,
  }),
  most('idle', 'idle memory with them, without geo data', 'start', 'MB', 200, undefined, {
    digits: 0,
  }),
  most('idle-geo', 'idle memory with them, with geo data', 'start', 'MB', undefined, 160, {
    digits: 0,
  }),
  most('session-disk', 'live session, on disk', 'sessions', 'KB', 3),
  most('session-memory', 'live session, in memory', 'sessions', 'KB', 0.3),
  most(
    'filled',
    'the slowest flow with 200,000 people, 1,000 apps, 1 M sessions, 10 M receipts',
    'filled',
    '× the time with none',
    1.2,
  ),
])

/** Beside the engine with our durability, or what `YARDSTICKS` says: at least so much; the other flows are for information. */
export const BESIDE_DURABLE: Readonly<Record<string, number>> = Object.freeze({
  sso: 0.8,
  client_credentials: 0.8,
  forward_auth: 0.5,
  api_opaque: 0.8,
  api_jwt: 0.9,
  api_assertion: 0.9,
  api_dpop: 0.9,
  api_introspection: 0.8,
})

/** Password sign-ins beside the engine with Node's own argon2. */
export const BESIDE_NODES_ARGON2 = 2

/** Operations per second of server CPU. */
export const AT_LEAST: Readonly<Record<string, number>> = Object.freeze({
  forward_auth: 8_000,
  api_authz: 6_000,
  saml: 400,
})

/** Flows that are loaded once more at half of `AT_LEAST`; 99 % are to be answered within so many milliseconds. */
export const AT_HALF: Readonly<Record<string, number>> = Object.freeze({ forward_auth: 5 })

/** A server with nothing in it: from the command to its first answer, and its memory when idle. */
export const LONGEST_START_MS = 1500
export const MOST_IDLE_MB = 200

/** Of the beginning of a shift, p99 of silent sign-ons in milliseconds. */
export const LONGEST_IN_A_STORM = 250
