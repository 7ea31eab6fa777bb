/** The launcher: the doors that would open for this person here and now, judged by the same evaluator that opens them. */
import type { App } from '#catalog'
import type { Answer } from '#http'
import { type LauncherApp, launcherView } from '#pages'
import type { Confirming } from './confirming.ts'
import type { Visit } from './gate.ts'
import type { AccountOptions } from './options.ts'

/** Where the app begins; undefined for a machine, which has nothing to open, and where nobody told us its start. */
function startOf({ id, launchUrl, oidc, saml, forwardAuth }: App): string | undefined {
  // an app that speaks SAML can be opened from here, without being asked by it
  if (saml) return launchUrl ?? `/saml/init/${encodeURIComponent(id)}`
  if (forwardAuth) return launchUrl
  return oidc?.responseTypes.includes('code') ? launchUrl : undefined
}

export function createLauncher({ access, catalog, clock }: AccountOptions, { asked, answered }: Confirming) {
  return async (visit: Visit): Promise<Answer> => {
    const { session, person, device, enrolled, messages, request } = visit
    const { address } = request
    const seen = { session, person, device, enrolled, address }
    const startedAt = clock.now()
    const apps: LauncherApp[] = []
    for (const app of await catalog.apps.list()) {
      const href = startOf(app)
      if (href === undefined) continue
      const { outcome } = await access.preview({ kind: 'app', app, ...seen, startedAt })
      // what is refused is not there at all: an app's name may be more than this person should know
      if (outcome === 'deny') continue
      apps.push({
        id: app.id,
        name: app.name,
        href,
        ...(outcome === 'challenge' ? { locked: true } : {}),
      })
    }
    const { compare } = new Intl.Collator(messages.language, { numeric: true })
    apps.sort((a, b) => compare(a.name, b.name))
    const data = { name: person.name, apps, ...(await asked(visit)), ...answered(visit) }
    return visit.page(launcherView(data, messages), { current: 'apps' })
  }
}
