/** What has to be there already; looked up before any room is loaded, let alone opened. */
import { existsSync } from 'node:fs'
import { isAbsolute, resolve } from 'node:path'
import type { Settings } from '#config'

/** What `openHouse` would make anew, and what to do about it; undefined where it finds everything. */
export function missingFile({
  settings,
  folder,
}: {
  readonly settings: Settings
  readonly folder: string
}): string | undefined {
  const url = inFolder(settings.storage.url, folder)
  const database = url.replace(/^sqlite:/, '')
  // whether one of a server is there, only the server knows
  if (database !== url && database !== ':memory:' && !existsSync(database))
    return `database at \`${database}\`; start the gateway with \`portico serve\`, or name another settings file with --config`
  const key = resolve(folder, settings.secrets.key_file)
  return settings.secrets.key === undefined && !existsSync(key)
    ? `master key at \`${key}\`, without which the database does not open: put it back from where you keep it`
    : undefined
}

/** The address of the storage; a file name in it starts in the folder of the settings. */
export function inFolder(url: string, folder: string): string {
  if (!url.startsWith('sqlite:')) return url
  const path = url.replace(/^sqlite:/, '')
  return path === ':memory:' || isAbsolute(path) ? url : `sqlite:${resolve(folder, path)}`
}
