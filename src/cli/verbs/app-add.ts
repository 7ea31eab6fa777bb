/** `apps add`: from a template to a registered app, by flags or by asking, and on to its first sign-in. */
import { type App, isRequired, type Manifest, renderSettings, type Template } from '#catalog'
import { minutes } from '#core/clock'
import { parseDuration } from '#core/duration'
import type { Arguments, Context, House, Verb } from '../verb.ts'
import {
  catalogOf,
  datedWarning,
  endpointsFor,
  isForMachines,
  rows,
  shown,
  snippetLines,
  templateFor,
} from './app-lines.ts'
import type { Answers, Given } from './app-questions.ts'

const BY = 'cli'
const USUAL_WAIT = minutes(10)

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

export const addApp: Verb = {
  words: ['apps', 'add'],
  usage:
    'apps add [SLUG] [--set KEY=VALUE]… [--id ID] [--name NAME] [--policy P] [--audience GROUP]… [--saml-metadata FILE|URL|-] [--for PROXY] [--wait [DURATION]]',
  summary:
    "register an app from the catalog, and at a terminal ask for what is missing; --audience '*' is everybody who has signed in; a second one of the same kind takes an --id and a --name of its own; with --saml-metadata and --id no SLUG is needed; --for prints the configuration of the proxy in front of it; --wait stays until somebody has signed in to it",
  creates: true,
  options: ['set', 'id', 'name', 'policy', 'audience', 'saml-metadata', 'for'],
  durations: ['wait'],
  async run(args, context) {
    const [slug, ...more] = args.positional
    const inputs = readSets(args)
    const metadata = args.flag('saml-metadata')
    const given = { ...namedIn(args), slug, inputs: typeof inputs === 'string' ? {} : inputs }
    const lacking = slug === undefined && (metadata === undefined || given.id === undefined)
    if (more.length > 0 || typeof inputs === 'string' || (lacking && (metadata !== undefined || !context.questions))) {
      context.err(typeof inputs === 'string' ? inputs : `usage: portico ${addApp.usage}`)
      return 2
    }
    const template = slug === undefined ? undefined : await templateFor(slug, catalogOf(context), context)
    if (slug !== undefined && !template) return 2
    const wanted =
      context.questions && metadata === undefined && isIncomplete(given, template)
        ? await asked({ ...given, proxy: args.flag('for') }, context.questions, context)
        : { ...given, id: given.id ?? slug!, template, proxy: args.flag('for') }
    if (!wanted) {
      context.err('nothing was changed')
      return 1
    }
    const missing = Object.entries(wanted.template?.inputs ?? {}).filter(
      ([name, input]) => isRequired(input) && !Object.hasOwn(wanted.inputs, name),
    )
    for (const [name, { label, example }] of missing) context.err(`input-missing: ${label}: --set ${name}=${example}`)
    if (missing.length > 0) return 2
    const saml = metadata && (await (await import('./saml-metadata.ts')).fieldsFrom(metadata, context))
    if (typeof saml === 'string') {
      context.err(saml)
      return 2
    }
    if (wanted.proxy !== undefined && !(await proxyNames()).includes(wanted.proxy)) {
      context.err(`--for: expected one of ${(await proxyNames()).join(', ')}`)
      return 2
    }
    const house = await context.open()
    const manifest = { ...manifestOf(wanted), ...(saml && { saml }) }
    const app = await added(manifest, wanted, house, context)
    if (!app) return 2
    if (!args.has('wait')) return 0
    const { waitForFirst } = await import('./app-waiting.ts')
    return waitForFirst(house, app, parseDuration(args.flag('wait') ?? '') ?? USUAL_WAIT, context)
  },
}

const namedIn = (args: Arguments) => ({
  id: args.flag('id'),
  name: args.flag('name'),
  policy: args.flag('policy'),
  audience: args.flags('audience'),
})

/** Whether something has to be asked for: what would be refused without it. */
function isIncomplete(
  { inputs, audience }: Pick<Given, 'inputs' | 'audience'>,
  template: Template | undefined,
): boolean {
  if (!template) return true
  const required = Object.entries(template.inputs).filter(([, input]) => isRequired(input))
  return (
    required.some(([name]) => !Object.hasOwn(inputs, name)) ||
    (audience.length === 0 && template.defaults.audience === undefined && !isForMachines(template))
  )
}

const manifestOf = (wanted: Omit<Given, 'id' | 'slug'> & { id: string; template: Template | undefined }): Manifest => ({
  id: wanted.id,
  ...(wanted.template && { template: wanted.template.slug }),
  inputs: { ...wanted.inputs },
  ...(wanted.name !== undefined && { name: wanted.name }),
  ...(wanted.policy !== undefined && { policy: wanted.policy }),
  ...(wanted.audience.length > 0 && { audience: [...wanted.audience] }),
})

const proxyNames = async () => (await import('./app-snippet.ts')).PROXY_NAMES

/** The answers, once they were shown and said yes to; undefined where nothing is to be done. */
async function asked(
  given: Given & { readonly proxy: string | undefined },
  open: NonNullable<Context['questions']>,
  context: Context,
): Promise<Answers | undefined> {
  const { askForApp } = await import('./app-questions.ts')
  const { policyNames } = await import('./policy-names.ts')
  const house = await context.openExisting()
  const surroundings = {
    apps: house ? await house.catalog.apps.list() : [],
    groups: house ? (await house.people.groups()).map(({ name }) => name) : [],
    policies: await policyNames(context),
    proxies: await proxyNames(),
  }
  const questions = open()
  try {
    const answers = await askForApp(given, surroundings, catalogOf(context), questions, context.err)
    if (!answers) return undefined
    const { apps } = (await context.open()).catalog
    const app = await apps.preview(manifestOf(answers))
    // what is wrong with it is said where it is registered
    if (!app) return answers
    const { created_at: _created, changed_at: _changed, inputs: _inputs, ...values } = shown(app)
    for (const line of ['', 'This registers', ...rows(values).map((row) => `  ${row}`), '']) context.err(line)
    const yes = await questions.ask('Register it? [Y/n] ')
    return yes !== undefined && /^(?:|y|yes)$/i.test(yes) ? answers : undefined
  } finally {
    questions.close()
  }
}

/** The app, with everything for the other side printed; undefined after saying why there is none. */
async function added(
  manifest: Manifest,
  { template, proxy }: { readonly template: Template | undefined; readonly proxy: string | undefined },
  { catalog, people }: House,
  context: Context,
): Promise<App | undefined> {
  const issues = await catalog.apps.check(manifest)
  for (const { code, message } of issues) context.err(`${code}: ${message}${HINTS[code] ?? ''}`)
  if (issues.length > 0) return undefined
  const before = await catalog.apps.list()
  const taken = before.find(({ id }) => id === manifest.id)
  if (taken) {
    context.err(
      `app-exists: \`${taken.id}\` is registered already (${taken.name}), and was not changed: ${another(before, taken)}`,
    )
    return undefined
  }
  const { app, clientSecret } = await catalog.apps.register(manifest, BY)
  const namesake = before.find((one) => one.name === app.name)
  if (namesake)
    context.err(`warning: \`${namesake.id}\` is called ${app.name} too, and people see names: --name tells them apart`)
  const known = new Set((await people.groups()).map(({ name }) => name))
  if (template?.as_of !== undefined && manifest.saml === undefined) context.err(datedWarning(template))
  for (const group of app.audience.filter((one) => one !== '*' && !known.has(one)))
    context.err(`warning: nobody known here is in the group \`${group}\`, so it lets nobody in yet`)
  const endpoints = await endpointsFor(app, context)
  const settings = renderSettings(app, template, endpoints, clientSecret)
  const { proxyFiles, fileLines } = await import('./app-snippet.ts')
  const files = proxy === undefined ? undefined : proxyFiles(app, proxy, context)
  const made = {
    id: app.id,
    ...(app.oidc && { client_id: app.id }),
    ...(clientSecret !== undefined && { client_secret: clientSecret }),
    ...(app.oidc && { discovery_url: endpoints.discovery_url }),
    ...(app.saml && {
      saml_metadata: endpoints.saml_metadata_url,
      entity_id: app.saml.entityId,
      acs_urls: app.saml.acsUrls,
    }),
    ...(app.forwardAuth && { hosts: app.forwardAuth.hosts }),
  }
  context.print({ ...shown(app), ...made, settings, ...(files && { proxy: files }) }, () => [
    ...rows(made),
    ...(clientSecret === undefined ? [] : ['(the secret is shown this once; `apps rotate-secret` makes another)']),
    ...snippetLines(settings),
    ...(files
      ? ['', ...fileLines(files)]
      : app.forwardAuth
        ? [`(the proxy in front of it: \`apps snippet ${app.id} --for nginx\`)`]
        : []),
  ])
  return app
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
  'policy-unknown': ' (--policy NAME)',
}
