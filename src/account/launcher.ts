/** The launcher: the doors that would open for this person here and now, judged by the same evaluator that opens them. */
import type { App } from '#catalog'
import type { Answer } from '#http'
import { type LauncherApp, launcherView } from '#pages'
import type { Visit } from './gate.ts'
import type { AccountOptions } from './options.ts'

/** A machine has nothing to open, and neither has an app whose start nobody told us. */
const opens = (app: App): boolean => app.launchUrl !== undefined && (app.oidc?.responseTypes.includes('code') ?? false)

export function createLauncher({ access, catalog, clock }: AccountOptions) {
  return async (visit: Visit): Promise<Answer> => {
    const { session, person, device, enrolled, messages, request } = visit
    const { address } = request
    const seen = { session, person, device, enrolled, address }
    const startedAt = clock.now()
    const apps: LauncherApp[] = []
    for (const app of (await catalog.apps.list()).filter(opens)) {
      const { outcome } = await access.preview({ kind: 'app', app, ...seen, startedAt })
      // what is refused is not there at all: an app's name may be more than this person should know
      if (outcome === 'deny') continue
      apps.push({
        id: app.id,
        name: app.name,
        href: app.launchUrl!,
        ...(outcome === 'challenge' ? { locked: true } : {}),
      })
    }
    const { compare } = new Intl.Collator(messages.language, { numeric: true })
    apps.sort((a, b) => compare(a.name, b.name))
    return visit.page(launcherView({ name: person.name, apps }, messages), { current: 'apps' })
  }
}
