/** The files of a policy folder, within limits; or of one that was read before. */
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  statSync,
} from 'node:fs'
import { isAbsolute, join, normalize, relative, sep } from 'node:path'
import type { Problem } from '#config'

const MOST_FILES = 1000
const MOST_ENTRIES = 10_000
const DEEPEST = 8
const LARGEST_FILE = 16 * 1024 * 1024

/** Texts by name, `networks/stores.csv`; what `label` says stands before each name in problems and rules. */
export interface PolicyFiles {
  readonly label: string
  readonly files: ReadonlyMap<string, string>
}

/** A folder on the disk, or files that were read before. */
export type PolicyFolder = string | PolicyFiles

/**
 * Every `*.yaml` below the folder as `networks/stores.yaml`, sorted. Names that begin with a dot are passed over (editors,
 * and the way container platforms mount folders). `label` is the folder as problems and rules name it.
 */
export function listFiles(from: PolicyFolder): {
  files: string[]
  label: string
  /** What to read them from: where the folder is a link, what it leads to now. */
  root: PolicyFolder
  problems: Problem[]
} {
  if (typeof from !== 'string')
    return {
      root: from,
      files: [...from.files.keys()].filter((name) => name.endsWith('.yaml')).sort(byPath),
      label: from.label,
      problems: [],
    }
  const dir = from
  const inside = relative(process.cwd(), dir)
  const outside = inside === '' || inside.startsWith('..') || isAbsolute(inside)
  const label = (outside ? normalize(dir) : inside).split(sep).join('/').replace(/\/$/, '')
  const files: string[] = []
  const problems: Problem[] = []
  const complain = (file: string, code: string, message: string) =>
    void problems.push({ file, line: 1, column: 1, code, message })
  let entries = 0
  let root = dir
  const seen = new Set<string>()
  const walk = (folder: string, depth: number) => {
    // ATTACK: a link to a folder above itself, or several, would be walked for ever
    const real = realpathSync(join(root, folder))
    if (seen.has(real)) return
    if (!isInside(root, real)) return complain(`${label}/${folder}`, 'file-outside', OUTSIDE)
    seen.add(real)
    for (const entry of readdirSync(real).sort()) {
      if (++entries > MOST_ENTRIES) return
      const name = folder === '' ? entry : `${folder}/${entry}`
      if (entry.startsWith('.')) continue
      // ATTACK: the version is made of names and hashes, one a line; a name of two lines would be that of other files
      if (/\p{Cc}/u.test(entry)) {
        complain(`${label}/${name}`, 'file-name', 'name has a control character')
        continue
      }
      // following links: a mounted folder is made of them
      const found = statSync(join(root, name), { throwIfNoEntry: false })
      if (found?.isDirectory()) {
        if (depth < DEEPEST) walk(name, depth + 1)
        else complain(`${label}/${name}`, 'too-deep', 'folders nest too deep')
      } else if (entry.endsWith('.yaml')) files.push(name)
      else if (entry.endsWith('.yml'))
        complain(`${label}/${name}`, 'file-ending', 'file is not read; its name must end in `.yaml`')
    }
  }
  try {
    root = realpathSync(dir)
    walk('', 0)
    if (files.length === 0) complain(label, 'folder-empty', 'folder holds no `*.yaml` file')
  } catch (error) {
    complain(
      label,
      'folder-unreadable',
      `folder cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unreadable'})`,
    )
  }
  if (files.length > MOST_FILES || entries > MOST_ENTRIES)
    complain(label, 'too-many-files', `folder holds more than ${MOST_FILES} files, or ${MOST_ENTRIES} entries`)
  return { files: files.slice(0, MOST_FILES).sort(byPath), label, root, problems }
}

const byPath = (a: string, b: string) => (a < b ? -1 : 1)
const OUTSIDE = 'is a link that leads out of the policy folder'

/** ATTACK: a link of a folder that somebody else wrote would have us print, or publish, any file that we may read. */
function isInside(root: string, real: string): boolean {
  const way = relative(root, real)
  return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way)
}

/** Of an open file: from the kernel, where it tells. What a name leads to may be another file by now. */
function pathOf(file: number, path: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${file}`)
  } catch {
    return realpathSync(path)
  }
}

/** The text of one file of what `listFiles` says to read from, or the problem with it. */
export function readText(from: PolicyFolder, label: string, name: string): { text?: string; problem?: Problem } {
  const problem = (code: string, message: string) => ({
    problem: { file: `${label}/${name}`, line: 1, column: 1, code, message },
  })
  if (typeof from !== 'string') {
    const text = from.files.get(name)
    return text === undefined ? problem('file-unreadable', 'file cannot be read (ENOENT)') : { text }
  }
  let file: number | undefined
  try {
    const path = join(from, name)
    // ATTACK: what a name leads to may be exchanged between two looks at it, so that all of them are at what was opened. A
    // pipe would be waited for
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const found = fstatSync(file)
    if (!found.isFile()) return problem('file-unreadable', 'is no file')
    if (!isInside(from, pathOf(file, path))) return problem('file-outside', OUTSIDE)
    if (found.size > LARGEST_FILE) return problem('file-too-large', `file is larger than ${LARGEST_FILE} bytes`)
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(file)) }
  } catch (error) {
    if (error instanceof TypeError) return problem('not-utf-8', 'file is not UTF-8 text')
    return problem('file-unreadable', `file cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unreadable'})`)
  } finally {
    if (file !== undefined) closeSync(file)
  }
}
