/** Files that people keep in git, read before anybody knows what they are: one, or a folder with all that is below it. */
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Problem } from './yaml-text.ts'

/** A file as it was read. */
export interface SourceFile {
  readonly file: string
  readonly text: string
}

export interface SourceFiles {
  readonly sources: readonly SourceFile[]
  /** Files that could not be read, or that are none of ours. */
  readonly problems: readonly Problem[]
  readonly folder: boolean
}

const LARGEST_BYTES = 16 * 1024 * 1024
const DEEPEST = 8
const MOST_FILES = 10_000
/** Beside them people keep notes. */
const NOTES = /\.(?:md|txt)$/i

const failed = (file: string, code: string, message: string): Problem => ({ file, line: 1, column: 1, code, message })

/**
 * The files in the order of their names. Hidden ones and notes are passed over; everything else that is no YAML file is
 * named, because what stands in a file that is overlooked would be pruned. Throws what the file system says of `path` itself.
 * ATTACK: folders behind links are not entered, so that there is no way in a circle; nothing but a plain file is opened.
 */
export async function readSourceFiles(path: string): Promise<SourceFiles> {
  if (!(await stat(path)).isDirectory()) {
    const read = await readOne(path)
    return 'text' in read
      ? { sources: [read], problems: [], folder: false }
      : { sources: [], problems: [read], folder: false }
  }
  const sources: SourceFile[] = []
  const problems: Problem[] = []
  const walk = async (folder: string, depth: number): Promise<void> => {
    const entries = (await readdir(folder, { withFileTypes: true })).filter(({ name }) => !name.startsWith('.'))
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const file = join(folder, entry.name)
      if (entry.isDirectory()) {
        if (depth === DEEPEST) problems.push(failed(file, 'folder-deep', `folder is more than ${DEEPEST} deep`))
        else await walk(file, depth + 1)
        continue
      }
      if (NOTES.test(entry.name)) continue
      if (sources.length + problems.length >= MOST_FILES) {
        problems.push(failed(file, 'files-too-many', `folder holds more than ${MOST_FILES} files`))
        return
      }
      const read = /\.ya?ml$/.test(entry.name)
        ? await readOne(file)
        : failed(file, 'file-name', 'file is not named `….yaml`; notes are `….md` or `….txt`')
      if ('text' in read) sources.push(read)
      else problems.push(read)
    }
  }
  await walk(path, 1)
  return { sources, problems, folder: true }
}

async function readOne(file: string): Promise<SourceFile | Problem> {
  try {
    const found = await stat(file)
    if (!found.isFile()) return failed(file, 'file-kind', 'is no plain file (a link to a folder is not followed)')
    if (found.size > LARGEST_BYTES) return failed(file, 'file-too-large', `file is larger than ${LARGEST_BYTES} bytes`)
    const bytes = await readFile(file)
    return { file, text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) }
  } catch (error) {
    if (error instanceof TypeError) return failed(file, 'file-encoding', 'file is not UTF-8')
    const { code } = error as NodeJS.ErrnoException
    if (code === undefined) throw error
    return failed(file, 'file-unreadable', `file cannot be read (${code})`)
  }
}
