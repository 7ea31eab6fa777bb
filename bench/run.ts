/**
 * `npm run bench`: Portico beside the bare engine in one run, as ratios; the policy layer; start and memory; the store day. Writes only
 * below the system's temporary folder. Exit code 1 when a target is missed.
 *
 *     --quick                 shorter turns: for a look, not for a claim
 *     --scenarios sso,login   only these flows
 *     --scenarios saml        nothing but SAML sign-ons, beside what their key alone would take
 *     --scenarios forward_auth  nothing but the questions of proxies
 *     --scenarios directories nothing but the directories: sign-in, sync, import
 *     --scenarios apps        nothing but the apps: apply, search, what a thousand of them cost
 *     --scenarios revocation  nothing but how soon a revocation is felt, for each kind of token and each way
 *     --scenarios apis        nothing but programs and partners: tokens for APIs, and the questions about them
 *     --alg RS256             what signs id tokens on both servers; ES256 unless given, which is harder on us
 *     --json                  one JSON object instead of tables
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { apisAlone, apisLayer } from './apis/apis.ts'
import { appsAlone, appsLayer } from './apps/apps.ts'
import { directoriesAlone, directoryLayer } from './directories/directories.ts'
import { forwardAuthAlone } from './forward-auth.ts'
import { SCENARIOS } from './load/scenarios.ts'
import { policyLayer } from './policy/policy.ts'
import { isPinned } from './processes.ts'
import { type Report, rows, verdicts } from './report.ts'
import { revocationAlone } from './revocation/revocation.ts'
import { samlAlone } from './saml.ts'
import { startUp } from './start-up.ts'
import { storeDay } from './store-day.ts'
import { throughput } from './throughput.ts'

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    scenarios: { type: 'string', default: Object.keys(SCENARIOS).join(',') },
    alg: { type: 'string', default: 'ES256' },
  },
})
if (values.scenarios === 'forward_auth') process.exit(await forwardAuthAlone(values.quick, values.json))
if (values.scenarios === 'saml') process.exit(await samlAlone(values.quick, values.json))
// alone, for they take a minute and nothing of the others
if (values.scenarios === 'directories') process.exit(await directoriesAlone(values.quick, values.json))
if (values.scenarios === 'revocation') process.exit(await revocationAlone(values.quick, values.json))
if (values.scenarios === 'apis') process.exit(await apisAlone(values.quick, values.json))
if (values.scenarios === 'apps') process.exit(await appsAlone(values.quick, values.json))
const scenarios = values.scenarios.split(',').filter(Boolean)
const unknown = scenarios.filter((name) => !Object.hasOwn(SCENARIOS, name))
if (unknown.length > 0 || !['ES256', 'RS256', 'EdDSA'].includes(values.alg)) {
  console.error(
    `scenarios: ${Object.keys(SCENARIOS).join(', ')}, or saml, directories, apps, apis or revocation alone; alg: ES256, RS256, EdDSA`,
  )
  process.exit(2)
}

const say = (line: string) => console.error(`… ${line}`)
const folder = mkdtempSync(join(tmpdir(), 'portico-bench-'))
let report: Report
try {
  say('a store day')
  const day = await storeDay()
  const [warmup, seconds] = values.quick ? [1, 4] : [3, 12]
  const flows = await throughput({ folder, scenarios, alg: values.alg, warmup, seconds, say })
  const compared = [
    ...flows,
    ...(await apisLayer({ folder: mkdtempSync(join(folder, 'apis-')), quick: values.quick, say })),
  ]
  const silentSignOns = compared.find(({ scenario }) => scenario === 'sso')?.portico.perCpuSecond
  const policy = await policyLayer({ folder, quick: values.quick, silentSignOns, say })
  const directories = await directoryLayer({ folder, quick: values.quick, say })
  const apps = await appsLayer({ folder, quick: values.quick, say })
  say('start and memory')
  const started = await startUp(folder)
  report = {
    machine: { cores: availableParallelism(), pinned: isPinned(), node: process.version },
    alg: values.alg,
    compared,
    started,
    policy,
    directories,
    apps,
    day,
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}

const found = verdicts(report)
if (values.json) console.log(JSON.stringify({ ...report, verdicts: found }))
else for (const row of rows(report, found)) console.log(row)
process.exit(found.every(({ met }) => met) ? 0 : 1)
