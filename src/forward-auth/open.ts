/** Puts the door together: the endpoints that proxies ask, and the page that browsers come to. */
import type { IncomingMessage } from 'node:http'
import { type Millis, seconds } from '#core/clock'
import { Refusal } from '#core/refusal'
import {
  addressOf,
  type BareHandler,
  createNetworks,
  normaliseAddress,
  type PageRequest,
  type ProxyHeaders,
  pageRequestOf,
  parseCookies,
  type Route,
  readHeaders,
  refuseTunnels,
  type Target,
  targetOf,
} from '#http'
import type { Dialect, Reply } from './dialect.ts'
import { DIALECTS } from './dialects/list.ts'
import { namesFor } from './identity.ts'
import { appCookie, createAppKeys } from './keys-to-apps.ts'
import { createOpenings, OPENING_LIFE, openingCookie } from './opening.ts'
import type { ForwardAuthOptions } from './options.ts'
import { createOwnPaths, isOwn } from './own-paths.ts'
import { createReplies, isNavigation } from './replies.ts'
import { ruleFor } from './rules.ts'
import { createStart, START } from './start.ts'
import { refuseForeignSocket } from './upgrades.ts'
import { createVerdicts } from './verdicts.ts'

export interface ForwardAuthDoor {
  readonly raw: readonly BareHandler[]
  readonly routes: readonly Route[]
}

/** The same cause is logged once in so long: anybody could fill the log otherwise. */
const LOGGED_AGAIN: Millis = seconds(10)

export function openForwardAuth(options: ForwardAuthOptions): ForwardAuthDoor {
  const { issuer, clock, log, catalog, people, sessions, storage, keys } = options
  const proxies = createNetworks(options.proxies)
  const openings = createOpenings({ key: keys.derive('forward-auth openings'), clock })
  const keysToApps = createAppKeys({ state: storage.state, clock })
  const replies = createReplies(options)
  const rooms = { ...options, openings, keysToApps, replies }
  const verdicts = createVerdicts(options)
  const ownPath = createOwnPaths(rooms)

  /** Throws Refusal for everything that is not to be judged at all. */
  async function judge(request: IncomingMessage, target: Target, headers: ProxyHeaders): Promise<Reply> {
    // what is known is not waited for: each wait would cost more than the look
    const named = catalog.apps.findNamed({ kind: 'host', name: target.host })
    const app = named instanceof Promise ? await named : named
    if (!app?.forwardAuth) throw new Refusal('app-unknown', 'host is not registered')
    // ATTACK: a proxy may choose the app by one name (the first line, a default, without the port) and tell us another
    if (target.app !== undefined && target.app !== app.id)
      throw new Refusal('app-unknown', 'host is of another app than the proxy stands before')
    headers.refuseTwins(namesFor(app))
    refuseTunnels(request.headers)
    const page = () => pageRequestOf(request, issuer)
    const { path } = target
    if (path === undefined) throw new Refusal('path-ambiguous')
    const cookies = parseCookies(request.headers.cookie, target.secure)
    if (isOwn({ ...target, path })) return ownPath(app, target, cookies, page())
    const { rules } = app.forwardAuth
    const rule = ruleFor(rules, { ...target, path }, request.headers)
    if (rule.access === 'public') return replies.open(app)
    if (rule.access === 'deny') return replies.denied(app, target, page())

    refuseForeignSocket(app, target, request.headers)
    const found = keysToApps.find(cookies.get(appCookie(target.host)))
    const key = found instanceof Promise ? await found : found
    const fits = key?.app === app.id && key.origin === target.origin
    const opened = fits ? sessions.recall(key.session) : undefined
    const session = opened instanceof Promise ? await opened : opened
    const known = session?.personId === key?.person && session ? people.recall(session.personId) : undefined
    const person = known instanceof Promise ? await known : known
    if (!key || !session || !person || person.disabled) return signIn(target, cookies, page())
    const address = addressOf(request)
    const visit = { app, rule, key, session, person, address }
    const verdict = verdicts.of(visit, `${key.id} ${rules.indexOf(rule)}`)
    const judged = verdict instanceof Promise ? await verdict : verdict
    const { outcome, reference } = judged.verdict
    if (outcome === 'allow' && judged.identity) {
      const touched = sessions.touch(session)
      if (touched) await touched
      return { status: 200, headers: judged.identity.headers }
    }
    if (outcome === 'deny') return replies.denied(app, target, page(), reference)
    return signIn(target, cookies, page(), judged)
  }

  /** A browser goes to our page, where the question is put again; everything else is told what it lacks. */
  function signIn(
    target: Target,
    cookies: ReadonlyMap<string, string>,
    request: PageRequest,
    judged?: Awaited<ReturnType<typeof verdicts.of>>,
  ): Reply {
    if (!isNavigation(target, request.headers))
      return replies.challenge(target, request, judged?.verdict.person ? judged.verdict : undefined)
    const { nonce, opening, token } = openings.begin(target, cookies)
    return replies.redirect(`${issuer}${START}?o=${token}`, target.secure, [
      { name: openingCookie(opening.nonce), value: nonce, maxAge: OPENING_LIFE },
    ])
  }

  const logged = new Map<string, number>()
  function note(refusal: Refusal, dialect: Dialect): void {
    const cause = refusal.detail ?? refusal.code
    const now = clock.now()
    if (now - (logged.get(cause) ?? -Infinity) < LOGGED_AGAIN) return
    logged.set(cause, now)
    log.warn('forward-auth-refused', { dialect: dialect.name, code: refusal.code, detail: cause })
  }

  async function answer(dialect: Dialect, request: IncomingMessage): Promise<Reply> {
    let target: Target | undefined
    try {
      // INVARIANT: from anybody else all that follows is just what they say
      if (!proxies.has(normaliseAddress(request.socket.remoteAddress) ?? '')) throw new Refusal('proxy-unknown')
      const headers = readHeaders(request)
      target = targetOf(dialect.read(request, headers))
      return await judge(request, target, headers)
    } catch (error) {
      if (!(error instanceof Refusal) || error.status >= 500) throw error
      note(error, dialect)
      // a host that nobody registered has no page of ours
      const on = error.code === 'app-unknown' ? undefined : target
      const status = error.status === 404 ? 403 : error.status
      const { reference } = error
      return replies.refused(error.code, { status, target: on, request: pageRequestOf(request, issuer), reference })
    }
  }

  return {
    raw: DIALECTS.map((dialect) => ({
      prefix: dialect.prefix,
      async answer(request) {
        return dialect.write(await answer(dialect, request))
      },
    })),
    routes: [{ method: 'GET', path: START, handle: createStart(rooms) }],
  }
}
