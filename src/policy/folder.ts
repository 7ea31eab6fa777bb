/** The files of a policy folder, within limits. */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { isAbsolute, join, normalize, relative, sep } from 'node:path'
import type { Problem } from '#config'

const MOST_FILES = 1000
const DEEPEST = 8
const LARGEST_FILE = 16 * 1024 * 1024

/**
 * Every `*.yaml` below the folder as `networks/stores.yaml`, sorted. Names that begin with a dot are passed over (editors,
 * and the way container platforms mount folders). `label` is the folder as problems and rules name it.
 */
export function listFiles(dir: string): { files: string[]; label: string; problems: Problem[] } {
  const inside = relative(process.cwd(), dir)
  const outside = inside === '' || inside.startsWith('..') || isAbsolute(inside)
  const label = (outside ? normalize(dir) : inside).split(sep).join('/').replace(/\/$/, '')
  const files: string[] = []
  const problems: Problem[] = []
  const complain = (file: string, code: string, message: string) =>
    void problems.push({ file, line: 1, column: 1, code, message })
  const walk = (folder: string, depth: number) => {
    for (const entry of readdirSync(join(dir, folder)).sort()) {
      const name = folder === '' ? entry : `${folder}/${entry}`
      if (entry.startsWith('.')) continue
      // following links: a mounted folder is made of them
      const found = statSync(join(dir, name), { throwIfNoEntry: false })
      if (found?.isDirectory()) {
        if (depth < DEEPEST) walk(name, depth + 1)
        else complain(`${label}/${name}`, 'too-deep', 'folders nest too deep')
      } else if (entry.endsWith('.yaml')) files.push(name)
      else if (entry.endsWith('.yml'))
        complain(`${label}/${name}`, 'file-ending', 'file is not read; its name must end in `.yaml`')
    }
  }
  try {
    walk('', 0)
    if (files.length === 0) complain(label, 'folder-empty', 'folder holds no `*.yaml` file')
  } catch (error) {
    complain(
      label,
      'folder-unreadable',
      `folder cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unreadable'})`,
    )
  }
  if (files.length > MOST_FILES) complain(label, 'too-many-files', `folder holds more than ${MOST_FILES} files`)
  const byPath = (a: string, b: string) => (a < b ? -1 : 1)
  return { files: files.slice(0, MOST_FILES).sort(byPath), label, problems }
}

/** The text of one file of the folder, or the problem with it. */
export function readText(dir: string, label: string, name: string): { text?: string; problem?: Problem } {
  const problem = (code: string, message: string) => ({
    problem: { file: `${label}/${name}`, line: 1, column: 1, code, message },
  })
  try {
    const path = join(dir, name)
    const { size } = statSync(path)
    if (size > LARGEST_FILE) return problem('file-too-large', `file is larger than ${LARGEST_FILE} bytes`)
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path)) }
  } catch (error) {
    if (error instanceof TypeError) return problem('not-utf-8', 'file is not UTF-8 text')
    return problem('file-unreadable', `file cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unreadable'})`)
  }
}
