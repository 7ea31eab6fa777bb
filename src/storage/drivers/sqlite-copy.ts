/** Copies of the file, made while servers write, and put back in its place. */
import { closeSync, existsSync, fsyncSync, linkSync, mkdirSync, openSync, renameSync, rmSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Millis } from '#core/clock'
import { randomId } from '#core/random'
import { Refusal } from '#core/refusal'
import { isBusy, whyUnavailable } from './sqlite-errors.ts'
import { peekFile } from './sqlite-file.ts'

/** Reading waits only while another process recovers or removes the write-ahead log. */
const WAIT: Millis = 5000

const refuse = (why: string, cause?: unknown) => new Refusal('storage-unavailable', why, { cause })
const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? 'unknown error'

/** Writes to the disk what was written to the file, or the names in a folder. */
function sync(path: string): void {
  const handle = openSync(path, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}

/** Throws unless every page of the copy is in order. */
function check(file: string): void {
  const database = new DatabaseSync(file, { readOnly: true })
  try {
    const { integrity_check: found } = database.prepare('PRAGMA integrity_check(1)').get() as {
      integrity_check: string
    }
    if (found !== 'ok') throw refuse(`\`${file}\` is damaged`)
  } catch (error) {
    if (error instanceof Refusal) throw error
    throw refuse(`\`${file}\` is no database of Portico's (${whyUnavailable(error) ?? codeOf(error)})`, error)
  } finally {
    database.close()
  }
}

/**
 * INVARIANT: the copy is all that was committed at one moment, and it appears whole, checked and on the disk, or not at all. It
 * holds names and addresses: for its owner alone (0600). Nobody waits for it, for it only reads.
 */
export function copyFile(place: string, to: string): { readonly bytes: number } {
  if (existsSync(to)) throw refuse(`\`${to}\` is there already: a backup overwrites nothing`)
  // what cannot be read at all is told by this, in its own words
  const looked = peekFile(place)
  if (!looked) throw refuse(`there is no database at \`${place}\``)
  looked.close()
  const database = new DatabaseSync(place, { timeout: WAIT })
  const draft = `${to}.${randomId(6)}.part`
  try {
    closeSync(openSync(draft, 'wx', 0o600))
    // an empty file is filled, and keeps its mode
    database.prepare('VACUUM INTO ?').run(draft)
    check(draft)
    sync(draft)
    // a link, unlike a change of name, fails where somebody was faster
    linkSync(draft, to)
    sync(dirname(to))
    return { bytes: statSync(to).size }
  } catch (error) {
    if (error instanceof Refusal) throw error
    throw refuse(`\`${to}\` cannot be written (${whyUnavailable(error) ?? codeOf(error)})`, error)
  } finally {
    database.close()
    rmSync(draft, { force: true })
  }
}

/** A copy of the backup beside the place where it is to be; the backup itself stays as it is. */
export function draftOf(backup: string, place: string): string {
  if (!existsSync(backup)) throw refuse(`there is no \`${backup}\``)
  check(backup)
  mkdirSync(dirname(place), { recursive: true, mode: 0o700 })
  const draft = `${place}.${randomId(6)}.restoring`
  copyFile(backup, draft)
  return draft
}

export function removeDraft(draft: string): void {
  for (const suffix of ['', '-wal', '-shm']) rmSync(`${draft}${suffix}`, { force: true })
}

/**
 * Puts the draft in the place of the database, which is kept beside it under another name. Throws where somebody has it open: they
 * would go on writing to what nobody looks at any more. Answers that name.
 */
export function putInPlace(draft: string, place: string): string | undefined {
  let kept: string | undefined
  if (existsSync(place)) {
    const database = new DatabaseSync(place)
    try {
      // SQLite leaves this mode for whoever is alone with the file
      const { journal_mode: mode } = database.prepare('PRAGMA journal_mode=DELETE').get() as { journal_mode: string }
      if (mode !== 'delete') throw refuse(`\`${place}\` is in use: stop every server on it first`)
    } catch (error) {
      if (error instanceof Refusal) throw error
      // one that cannot even be read is why another one is restored
      if (isBusy(error)) throw refuse(`\`${place}\` is in use: stop every server on it first`, error)
    } finally {
      database.close()
    }
    kept = `${place}.before-${randomId(6)}`
    renameSync(place, kept)
  }
  for (const suffix of ['-wal', '-shm']) rmSync(`${place}${suffix}`, { force: true })
  renameSync(draft, place)
  sync(dirname(place))
  return kept
}
