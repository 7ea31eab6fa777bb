/** The folder of templates. The folder is the list: nothing is read before somebody asks. */
import { readFileSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse } from 'yaml'
import { formatProblem, type Problem } from '#config'
import { nearest } from '#core/nearest'
import { Refusal } from '#core/refusal'
import type { Template } from './template.ts'
import { readTemplate } from './template-check.ts'
import { slug as slugShape } from './words.ts'

export interface Found {
  readonly slug: string
  readonly name: string
  readonly vendor: string
  readonly category: string
  /** How old its facts are, where they may have changed since. */
  readonly as_of?: string
}

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

const SUFFIX = '.yaml'
/** The first key that is not about what the app is: `search` need not understand anything after it. */
const END_OF_HEAD = /^(?:inputs|launch_url|oidc|saml|forward_auth|scim|defaults|settings|notes|tested):/m

/** `folder` may be absent: then it holds nothing. `shown` is how problems name it. */
export function openTemplates(folder: string, shown: string = folder): Templates {
  const names = async (): Promise<string[]> => {
    try {
      return (await readdir(folder)).filter((name) => !name.startsWith('.')).sort()
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
      throw error
    }
  }
  const slugs = async () =>
    (await names()).filter((name) => name.endsWith(SUFFIX)).map((name) => name.slice(0, -SUFFIX.length))

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
      const wanted = word.trim().toLowerCase()
      // hundreds of small files that the system has in memory: a promise for each would cost more than reading it
      const heads = (await slugs()).map((slug) => headOf(slug, readFileSync(join(folder, slug + SUFFIX), 'utf8')))
      return heads
        .map((found) => ({ found, rank: rankOf(found, wanted) }))
        .filter(({ rank }) => rank < NO_MATCH)
        .sort((a, b) => a.rank - b.rank || (a.found.slug < b.found.slug ? -1 : 1))
        .map(({ found }) => found)
    },
    async check() {
      const problems: Problem[] = []
      /** Slugs by the name that people see. */
      const known = new Map<string, string>()
      let count = 0
      for (const name of await names()) {
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

/** A plain value on its line, as nearly every template has it: read so, hundreds of files take no time. */
const PLAIN = /^(name|vendor|category|as_of): +([\p{L}\p{N}][^#:'"\n]*)$/gmu
const SAID = /^(?:name|vendor|category|as_of):/gm

function headOf(slug: string, text: string): Found {
  const end = text.search(END_OF_HEAD)
  const head = end < 0 ? text : text.slice(0, end)
  const plain = [...head.matchAll(PLAIN)]
  const values =
    plain.length === head.match(SAID)?.length
      ? Object.fromEntries(plain.map(([, key, value]) => [key!, value!.trimEnd()]))
      : parsedHead(head)
  const said = (key: keyof Found) => (typeof values[key] === 'string' ? values[key] : '')
  const asOf = said('as_of')
  return {
    slug,
    name: said('name') || slug,
    vendor: said('vendor'),
    category: said('category'),
    ...(asOf && { as_of: asOf }),
  }
}

function parsedHead(head: string): Readonly<Record<string, unknown>> {
  try {
    return parse(head, { schema: 'failsafe', maxAliasCount: 0 }) ?? {}
  } catch {
    // a broken file is still found by its name; `catalog check` says what is wrong with it
    return {}
  }
}

const NO_MATCH = 5

function rankOf(found: Found, wanted: string): number {
  const name = found.name.toLowerCase()
  if (found.slug === wanted || name === wanted) return 0
  if (found.slug.startsWith(wanted) || name.startsWith(wanted)) return 1
  if (found.slug.includes(wanted) || name.includes(wanted)) return 2
  if (found.vendor.toLowerCase().includes(wanted)) return 3
  return found.category.includes(wanted) ? 4 : NO_MATCH
}
