/** `apis …`: the APIs that tokens are for. They are written as files, like apps. */
import { unknownApi } from '#apis'
import type { Verb } from '../verb.ts'
import { revokeTokens } from './apis-revoke.ts'
import { planLines } from './manifest-lines.ts'
import { filesAt } from './source-files.ts'

const BY = 'cli'

const listApis: Verb = {
  words: ['apis', 'list'],
  usage: 'apis list',
  summary: 'registered APIs',
  async run(_args, context) {
    const { list } = await (await context.open()).apis.all()
    context.print(
      list.map((api) => ({ ...api, scopes: [...api.scopes.keys()] })),
      () =>
        list.length > 0
          ? list.map(
              ({ id, name, audience, policy, format, scopes }) =>
                `${id}  ${name}  ${audience}  policy ${policy}  ${format}, ${scopes.size} scopes`,
            )
          : 'no APIs; `apis apply DIR` registers them',
    )
    return 0
  },
}

const showApi: Verb = {
  words: ['apis', 'show'],
  usage: 'apis show ID',
  summary: 'everything about an API, and who gets tokens for it',
  async run(args, context) {
    const [id, ...more] = args.positional
    if (id === undefined || more.length > 0) {
      context.err(`usage: portico ${showApi.usage}`)
      return 2
    }
    const { apis, catalog } = await context.open()
    const set = await apis.all()
    const api = set.find(id)
    if (!api)
      throw unknownApi(
        id,
        set.list.map((one) => one.id),
      )
    const apps = (await catalog.apps.list()).flatMap((app) => {
      const scopes = app.oidc?.apis[id]
      return scopes ? [{ id: app.id, scopes }] : []
    })
    const inWords = (words: string | Readonly<Record<string, string | undefined>>) =>
      typeof words === 'string' ? words : (words.en ?? Object.values(words)[0])
    const details = Object.fromEntries([...api.details].map(([type, { words }]) => [type, words]))
    context.print({ ...api, scopes: Object.fromEntries(api.scopes), details, clients: apps }, () => [
      `id                 ${api.id}`,
      `name               ${api.name}`,
      `audience           ${api.audience}`,
      `policy             ${api.policy}`,
      `tokens             ${api.format === 'jwt' ? `JWT, ${api.alg}` : 'opaque'}, ${api.lifetime} s`,
      `sender constraint  ${api.senderConstraint}`,
      'scopes',
      ...[...api.scopes].map(([scope, words]) => `  ${scope}  ${inWords(words)}`),
      ...(api.details.size > 0 ? ['authorization details'] : []),
      ...Object.entries(details).map(([type, words]) => `  ${type}  ${inWords(words)}`),
      apps.length > 0 ? 'clients' : 'no client gets tokens for it',
      ...apps.map((app) => `  ${app.id}  ${app.scopes.join(' ')}`),
    ])
    return 0
  },
}

const exportApi: Verb = {
  words: ['apis', 'export'],
  usage: 'apis export ID',
  summary: 'a registered API as a file',
  async run(args, context) {
    const [id, ...more] = args.positional
    if (id === undefined || more.length > 0) {
      context.err(`usage: portico ${exportApi.usage}`)
      return 2
    }
    const file = await (await context.open()).apis.export(id)
    context.print({ id, file }, () => file.trimEnd())
    return 0
  },
}

const applyApis: Verb = {
  words: ['apis', 'apply'],
  usage: 'apis apply FILE|DIR [--dry-run] [--prune]',
  summary: 'make the registered APIs what the files say; one with a mistake stays as it is',
  creates: true,
  switches: ['dry-run', 'prune'],
  async run(args, context) {
    const [path, ...more] = args.positional
    if (path === undefined || more.length > 0) {
      context.err(`usage: portico ${applyApis.usage}`)
      return 2
    }
    const files = await filesAt(path, context)
    if (!files) return 2
    if (args.has('prune') && !files.folder) {
      context.err('`--prune` removes every API that is not among the files, so it takes a folder')
      return 2
    }
    const applied = await (await context.open()).apis.apply(files.sources, {
      by: BY,
      dryRun: args.has('dry-run'),
      prune: args.has('prune'),
      unread: files.problems,
    })
    context.print(applied, () => [
      ...planLines(applied),
      applied.written
        ? `${applied.changes.filter(({ action }) => action !== 'unchanged').length} written`
        : 'dry run: nothing was changed',
    ])
    return applied.problems.length > 0 ? 1 : 0
  },
}

const snippetOfApi: Verb = {
  words: ['apis', 'snippet'],
  usage: 'apis snippet ID --for nginx|envoy|kong|apigee|traefik|caddy',
  summary: 'the configuration of a gateway that asks about each call to an API',
  options: ['for'],
  async run(args, context) {
    const [id, ...more] = args.positional
    const wanted = args.flag('for')
    if (id === undefined || more.length > 0 || wanted === undefined) {
      context.err(`usage: portico ${snippetOfApi.usage}`)
      return 2
    }
    const { SNIPPETS, snippetValues } = await import('#api-access/gateway-files')
    const snippet = SNIPPETS.find(({ name }) => name === wanted)
    const set = await (await context.open()).apis.all()
    const api = set.find(id)
    if (!api)
      throw unknownApi(
        id,
        set.list.map((one) => one.id),
      )
    const { gateway } = api
    if (!snippet || !gateway) {
      const known = SNIPPETS.map(({ name }) => name).join(', ')
      context.err(
        gateway
          ? `there is no snippet for \`${wanted}\`; known: ${known}`
          : `\`${id}\` has no \`gateway\` in its file: write its \`hosts\` and \`rules\` there, and \`apis apply\` it (docs/apis.md)`,
      )
      return 2
    }
    if (context.settings.proxies.length === 0)
      context.err(
        'warning: `proxies` is empty in the settings, so no gateway is answered: name the address of this one',
      )
    const files = snippet.files(snippetValues({ ...api, gateway }, context.settings))
    context.print(files, () => files.flatMap(({ file, text }) => [`# ${file}`, text.trimEnd()]))
    return 0
  },
}

export const apisVerbs: readonly Verb[] = [applyApis, listApis, showApi, exportApi, revokeTokens, snippetOfApi]
