// @ts-check
/**
 * What Node makes of the sources (types stripped, compiled) is kept in `data/compile-cache`: a start is mostly compiling,
 * and a command that lists three people should not take longer for that than for the people. Without it everything works
 * as well; entries carry the hash of their source, so that an update finds none that is old.
 */
import { lstatSync, mkdirSync } from 'node:fs'
import { enableCompileCache } from 'node:module'
import { dirname, join } from 'node:path'

const DATA = join(import.meta.dirname, '../data')

export function keepCompiled(folder = join(DATA, 'compile-cache')) {
  try {
    // `data` also holds the master key: nobody else looks into it, whoever makes it
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    if (isOurs(folder) && isOurs(dirname(folder))) enableCompileCache(folder)
  } catch {
    // a file system that is read-only, a disk that is full
  }
}

/**
 * ATTACK: compiled code is run unseen: what another user could have put there must not run, as root least of all.
 * @param {string} folder
 */
function isOurs(folder) {
  const found = lstatSync(folder)
  return found.isDirectory() && found.uid === process.getuid?.() && (found.mode & 0o022) === 0
}
