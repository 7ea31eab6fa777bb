/** The master key: 32 bytes that open everything sealed. Given by the settings, or made on the first start. */
import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { randomBytes, randomId } from '#core/random'
import { Refusal } from '#core/refusal'

const LENGTH = 32

export interface MasterKeySettings {
  /** 32 bytes as base64url; wins over the file. */
  readonly key?: string | undefined
  readonly key_file: string
}

/**
 * The key of `secrets.key`, or of `secrets.key_file` (relative to `folder`). Where the file is absent it is made, for its
 * owner only, unless `sealed` says that something was sealed with one already. Throws `Refusal('settings-invalid')` with a
 * sentence.
 */
export async function readMasterKey(
  secrets: MasterKeySettings,
  folder: string,
  sealed: () => Promise<boolean>,
): Promise<Buffer> {
  if (secrets.key !== undefined) return parse(secrets.key, 'secrets.key')
  const file = resolve(folder, secrets.key_file)
  try {
    const there = readIfThere(file)
    if (there !== undefined) return parse(there, `master key file \`${file}\``)
    // another key would open nothing, and look as if it were the right one; unless somebody made it just now, and used it
    if ((await sealed()) && readIfThere(file) === undefined)
      throw new Refusal(
        'settings-invalid',
        `master key file \`${file}\` is missing, and the database was made with it: put it back from where you keep it`,
      )
    makeFile(file)
    return parse(readFileSync(file, 'utf8'), `master key file \`${file}\``)
  } catch (error) {
    if (error instanceof Refusal) throw error
    throw unusable(file, error)
  }
}

/** The key of this file, which is made for its owner only where it is absent. Throws `Refusal('settings-invalid')`. */
export function makeMasterKey(file: string): Buffer {
  try {
    if (readIfThere(file) === undefined) makeFile(file)
    return parse(readFileSync(file, 'utf8'), `master key file \`${file}\``)
  } catch (error) {
    if (error instanceof Refusal) throw error
    throw unusable(file, error)
  }
}

/** `next` takes the place of `file`, at once and for good. Throws `Refusal('settings-invalid')`. */
export function replaceMasterKey(file: string, next: string): void {
  try {
    renameSync(next, file)
    syncFolder(dirname(file))
  } catch (error) {
    throw unusable(file, error)
  }
}

const unusable = (file: string, error: unknown): Refusal =>
  new Refusal(
    'settings-invalid',
    `master key file \`${file}\` can be neither read nor made (${(error as NodeJS.ErrnoException).code ?? 'unknown error'})`,
    { cause: error },
  )

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/**
 * INVARIANT: the file appears whole or not at all, and of two processes that start at once one makes it and both read
 * the same: the key is written and synced under another name, then linked, which fails where somebody was faster.
 */
function makeFile(file: string): void {
  const folder = dirname(file)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const draft = join(folder, `.${basename(file)}.${randomId(8)}`)
  const handle = openSync(draft, 'wx', 0o600)
  try {
    writeSync(handle, `${randomBytes(LENGTH).toString('base64url')}\n`)
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
  try {
    linkSync(draft, file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    rmSync(draft, { force: true })
  }
  syncFolder(folder)
}

/** A name, too, must survive a power cut: everything sealed from now on depends on it. */
function syncFolder(folder: string): void {
  const directory = openSync(folder, 'r')
  try {
    fsyncSync(directory)
  } finally {
    closeSync(directory)
  }
}

function parse(text: string, where: string): Buffer {
  const key = Buffer.from(text.trim(), 'base64url')
  if (key.length !== LENGTH || key.toString('base64url') !== text.trim()) {
    throw new Refusal('settings-invalid', `${where}: expected ${LENGTH} bytes as base64url`)
  }
  return key
}
