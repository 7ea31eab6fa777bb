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
/** What every run does on PostgreSQL as well; `PORTICO_TEST_STORAGE=postgres` does everything there. */
const ON_POSTGRES = [
  'test/flow/oidc.test.ts',
  'test/flow/federation.test.ts',
  'test/access/publish.test.ts',
  'test/sessions/sessions.test.ts',
  'test/directory/people.test.ts',
  'test/directory/search.test.ts',
]
const onPostgres = (include: readonly string[]) => ({
  extends: true as const,
  test: { name: 'postgres', include: [...include], globalSetup: ['test/support/storage-setup.ts'] },
})
/** What every run does with short-lived state in Redis as well; `PORTICO_TEST_STATE=redis` does everything there. */
const ON_REDIS = [
  'test/flow/oidc.test.ts',
  'test/flow/refresh.test.ts',
  'test/flow/sign-out.test.ts',
  'test/abuse/sessions.test.ts',
  'test/forward-auth/opening.test.ts',
]
const onRedis = (include: readonly string[]) => ({
  extends: true as const,
  test: { name: 'redis', include: [...include], provide: { stateOn: 'redis' as const } },
})

/** Taken out of the environment: the gateways of tests inherit it, and refuse settings that they do not know. */
function asked(variable: string): string | undefined {
  const [own, given] = [`ASKED_${variable}`, process.env[variable]]
  delete process.env[variable]
  if (given !== undefined) process.env[own] = given
  return process.env[own]
}

/** `PORTICO_TEST_STORAGE=postgres PORTICO_TEST_STATE=redis`: as a large installation has it. */
function projects() {
  const [postgres, redis] = [
    asked('PORTICO_TEST_STORAGE') === 'postgres',
    asked('PORTICO_TEST_STATE') === 'redis',
  ]
  if (postgres && redis) return [{ ...onPostgres(EVERYTHING), test: { ...onPostgres(EVERYTHING).test, ...onRedis(EVERYTHING).test } }]
  if (postgres) return [onPostgres(EVERYTHING)]
  if (redis) return [onRedis(EVERYTHING)]
  return [{ extends: true as const, test: { name: 'sqlite', include: EVERYTHING } }, onPostgres(ON_POSTGRES), onRedis(ON_REDIS)]
}

export default defineConfig({
  test: {
    projects: projects(),
    // no test is about time; a busy machine must not make one fail
    testTimeout: 120_000,
    hookTimeout: 240_000,
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
  },
})
