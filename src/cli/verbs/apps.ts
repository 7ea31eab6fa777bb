/** `apps …`: from the catalog to a registered app, and what there is. Manifests are in `manifests.ts`. */
import { type App, isRequired, type Manifest, renderSettings } from '#catalog'
import type { Arguments, Verb } from '../verb.ts'
import {
  appOf,
  catalogOf,
  datedWarning,
  endpointsFor,
  idOf,
  rows,
  shown,
  snippetLines,
  templateFor,
  written,
} from './app-lines.ts'
import { rotateSecret } from './app-secret.ts'
import { snippetOfApp } from './app-snippet.ts'
import { manifestVerbs } from './manifests.ts'
import { fieldsFrom } from './saml-metadata.ts'

const BY = 'cli'

const searchApps: Verb = {
  words: ['apps', 'search'],
  usage: 'apps search WORD',
  summary: 'templates of the catalog by name, vendor or category',
  async run(args, context) {
    const found = await catalogOf(context).search(args.positional.join(' '))
    const width = Math.max(0, ...found.map(({ slug }) => slug.length))
    context.print(found, () =>
      found.length > 0
        ? found.map(
            ({ slug, name, category, as_of }) =>
              `${slug.padEnd(width)}  ${name} (${category}${as_of === undefined ? '' : `, facts of ${as_of}`})`,
          )
        : 'nothing found; `custom-oidc` fits any app',
    )
    return found.length > 0 ? 0 : 1
  },
}

/** `--set KEY=VALUE`s as one object, or what is wrong with them. */
function readSets(args: Arguments): Record<string, string> | string {
  const inputs: Record<string, string> = {}
  for (const set of args.flags('set')) {
    const equals = set.indexOf('=')
    if (equals < 1) return `\`--set\` takes KEY=VALUE, not \`${set}\``
    const key = set.slice(0, equals)
    if (Object.hasOwn(inputs, key)) return `\`--set ${key}=…\` stands there twice`
    inputs[key] = set.slice(equals + 1)
  }
  return inputs
}

const addApp: Verb = {
  words: ['apps', 'add'],
  usage:
    'apps add SLUG [--set KEY=VALUE]… [--id ID] [--name NAME] [--policy P] [--audience GROUP]… [--saml-metadata FILE|URL|-]',
  summary:
    "register an app from the catalog; --audience '*' is everybody who has signed in; a second one of the same kind takes an --id and a --name of its own; with --saml-metadata and --id no SLUG is needed",
  creates: true,
  options: ['set', 'id', 'name', 'policy', 'audience', 'saml-metadata'],
  async run(args, context) {
    const [slug, ...more] = args.positional
    const inputs = readSets(args)
    const metadata = args.flag('saml-metadata')
    const id = args.flag('id') ?? slug
    if (id === undefined || (slug ?? metadata) === undefined || more.length > 0 || typeof inputs === 'string') {
      context.err(typeof inputs === 'string' ? inputs : `usage: portico ${addApp.usage}`)
      return 2
    }
    const template = slug === undefined ? undefined : await templateFor(slug, catalogOf(context), context)
    if (slug !== undefined && !template) return 2
    const saml = metadata === undefined ? undefined : await fieldsFrom(metadata, context)
    if (typeof saml === 'string') {
      context.err(saml)
      return 2
    }
    const missing = Object.entries(template?.inputs ?? {}).filter(
      ([name, input]) => isRequired(input) && !Object.hasOwn(inputs, name),
    )
    for (const [name, { label, example }] of missing) context.err(`input-missing: ${label}: --set ${name}=${example}`)
    if (missing.length > 0) return 2
    const audience = args.flags('audience')
    const policy = args.flag('policy')
    const name = args.flag('name')
    const manifest: Manifest = {
      id,
      ...(slug !== undefined && { template: slug }),
      inputs,
      ...(name !== undefined && { name }),
      ...(policy !== undefined && { policy }),
      ...(audience.length > 0 && { audience: [...audience] }),
      ...(saml && { saml }),
    }
    const { catalog, people } = await context.open()
    const issues = await catalog.apps.check(manifest)
    for (const { code, message } of issues) context.err(`${code}: ${message}${HINTS[code] ?? ''}`)
    if (issues.length > 0) return 2
    const before = await catalog.apps.list()
    const taken = before.find(({ id }) => id === manifest.id)
    if (taken) {
      context.err(
        `app-exists: \`${taken.id}\` is registered already (${taken.name}), and was not changed: ${another(before, taken)}`,
      )
      return 2
    }
    const { app, clientSecret } = await catalog.apps.register(manifest, BY)
    const namesake = before.find((one) => one.name === app.name)
    if (namesake)
      context.err(
        `warning: \`${namesake.id}\` is called ${app.name} too, and people see names: --name tells them apart`,
      )
    const known = new Set((await people.groups()).map(({ name }) => name))
    if (template?.as_of !== undefined && saml === undefined) context.err(datedWarning(template))
    for (const group of app.audience.filter((one) => one !== '*' && !known.has(one)))
      context.err(`warning: nobody known here is in the group \`${group}\`, so it lets nobody in yet`)
    const endpoints = await endpointsFor(app, context)
    const settings = renderSettings(app, template, endpoints, clientSecret)
    const made = {
      id: app.id,
      ...((app.oidc ?? app.saml === undefined) && { client_id: app.id }),
      ...(clientSecret !== undefined && { client_secret: clientSecret }),
      ...((app.oidc ?? app.saml === undefined) && { discovery_url: endpoints.discovery_url }),
      ...(app.saml && {
        saml_metadata: endpoints.saml_metadata_url,
        entity_id: app.saml.entityId,
        acs_urls: app.saml.acsUrls,
      }),
    }
    context.print({ ...shown(app), ...made, settings }, () => [
      ...rows(made),
      ...(clientSecret === undefined ? [] : ['(the secret is shown this once; `apps rotate-secret` makes another)']),
      ...snippetLines(settings),
    ])
    return 0
  },
}

/** What to do for a second app of the same kind, and what for a change of the first. */
function another(apps: readonly App[], { id }: App): string {
  const taken = new Set(apps.map((one) => one.id))
  let number = 2
  while (taken.has(`${id}-${number}`)) number++
  return `a second one takes an id and a name of its own, --id ${id}-${number} --name NAME; to change it, \`apps export ${id}\` and \`apps apply\``
}

const HINTS: Readonly<Record<string, string>> = {
  'audience-missing': ': --audience GROUP',
  'policy-missing': ': --policy NAME',
}

const listApps: Verb = {
  words: ['apps', 'list'],
  usage: 'apps list',
  summary: 'registered apps',
  async run(_args, context) {
    const apps = await (await context.open()).catalog.apps.list()
    context.print(apps.map(shown), () =>
      apps.length > 0
        ? apps.map((app) => `${app.id}  ${app.name}  policy ${app.policy}  for ${written(app.audience)}`)
        : 'no apps',
    )
    return 0
  },
}

const showApp: Verb = {
  words: ['apps', 'show'],
  usage: 'apps show ID',
  summary: 'everything about a registered app but its secret',
  async run(args, context) {
    const id = idOf(showApp, args, context)
    if (id === undefined) return 2
    const app = shown(await appOf(id, context))
    context.print(app, () => rows(app))
    return 0
  },
}

const removeApp: Verb = {
  words: ['apps', 'remove'],
  usage: 'apps remove ID',
  summary: 'nobody signs in to this app any more',
  async run(args, context) {
    const id = idOf(removeApp, args, context)
    if (id === undefined) return 2
    await (await context.open()).catalog.apps.remove(id, BY)
    context.print({ id, removed: true }, () => `removed ${id}`)
    return 0
  },
}

export const appsVerbs: readonly Verb[] = [
  searchApps,
  addApp,
  listApps,
  showApp,
  removeApp,
  rotateSecret,
  snippetOfApp,
  ...manifestVerbs,
]
