/** `apps …`: from the catalog to a registered app, and what there is. Finding one is in `apps-search.ts`, adding in `app-add.ts`, manifests are in `manifests.ts`. */
import type { Verb } from '../verb.ts'
import { addApp } from './app-add.ts'
import { failureLines, shownFailure } from './app-failures.ts'
import { inviteApp } from './app-invite.ts'
import { appOf, idOf, rows, shown, written } from './app-lines.ts'
import { rotateSecret } from './app-secret.ts'
import { manifestVerbs } from './manifests.ts'
import { probeApp } from './probe.ts'
import { lastProbe } from './probe-lines.ts'

const BY = 'cli'

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
  summary: 'everything about a registered app but its secret, and why it failed last',
  async run(args, context) {
    const id = idOf(showApp, args, context)
    if (id === undefined) return 2
    const app = await appOf(id, context)
    const { catalog, diagnosis } = await context.open()
    const told = { ...shown(app), last_probe: lastProbe(await catalog.apps.probes(id)) }
    const failures = await diagnosis.ofApp(app)
    context.print({ ...told, last_failures: failures.map(shownFailure) }, () => [
      ...rows(told),
      ...(failures.length > 0 ? ['', 'last failures, of each cause the last'] : []),
      ...failures.flatMap((failure) => failureLines(failure)),
    ])
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

const snippetOfApp: Verb = {
  words: ['apps', 'snippet'],
  usage: 'apps snippet ID [--for nginx|traefik|caddy|envoy|haproxy|env]',
  summary: "the app's side of the settings, or those of the proxy in front of it, with real values",
  options: ['for'],
  async run(args, context) {
    const id = idOf(snippetOfApp, args, context)
    return id === undefined ? 2 : (await import('./app-snippet.ts')).printSnippet(id, args, context)
  },
}

export const appsVerbs: readonly Verb[] = [
  addApp,
  listApps,
  showApp,
  removeApp,
  inviteApp,
  rotateSecret,
  snippetOfApp,
  probeApp,
  ...manifestVerbs,
]
