/** `apps search`: a file of its own, so that nothing else is loaded for an answer that somebody waits for while typing. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { type Found, searchTemplates } from '#catalog/search'
import { readSetting } from '#config/single'
import type { Immediate, Verb } from '../verb.ts'

export const searchApps: Verb = {
  words: ['apps', 'search'],
  usage: 'apps search WORD',
  summary: 'templates of the catalog by name, vendor or category',
  async atOnce(args, context) {
    const catalog = readSetting('catalog', 'apps-catalog', args.flag('config'))
    const folder = catalog && resolve(catalog.folder, catalog.value)
    if (folder === undefined || !existsSync(folder)) return undefined
    return tell(await searchTemplates(folder, args.positional.join(' ')), context)
  },
  // something is wrong with the settings or the folder, or the folder is named in a file of its own
  async run(args, context) {
    const { catalogOf } = await import('./app-lines.ts')
    return tell(await catalogOf(context).search(args.positional.join(' ')), context)
  },
}

function tell(found: readonly Found[], { print }: Immediate): number {
  const width = Math.max(0, ...found.map(({ slug }) => slug.length))
  print(found, () =>
    found.length > 0
      ? found.map(
          ({ slug, name, category, as_of }) =>
            `${slug.padEnd(width)}  ${name} (${category}${as_of === undefined ? '' : `, facts of ${as_of}`})`,
        )
      : 'nothing found; `custom-oidc` fits any app that speaks OpenID Connect, `apps add --saml-metadata` takes any that speaks SAML, and one behind a proxy is a manifest for `apps apply`',
  )
  return found.length > 0 ? 0 : 1
}
