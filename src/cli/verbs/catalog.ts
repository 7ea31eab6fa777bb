/** `catalog check | show`: the templates themselves. Needs no storage. */
import { resolve } from 'node:path'
import { stringify } from 'yaml'
import { openTemplates } from '#catalog'
import { formatProblem } from '#config'
import type { Verb } from '../verb.ts'
import { catalogOf, datedWarning, templateFor } from './app-lines.ts'

const checkCatalog: Verb = {
  words: ['catalog', 'check'],
  usage: 'catalog check [DIR]',
  summary: 'read every template and report all mistakes',
  async run(args, context) {
    const [folder, ...more] = args.positional
    if (more.length > 0) {
      context.err(`usage: portico ${checkCatalog.usage}`)
      return 2
    }
    const templates = folder === undefined ? catalogOf(context) : openTemplates(resolve(folder), folder)
    const { count, problems } = await templates.check()
    if (count + problems.length === 0) {
      context.err(`there is no template in \`${folder ?? context.settings.catalog}\``)
      return 2
    }
    context.print({ count, problems }, () => [
      ...problems.map(formatProblem),
      `${count} templates, ${problems.length} problems`,
    ])
    return problems.length > 0 ? 1 : 0
  },
}

const showTemplate: Verb = {
  words: ['catalog', 'show'],
  usage: 'catalog show SLUG',
  summary: 'one template',
  async run(args, context) {
    const [slug, ...more] = args.positional
    if (slug === undefined || more.length > 0) {
      context.err(`usage: portico ${showTemplate.usage}`)
      return 2
    }
    const template = await templateFor(slug, catalogOf(context), context)
    if (!template) return 2
    if (template.as_of !== undefined) context.err(datedWarning(template))
    context.print(template, () => stringify(template, { lineWidth: 0 }).trimEnd())
    return 0
  },
}

export const catalogVerbs: readonly Verb[] = [checkCatalog, showTemplate]
