/**
 * A code for somebody signed in who opens an app (RFC 6749 §4.1.2, OIDC Core §3.1.2.5): what the browser asks for dozens of times a
 * shift. One shape only: an app of ours with PKCE by S256, scopes of a sign-in that are new to this session or the same as before,
 * and a verdict that lets the person in as they are. Everybody else, and everything that would be refused or asked about, goes on
 * to the engine, which finds the same verdict and the same receipt.
 *
 * INVARIANT: nothing is written before the verdict but what the question itself writes, and nothing given without it.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Provider } from 'oidc-provider'
import type { Access } from '#access'
import type { App, Catalog } from '#catalog'
import { randomId } from '#core/random'
import type { People } from '#directory'
import { requestContext } from '#http'
import type { Session } from '#sessions'
import { settled } from '#storage'
import { SIGN_IN_SCOPES } from '../account.ts'
import type { Bridge, Visitor } from '../bridge.ts'
import type { Diagnosing } from '../diagnosing.ts'
import { type Consents, grantFor } from '../grants.ts'
import type { createQuestioning } from '../question.ts'
import { keepLimits } from '../token-limits.ts'

export interface SignOnRooms {
  readonly engine: Provider
  readonly issuer: string
  readonly access: Pick<Access, 'policies'>
  readonly catalog: Pick<Catalog, 'apps' | 'documents'>
  readonly people: Pick<People, 'byId'>
  readonly bridge: Pick<Bridge, 'openedIn' | 'open'>
  readonly consents: Consents
  readonly questioning: Pick<ReturnType<typeof createQuestioning>, 'askPlainly'>
  readonly diagnosing: Pick<Diagnosing, 'signedOn'>
}

/** Answers the request and says so, or leaves it as it came. */
export type SignOn = (request: IncomingMessage, response: ServerResponse, visitor: Visitor) => Promise<boolean>

type Code = InstanceType<Provider['AuthorizationCode']>
type Grant = InstanceType<Provider['Grant']>
type Fields = ReadonlyMap<string, string>

const LONGEST_QUERY = 2048
const NEEDED = ['client_id', 'redirect_uri', 'response_type', 'scope', 'code_challenge', 'code_challenge_method']
const OPTIONAL = ['state', 'nonce', 'prompt', 'response_mode']
const NAMES: ReadonlySet<string> = new Set([...NEEDED, ...OPTIONAL])
/** Where two readers of addresses could differ the engine reads alone. */
const PLAIN_URI = /^https?:\/\/[a-z0-9.-]+(?::\d+)?(?:\/[A-Za-z0-9._~/-]*)?(?:\?[A-Za-z0-9._~=&-]*)?$/
const HEADERS = Object.freeze({
  'content-security-policy': "default-src 'none'; script-src; base-uri 'none'; frame-ancestors 'none'",
  'cache-control': 'no-store',
  'content-type': 'text/html; charset=utf-8',
})

export function createSignOn(rooms: SignOnRooms): SignOn {
  const { engine, issuer, access, catalog, people, bridge, consents, questioning, diagnosing } = rooms

  /** Registered by us, for us, and in nothing unusual. */
  async function usualApp(id: string): Promise<App | undefined> {
    const app = catalog.documents?.covers(id) || id.length > 64 ? undefined : await catalog.apps.find(id)
    const { oidc } = app ?? {}
    if (!app?.firstParty || !oidc?.grantTypes.includes('authorization_code')) return undefined
    if (oidc.profile || oidc.requirePushedAuthorizationRequests || oidc.requireSignedRequestObject) return undefined
    return oidc.claims.inIdToken ? undefined : app
  }

  /** The session's grant for the app, where it holds all of this and nothing that changes what a code says. */
  async function plainGrant(session: Session, app: App, scopes: readonly string[], id: string) {
    const grant = await engine.Grant.find(id)
    if (!grant?.isValid || grant.clientId !== app.id || grant.accountId !== session.personId) return undefined
    const has = grant.getOIDCScope().split(' ')
    const more = (grant as Grant & { rar?: readonly unknown[] }).rar?.length ?? grant.getRejectedOIDCClaims().length
    return more === 0 && scopes.every((scope) => has.includes(scope)) ? grant : undefined
  }

  /** To be called after the verdict. */
  const newGrant = (session: Session, app: App, scopes: readonly string[]) =>
    grantFor(
      {
        provider: engine,
        session: { grantIdFor: () => undefined },
        ...{ clientId: app.id, accountId: session.personId, scopes: new Set(scopes), signInScopes: scopes },
        ...{ claims: [], details: false, addToIdToken: () => {} },
      },
      app,
      consents,
      [],
    )

  return async (request, response, visitor) => {
    const fields = readQuery(request)
    const { session } = visitor
    const app = fields && session && (await usualApp(fields.get('client_id')!))
    if (!app || !session) return false
    const redirectUri = fields.get('redirect_uri')!
    const scopes = [...new Set(fields.get('scope')!.split(' '))]
    if (!app.oidc!.redirectUris.includes(redirectUri) || !scopes.every((scope) => maySign(app, scope))) return false
    const [client, person] = await Promise.all([engine.Client.find(app.id), people.byId(session.personId)])
    const opened = (await bridge.openedIn(session, app.id)) ?? {}
    const known = opened.grantId === undefined ? undefined : await plainGrant(session, app, scopes, opened.grantId)
    if (!client || !person || person.disabled || (opened.grantId !== undefined && !known)) return false

    const asked = await questioning.askPlainly(request, { app, person, visitor })
    const { verdict } = asked
    if (verdict.outcome !== 'allow' || verdict.decision.unmet || verdict.authTime === undefined) return false
    const grant = known ?? (await newGrant(session, app, scopes))
    if (!grant) return false
    const sid = opened.sid ?? randomId(32)
    if (!known || sid !== opened.sid) await bridge.open(session, app.id, { ...opened, sid, grantId: grant.jti })
    const code = new engine.AuthorizationCode({
      accountId: person.id,
      acr: verdict.acr,
      amr: [...verdict.amr],
      authTime: Math.floor(verdict.authTime / 1000),
      client,
      codeChallenge: fields.get('code_challenge'),
      codeChallengeMethod: 'S256',
      expiresWithSession: true,
      grantId: grant.jti,
      nonce: fields.get('nonce'),
      redirectUri,
      scope: grant.getOIDCScopeFiltered(new Set(scopes)),
      sessionUid: session.id,
      sid,
    } as unknown as ConstructorParameters<typeof engine.AuthorizationCode>[0]) as Code
    keepLimits(code, asked, access.policies.current())
    const location = locationOf(redirectUri, { code: await code.save(), state: fields.get('state'), iss: issuer })
    await diagnosing.signedOn({
      ...{ app, request: requestContext(request).id, session: session.id, asked: scopes },
      ...{ silently: fields.get('prompt') === 'none', groups: scopes.includes('groups') },
    })
    const body = Buffer.from(`Redirecting to ${location.replaceAll('&', '&amp;')}.`)
    // INVARIANT: the code leaves after it, and the receipt, are on the disk
    await settled()
    response.writeHead(303, { ...HEADERS, location, 'content-length': body.length })
    response.end(body)
    return true
  }
}

/** Registered, and no more than what a sign-in is about. Whoever wants to stay longer than the session asks the engine. */
const maySign = (app: App, scope: string): boolean =>
  SIGN_IN_SCOPES.has(scope) && scope !== 'offline_access' && app.oidc!.scopes.includes(scope)

/** The fields of a request that has nothing unusual about it. */
function readQuery({ method, url = '', headers }: IncomingMessage): Fields | undefined {
  const query = url.slice(url.indexOf('?') + 1)
  if (method !== 'GET' || query.length > LONGEST_QUERY || !/^text\/html(?:,|$)/.test(headers.accept ?? 'text/html'))
    return undefined
  // nothing that two readers could decode in two ways
  if (!/^[\x21-\x7e]+$/.test(query) || /%(?![0-9A-Fa-f]{2})/.test(query)) return undefined
  const pairs = [...new URLSearchParams(query)]
  const fields = new Map(pairs)
  const isUsual = pairs.every(([name, value]) => NAMES.has(name) && value !== '' && !value.includes('\ufffd'))
  if (!isUsual || fields.size !== pairs.length || !NEEDED.every((name) => fields.has(name))) return undefined
  if (fields.get('response_type') !== 'code' || (fields.get('response_mode') ?? 'query') !== 'query') return undefined
  if ((fields.get('prompt') ?? 'none') !== 'none') return undefined
  // RFC 7636 §4.2
  if (fields.get('code_challenge_method') !== 'S256' || !/^[\w-]{43}$/.test(fields.get('code_challenge')!))
    return undefined
  const scopes = fields.get('scope')!.split(' ')
  return scopes.includes('openid') && PLAIN_URI.test(fields.get('redirect_uri')!) ? fields : undefined
}

/** RFC 6749 §4.1.2, RFC 9207 §2. */
function locationOf(uri: string, answer: { code: string; state: string | undefined; iss: string }): string {
  const location = new URL(uri)
  for (const [name, value] of Object.entries(answer)) if (value !== undefined) location.searchParams.set(name, value)
  return location.href
}
