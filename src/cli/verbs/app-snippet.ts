/** `apps snippet`: the other side's settings, with real values: the app's own, or those of the proxy in front of it. */
import { type App, renderSettings, type Template } from '#catalog'
import { Refusal } from '#core/refusal'
import { SNIPPETS, snippetValues } from '#forward-auth'
import type { Context, Verb } from '../verb.ts'
import { appOf, endpointsFor, idOf, snippetLines, templatesOf } from './app-lines.ts'

/** `env` is "how the app is configured", whatever the app's own format is; a format narrows it down. */
async function settingsOf(app: App, wanted: string, context: Context) {
  const templates = templatesOf(context)
  const template =
    app.template === undefined ? undefined : (await templates.read(app.template).catch(ignoreUnknown)).template
  const all = renderSettings(app, template, await endpointsFor(app, context))
  const exact = all.filter(({ format }) => format === wanted)
  const snippets = exact.length > 0 || wanted !== 'env' ? exact : all
  return { snippets, known: ['env', ...all.map(({ format }) => format)] }
}

export const snippetOfApp: Verb = {
  words: ['apps', 'snippet'],
  usage: 'apps snippet ID [--for nginx|traefik|caddy|envoy|haproxy|env]',
  summary: "the app's side of the settings, or those of the proxy in front of it, with real values",
  options: ['for'],
  async run(args, context) {
    const id = idOf(snippetOfApp, args, context)
    if (id === undefined) return 2
    const app = await appOf(id, context)
    const wanted = args.flag('for') ?? 'env'
    const proxy = SNIPPETS.find(({ name }) => name === wanted)
    if (proxy && app.forwardAuth) {
      const files = proxy.files(snippetValues(app, context.settings.listen))
      context.print(files, () =>
        files.flatMap(({ file, text }, i) => [...(i > 0 ? [''] : []), `# ${file}`, text.trimEnd()]),
      )
      if (context.settings.proxies.length === 0)
        context.err(
          'warning: `proxies` is empty in the settings, so no proxy is answered: name the address of this one',
        )
      return 0
    }
    const { snippets, known } = await settingsOf(app, wanted, context)
    if (snippets.length === 0) {
      const proxies = app.forwardAuth ? SNIPPETS.map(({ name }) => name) : []
      context.err(
        `there is no snippet of \`${id}\` for \`${wanted}\`; known: ${[...new Set([...known, ...proxies])].join(', ')}`,
      )
      return 2
    }
    context.print(snippets, () => snippetLines(snippets).slice(1))
    return 0
  },
}

function ignoreUnknown(error: unknown): { template?: Template } {
  if (error instanceof Refusal) return {}
  throw error
}
