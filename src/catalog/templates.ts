/** The folder of templates. The folder is the list: nothing is read before somebody asks. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse } from 'yaml'
import { formatProblem, type Problem } from '#config'
import { nearest } from '#core/nearest'
import { Refusal } from '#core/refusal'
import { resolve } from './manifest.ts'
import { exampleInputs, type Template } from './template.ts'
import { readTemplate } from './template-check.ts'
import { slug as slugShape } from './words.ts'

export interface Found {
  readonly slug: string
  readonly name: string
  readonly vendor: string
  readonly category: string
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
    const result = readTemplate(join(shown, slug + SUFFIX), text, slug)
    return result.template
      ? { template: result.template, problems: tryOut(result.template, join(shown, slug + SUFFIX)) }
      : result
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
      const heads = await Promise.all(
        (await slugs()).map(async (slug) => headOf(slug, await readFile(join(folder, slug + SUFFIX), 'utf8'))),
      )
      return heads
        .map((found) => ({ found, rank: rankOf(found, wanted) }))
        .filter(({ rank }) => rank < NO_MATCH)
        .sort((a, b) => a.rank - b.rank || (a.found.slug < b.found.slug ? -1 : 1))
        .map(({ found }) => found)
    },
    async check() {
      const problems: Problem[] = []
      let count = 0
      for (const name of await names()) {
        const file = join(shown, name)
        const slug = name.slice(0, -SUFFIX.length)
        if (!name.endsWith(SUFFIX) || !slugShape.safeParse(slug).success) {
          problems.push({ file, line: 1, column: 1, code: 'file-name', message: 'file is not named `<slug>.yaml`' })
          continue
        }
        count++
        problems.push(...(await read(slug)).problems)
      }
      return { count, problems }
    },
  })
}

/** Registers the template in thought, with its examples: what only shows when all parts meet. */
function tryOut(template: Template, file: string): Problem[] {
  if (!(template.oidc ?? template.saml ?? template.forward_auth)) return []
  const manifest = { id: template.slug, inputs: exampleInputs(template) }
  const { issues } = resolve(manifest, template)
  return issues
    .filter(({ code }) => code !== 'policy-missing' && code !== 'audience-missing')
    .map(({ code, message }) => ({ file, line: 1, column: 1, code, message }))
}

function headOf(slug: string, text: string): Found {
  const end = text.search(END_OF_HEAD)
  let head: Partial<Found> | null = null
  try {
    head = parse(end < 0 ? text : text.slice(0, end), { schema: 'failsafe', maxAliasCount: 0 })
  } catch {
    // a broken file is still found by its name; `catalog check` says what is wrong with it
  }
  const said = (value: unknown) => (typeof value === 'string' ? value : '')
  return { slug, name: said(head?.name) || slug, vendor: said(head?.vendor), category: said(head?.category) }
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
