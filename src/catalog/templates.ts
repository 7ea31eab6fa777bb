/** The folder of templates. The folder is the list: nothing is read before somebody asks. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { formatProblem, type Problem } from '#config'
import { nearest } from '#core/nearest'
import { Refusal } from '#core/refusal'
import { type Found, filesOf, SUFFIX, searchTemplates, slugsOf } from './search.ts'
import type { Template } from './template.ts'
import { readTemplate } from './template-check.ts'
import { slug as slugShape } from './words.ts'

export interface Templates {
  /** Templates whose slug, name, vendor or category holds the word; best first. An empty word finds all. */
  search(word: string): Promise<Found[]>
  /** Throws Refusal `template-unknown` or `template-invalid`. */
  show(slug: string): Promise<Template>
  /** The template, or what is wrong with its file. Throws Refusal `template-unknown`. */
  read(slug: string): Promise<{ template?: Template; problems: Problem[] }>
  /** The known slug nearest to one that is not there. */
  nearest(slug: string): Promise<string | undefined>
  /** Reads every file of the folder. */
  check(): Promise<{ count: number; problems: Problem[] }>
}

/** `folder` may be absent: then it holds nothing. `shown` is how problems name it. */
export function openTemplates(folder: string, shown: string = folder): Templates {
  const slugs = async () => slugsOf(filesOf(folder))

  const read = async (slug: string) => {
    // ATTACK: a slug is part of a path, so nothing but a slug goes any further
    if (!slugShape.safeParse(slug).success) throw new Refusal('template-unknown')
    let text: string
    try {
      text = await readFile(join(folder, slug + SUFFIX), 'utf8')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT')
        throw new Refusal('template-unknown', `catalog: no template \`${slug}\``)
      throw error
    }
    return readTemplate(join(shown, slug + SUFFIX), text, slug)
  }

  return Object.freeze({
    read,
    async show(slug: string) {
      const { template, problems } = await read(slug)
      if (!template || problems.length > 0)
        throw new Refusal('template-invalid', problems.map(formatProblem).join('; '))
      return template
    },
    async nearest(slug: string) {
      return nearest(slug, await slugs())
    },
    async search(word: string) {
      return searchTemplates(folder, word)
    },
    async check() {
      const problems: Problem[] = []
      /** Slugs by the name that people see. */
      const known = new Map<string, string>()
      let count = 0
      for (const name of filesOf(folder)) {
        const file = join(shown, name)
        const slug = name.slice(0, -SUFFIX.length)
        if (!name.endsWith(SUFFIX) || !slugShape.safeParse(slug).success) {
          problems.push({ file, line: 1, column: 1, code: 'file-name', message: 'file is not named `<slug>.yaml`' })
          continue
        }
        count++
        const { template, problem, ...found } = await read(slug)
        problems.push(...found.problems)
        const called = template?.name.toLowerCase()
        if (called === undefined) continue
        const other = known.get(called)
        if (other !== undefined) problems.push(problem(['name'], 'name-taken', `\`name\` is that of \`${other}\` too`))
        else known.set(called, slug)
      }
      return { count, problems }
    },
  })
}
