import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** So that at the end nobody waits for one file. */
const LONGEST = [
  '/test/browser/languages-and-looks.test.ts',
  '/test/pages/accessibility.test.ts',
  '/test/browser/',
  '/test/directory/',
  '/test/flow/',
]

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const found = LONGEST.findIndex((part) => moduleId.includes(part))
      return found < 0 ? LONGEST.length : found
    }
    return [...(await super.sort(files))].sort((a, b) => rank(a) - rank(b))
  }
}

const EVERYTHING = ['test/**/*.test.ts']
/**
 * What every run does with records in PostgreSQL and state in Redis as well: all of what a gateway does for people and programs,
 * and of the rest what asks storage hardest.
 */
const ELSEWHERE = [
  'test/contracts/**/*.test.ts',
  'test/flow/**/*.test.ts',
  'test/abuse/**/*.test.ts',
  'test/browser/**/*.test.ts',
  'test/api-access/**/*.test.ts',
  'test/access/publish.test.ts',
  'test/audit/seals.test.ts',
  'test/storage/migrate.test.ts',
  'test/doctor/doctor.test.ts',
  'test/metrics/counts.test.ts',
  'test/sessions/*.test.ts',
  'test/directory/people.test.ts',
  'test/directory/search.test.ts',
  'test/forward-auth/opening.test.ts',
  'test/faults/clock-steps.test.ts',
  'test/faults/redis-gateway.test.ts',
  'test/faults/refresh-unconfirmed.test.ts',
  'test/faults/sessions-full.test.ts',
  'test/faults/sign-outs.test.ts',
  'test/faults/two-versions.test.ts',
  'test/processes/leader.test.ts',
  'test/processes/two.test.ts',
]
/** It has a PostgreSQL and a Redis of its own, whatever the run is on. */
const ELSEWHERE_BY_ITSELF = ['test/abuse/copies.test.ts']
/** Their subject are both ways. */
const BOTH_WAYS = ['test/flow/short-*.test.ts']
const onPostgres = { globalSetup: ['test/support/storage-setup.ts'] }
const onRedis = { provide: { stateOn: 'redis' as const } }
const withoutShortWays = () => asked('PORTICO_TEST_SHORT_WAYS') === 'off'
interface Where {
  readonly provide?: object
  readonly exclude?: readonly string[]
  readonly globalSetup?: string[]
}
const project = (name: string, include: readonly string[], { provide = {}, exclude = [], ...where }: Where) => ({
  extends: true as const,
  test: {
    ...{ name, include: [...include], ...where },
    exclude: [...exclude, ...(withoutShortWays() ? BOTH_WAYS : [])],
    provide: withoutShortWays() ? { ...provide, shortWays: 'off' as const } : { ...provide },
  },
})

/** Taken out of the environment: the gateways of tests inherit it, and refuse settings that they do not know. */
function asked(variable: string): string | undefined {
  const [own, given] = [`ASKED_${variable}`, process.env[variable]]
  delete process.env[variable]
  if (given !== undefined) process.env[own] = given
  return process.env[own]
}

/**
 * `PORTICO_TEST_STORAGE=postgres PORTICO_TEST_STATE=redis`: as a large installation has it. `PORTICO_TEST_SHORT_WAYS=off`: as if
 * there were none (`docs/decisions/0006-short-ways.md`).
 */
function projects() {
  const [postgres, redis] = [
    asked('PORTICO_TEST_STORAGE') === 'postgres',
    asked('PORTICO_TEST_STATE') === 'redis',
  ]
  if (postgres || redis)
    return [project('everything', EVERYTHING, { ...(postgres ? onPostgres : {}), ...(redis ? onRedis : {}) })]
  return [project('sqlite', EVERYTHING, {}), project('elsewhere', ELSEWHERE, { ...onPostgres, ...onRedis, exclude: ELSEWHERE_BY_ITSELF })]
}

export default defineConfig({
  test: {
    projects: projects(),
    // no test is about time; a busy machine must not make one fail
    testTimeout: 120_000,
    hookTimeout: 240_000,
    expect: { poll: { timeout: 60_000 } },
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
  },
})
