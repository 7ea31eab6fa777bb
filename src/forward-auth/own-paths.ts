/** Paths of the app's host that are ours: the proxy asks about them like about any other, and our answer is the page. */
import type { App } from '#catalog'
import { constantTimeEqual, sha256 } from '#core/digest'
import { Refusal } from '#core/refusal'
import type { PageRequest, Target } from '#http'
import type { Reply } from './dialect.ts'
import { type AppKeys, appCookie } from './keys-to-apps.ts'
import { openingCookie } from './opening.ts'
import type { ForwardAuthOptions } from './options.ts'
import type { Replies } from './replies.ts'

/** Below it nothing is the app's. */
export const OWN = '/.portico/'
export const CALLBACK = `${OWN}callback`
const SIGN_OUT = `${OWN}sign-out`

/**
 * Throws Refusal `path-ambiguous` for another spelling of one.
 * ATTACK: a proxy that chooses by the decoded path hands our whole answer to the browser there, and what would have let the app's
 * request pass has the app's token in it.
 */
export function isOwn({ uri, path }: Pick<Target, 'uri'> & { path: string }): boolean {
  if (!path.toLowerCase().startsWith(OWN)) return false
  if (!uri.startsWith(OWN)) throw new Refusal('path-ambiguous')
  return true
}

export function createOwnPaths(
  rooms: ForwardAuthOptions & { readonly keysToApps: AppKeys; readonly replies: Replies },
) {
  const { issuer, sessions, audit, diagnosis, keysToApps, replies } = rooms

  /**
   * ATTACK: whoever has seen the address (a log, a history, a referrer) brings the code into another browser; or sends their own to
   * somebody else, who would then work in their account. Only the browser in which it was begun has the nonce.
   */
  async function callback(
    app: App,
    target: Target,
    cookies: ReadonlyMap<string, string>,
    request: string,
  ): Promise<Reply> {
    const code = new URLSearchParams(target.query).get('code') ?? ''
    const given = await keysToApps.spend(code)
    const name = given && openingCookie(given.nonce)
    const nonce = name === undefined ? undefined : cookies.get(name)
    const session = given && (await sessions.byId(given.session))
    const good =
      nonce !== undefined &&
      constantTimeEqual(sha256(nonce), given!.nonce) &&
      given!.app === app.id &&
      given!.origin === target.origin &&
      session?.personId === given!.person
    if (!good) {
      if (given)
        await audit.record('opening-refused', {
          actor: given.person,
          subject: given.person,
          app: given.app,
          session: given.session,
        })
      const seen = { error: 'cookie-missing', cookie: 'opening' } as const
      // whoever was let in a moment ago, and comes without the cookie that was set before that
      const lost = given?.app === app.id && nonce === undefined
      const reference = lost ? await diagnosis.failed({ app, request, stage: 'opening', seen }) : undefined
      const detail = given ? 'code of another browser, host or session' : 'no such code'
      throw new Refusal('conversation-expired', detail, { reference })
    }
    diagnosis.redeemed(app.id, given!.session)
    await diagnosis.worked(app.id, 'opening')
    // what this browser had before opens nothing any more
    await keysToApps.forget(cookies.get(appCookie(target.host)))
    const cookie = await keysToApps.make(given!, session!)
    return replies.redirect(`${given!.origin}${given!.uri}`, target.secure, [
      { name: appCookie(target.host), value: cookie },
      { name: name!, value: '' },
    ])
  }

  return async (
    app: App,
    target: Target,
    cookies: ReadonlyMap<string, string>,
    request: PageRequest,
  ): Promise<Reply> => {
    const path = target.method === 'GET' ? target.path : undefined
    if (path === CALLBACK) return callback(app, target, cookies, request.id)
    // there the person is asked, and the end of the session ends this app as well
    if (path === SIGN_OUT) return replies.redirect(`${issuer}/signout`, target.secure)
    return replies.refused('not-found', { target, request })
  }
}
