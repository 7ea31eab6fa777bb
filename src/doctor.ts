/** `portico doctor`: looks at everything around this installation that can be wrong, and says of each what to do. */
import type { Context, House, Verb } from '#cli'
import { Refusal } from '#core/refusal'
import { migrationStatus } from '#storage'
import { checkClocks, checkDirectories, checkState, checkStorage } from './doctor-house.ts'
import { checkIssuer } from './doctor-issuer.ts'
import { checkDisk, checkMasterKey, checkProxies, type Finding } from './doctor-machine.ts'
import { lookThrough } from './doctor-proxies.ts'
import { MIGRATIONS } from './house.ts'
import { inFolder, missingFile } from './missing.ts'

export const doctorVerbs: readonly Verb[] = [
  {
    words: ['doctor'],
    usage: 'doctor',
    summary:
      'look at issuer, TLS, clocks, proxies, storage, state, master key and directories, and say what to do about what is wrong; changes nothing',
    run: (_args, context) => examine(context),
  },
]

const MARK = { ok: 'ok     ', warning: 'WARNING', failed: 'FAILED ' } as const

async function examine(context: Context): Promise<number> {
  const { settings, folder, clock, print } = context
  const findings: Finding[] = []
  const machine = { settings, folder, clock }
  findings.push(...(await checkIssuer(machine)))
  const ours = findings.some(({ check, state }) => check === 'issuer' && state === 'ok')
  findings.push(checkMasterKey(machine))
  findings.push(...checkDisk(machine))
  const house = await opened(context, findings)
  // the settings alone tell little: what the server sees tells whether they fit
  findings.push(...(house && ours ? await lookThrough(house, machine) : [checkProxies(machine)]))
  if (house) {
    findings.push(
      await checkStorage(house),
      ...(await checkState(house)),
      ...(await checkClocks(house, settings, clock)),
    )
    findings.push(...(await checkDirectories(house, settings)))
  }
  const failed = findings.some(({ state }) => state === 'failed')
  print({ ok: !failed, checks: findings }, () => [
    ...findings.flatMap(({ check, state, say, fix }) => [
      `${MARK[state]} ${check.padEnd(12)} ${say}`,
      ...(fix === undefined ? [] : [`        to do: ${fix}`]),
    ]),
    failed ? 'failed' : 'ok',
  ])
  return failed ? 1 : 0
}

/** INVARIANT: nothing is made and nothing is migrated by looking. */
async function opened(context: Context, findings: Finding[]): Promise<House | undefined> {
  const check = 'schema'
  try {
    const missing = missingFile(context)
    if (missing !== undefined) {
      findings.push({
        check,
        state: 'failed',
        say: `there is no ${missing}`,
        fix: 'start the gateway once, or restore a backup',
      })
      return undefined
    }
    const status = await migrationStatus(inFolder(context.settings.storage.url, context.folder), MIGRATIONS)
    const newer = status.filter(({ known }) => !known)
    const pending = status.filter(({ applied }) => !applied)
    if (newer.length > 0)
      findings.push({
        ...{ check, state: 'failed', say: `the database is of a newer version (${newer[0]!.name})` },
        fix: 'run that version, or restore a backup',
      })
    else if (pending.length > 0)
      findings.push({
        ...{ check, state: 'failed', say: `${pending.length} migrations are missing, so nothing in it was looked at` },
        fix: '`portico migrate --dry-run`, then start the gateway or `portico migrate`',
      })
    else findings.push({ check, state: 'ok', say: `all ${status.length} migrations are applied` })
    return newer.length + pending.length > 0 ? undefined : await context.open()
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    findings.push({
      ...{ check: 'storage', state: 'failed', say: error.detail ?? error.say },
      fix: 'see `storage.url`, `state.url`, `secrets` and `directories` in the settings, and docs/operations.md',
    })
    return undefined
  }
}
