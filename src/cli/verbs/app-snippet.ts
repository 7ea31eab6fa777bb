/** `apps snippet`: the other side's settings, with real values: the app's own, or those of the proxy in front of it. */
import { type App, renderSettings, type Template } from '#catalog'
import { Refusal } from '#core/refusal'
import { type ProxyFile, SNIPPETS, snippetValues } from '#forward-auth/proxy-files'
import type { Arguments, Context } from '../verb.ts'
import { appOf, endpointsFor, snippetLines, templatesOf } from './app-lines.ts'

export const PROXY_NAMES: readonly string[] = SNIPPETS.map(({ name }) => name)

/** `env` is "how the app is configured", whatever the app's own format is; a format narrows it down. */
async function settingsOf(app: App, wanted: string, context: Context) {
  const templates = templatesOf(context)
  const template =
    app.template === undefined ? undefined : (await templates.read(app.template).catch(ignoreUnknown)).template
  const all = renderSettings(app, template, await endpointsFor(app, context))
  const exact = all.filter(({ format }) => format === wanted)
  const snippets = exact.length > 0 || wanted !== 'env' ? exact : all
  return { snippets, known: all.length > 0 ? ['env', ...all.map(({ format }) => format)] : [] }
}

/** The configuration of a proxy in front of the app; undefined where there is no such proxy, or none is needed. */
export function proxyFiles(app: App, name: string, context: Context): readonly ProxyFile[] | undefined {
  const proxy = SNIPPETS.find((one) => one.name === name)
  if (!proxy || !app.forwardAuth) return undefined
  if (context.settings.proxies.length === 0)
    context.err(
      'warning: `proxies` is empty in the settings, so no proxy is answered: name the address of this one, and start the server again',
    )
  return proxy.files(snippetValues(app, context.settings.listen))
}

export const fileLines = (files: readonly ProxyFile[]): string[] =>
  files.flatMap(({ file, text }, i) => [...(i > 0 ? [''] : []), `# ${file}`, text.trimEnd()])

export async function printSnippet(id: string, args: Arguments, context: Context): Promise<number> {
  const app = await appOf(id, context)
  const wanted = args.flag('for') ?? 'env'
  const files = proxyFiles(app, wanted, context)
  if (files) {
    context.print(files, () => fileLines(files))
    return 0
  }
  const { snippets, known } = await settingsOf(app, wanted, context)
  if (snippets.length === 0) {
    const proxies = app.forwardAuth ? PROXY_NAMES : []
    const there = [...new Set([...known, ...proxies])].join(', ')
    context.err(
      `there is no snippet of \`${id}\` for \`${wanted}\`; ${there ? `known: ${there}` : 'the catalog has none for it'}`,
    )
    return 2
  }
  context.print(snippets, () => snippetLines(snippets).slice(1))
  return 0
}

function ignoreUnknown(error: unknown): { template?: Template } {
  if (error instanceof Refusal) return {}
  throw error
}
