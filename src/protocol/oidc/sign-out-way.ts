/** How an app that speaks OpenID Connect hears that somebody has signed out. */
import type { Catalog } from '#catalog'
import type { EndedSession, SessionApp, SignOutWay } from '#sessions'

/**
 * From server to server where the app has an address for that; else through the person's browser (OpenID Connect Front-Channel
 * Logout 1.0), which nobody hears back from; else not at all.
 */
export function signOutWay({ issuer, catalog }: { issuer: string; catalog: Pick<Catalog, 'apps'> }): SignOutWay {
  const oidcOf = async (app: string) => (await catalog.apps.find(app))?.oidc

  return {
    via: 'oidc',

    async tell({ session, everywhere }: EndedSession, { app, sid }: SessionApp) {
      const oidc = await oidcOf(app)
      if (!oidc?.backchannelLogoutUri) return { how: oidc?.frontchannelLogoutUri ? 'browser' : 'never' }
      const row = { app, subject: session.personId, session: session.id, event: 'backchannel-logout' } as const
      // Back-Channel Logout §2.4: without a `sid` it means every session; an app that needs one gets each by its own
      const all = everywhere && !oidc.backchannelLogoutSessionRequired
      return { how: 'message', row: all ? row : { ...row, sid } }
    },

    /** Front-Channel Logout §2: `iss` and `sid` always, also where the app could do without. */
    async frame(_ended: EndedSession, { app, sid }: SessionApp) {
      const address = (await oidcOf(app))?.frontchannelLogoutUri
      if (address === undefined) return undefined
      const url = new URL(address)
      url.searchParams.append('iss', issuer)
      url.searchParams.append('sid', sid)
      return { url: url.href }
    },
  }
}
