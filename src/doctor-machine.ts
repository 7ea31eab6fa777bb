/** What `portico doctor` sees of this machine and the settings alone. */
import { existsSync, statfsSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { Settings } from '#config'
import type { Clock } from '#core/clock'
import { inFolder } from './missing.ts'

export interface Finding {
  readonly check: string
  readonly state: 'ok' | 'warning' | 'failed'
  readonly say: string
  /** What an operator can do about it. */
  readonly fix?: string
}

export interface Machine {
  readonly settings: Settings
  readonly folder: string
  readonly clock: Clock
}

const OTHERS = 0o077

export function checkMasterKey({ settings, folder }: Machine): Finding {
  const check = 'master key'
  if (settings.secrets.key !== undefined) return { check, state: 'ok', say: 'it is given by the settings' }
  const file = resolve(folder, settings.secrets.key_file)
  if (!existsSync(file))
    return { check, state: 'failed', say: `there is no \`${file}\``, fix: 'put it back from where you keep its copy' }
  const mode = statSync(file).mode & 0o777
  if ((mode & OTHERS) !== 0)
    return {
      ...{ check, state: 'failed', say: `\`${file}\` can be used by others (mode ${mode.toString(8)})` },
      fix: `chmod 600 ${file}; whoever could read it may have it: \`portico keys rewrap\``,
    }
  return { check, state: 'ok', say: `for its owner alone (mode ${mode.toString(8)})` }
}

export function checkProxies({ settings: { issuer, listen, proxies } }: Machine): Finding {
  const check = 'proxies'
  if (proxies.length > 0) return { check, state: 'ok', say: `believed from ${proxies.join(', ')}` }
  if (issuer.startsWith('https:'))
    return {
      ...{
        check,
        state: 'warning',
        say: `something does TLS in front of ${listen}, and its X-Forwarded-For is not believed`,
      },
      fix: 'name its address in `proxies`: until then everybody seems to come from there',
    }
  return { check, state: 'ok', say: 'none, and X-Forwarded-* is believed from nobody' }
}

const MEGABYTE = 1_000_000
const LITTLE = 1000 * MEGABYTE
const TOO_LITTLE = 100 * MEGABYTE

/** Of the embedded database; what a server has, only it knows. */
export function checkDisk({ settings, folder }: Machine): Finding[] {
  const url = inFolder(settings.storage.url, folder)
  const file = url.replace(/^sqlite:/, '')
  if (file === url || file === ':memory:' || !existsSync(dirname(file))) return []
  const { bavail, bsize } = statfsSync(dirname(file))
  const free = bavail * bsize
  const say = `${Math.floor(free / MEGABYTE)} MB free in \`${dirname(file)}\``
  const fix = 'make room: with a full disk nothing is answered any more'
  if (free < TOO_LITTLE) return [{ check: 'disk', state: 'failed', say, fix }]
  return [free < LITTLE ? { check: 'disk', state: 'warning', say, fix } : { check: 'disk', state: 'ok', say }]
}
