/** A sample app on OpenID Connect that does everything right, but for the one fault that it is given. */
import { createHash } from 'node:crypto'
import {
  compactVerify,
  createLocalJWKSet,
  exportSPKI,
  importJWK,
  type JSONWebKeySet,
  type JWK,
  type JWTPayload,
} from 'jose'
import { type Heard, home, type LabApp, newId, type Said, startLabServer } from './server.ts'

/** Each by itself makes one sample app. */
export type OidcFault =
  | 'ignores-state'
  | 'takes-no-state'
  | 'state-for-all-browsers'
  | 'keeps-state'
  | 'ignores-response-iss'
  | 'no-pkce'
  | 'plain-pkce'
  | 'forgets-verifier'
  | 'no-pkce-no-nonce'
  | 'ignores-nonce'
  | 'takes-no-nonce'
  | 'ignores-iss'
  | 'ignores-aud'
  | 'any-of-aud'
  | 'ignores-exp'
  | 'takes-no-exp'
  | 'ignores-nbf'
  | 'takes-no-sub'
  | 'accepts-alg-none'
  | 'accepts-empty-signature'
  | 'hmac-with-public-key'
  | 'ignores-signature'
  | 'trusts-key-in-header'
  | 'trusts-key-address'
  | 'ignores-userinfo-sub'
  | 'userinfo-only'
  | 'logout-does-nothing'
  | 'logout-unsigned'
  | 'logout-ignores-signature'
  | 'logout-ignores-iss'
  | 'logout-ignores-aud'
  | 'logout-ignores-events'
  | 'logout-takes-nonce'
  | 'logout-ignores-exp'
  | 'logout-ends-all'
  | 'logout-takes-nobody-for-all'
  | 'logout-sid-or-nobody'

export interface OidcAppOptions {
  readonly issuer: () => string
  readonly clientId: string
  readonly secret: () => string
  readonly fault?: OidcFault
  readonly userinfo?: boolean
  /** What the front page tells: who is in, that somebody is in, or the same to everybody. */
  readonly front?: 'who' | 'that' | 'same'
  /** After a refusal the front page says once who was refused. */
  readonly complains?: boolean
  /** After so many refusals it lets nobody in any more. */
  readonly locksAfter?: number
  /** Other than its own. */
  readonly redirectUri?: string
  /** Where somebody is sent who was let in; its front page unless given. */
  readonly leadsTo?: string
}

interface Begun {
  readonly state: string
  readonly nonce: string | undefined
  readonly verifier: string | undefined
}

interface Session {
  readonly name: string
  readonly sub: string | undefined
  readonly sid: unknown
}

const EVENT = 'http://schemas.openid.net/event/backchannel-logout'
const part = (text: string | undefined) => JSON.parse(Buffer.from(text ?? '', 'base64url').toString() || '{}')
const insist = (holds: boolean, what: string) => {
  if (!holds) throw new Error(what)
}
const get = async (url: string, headers: Record<string, string> = {}) => (await fetch(url, { headers })).json()

export async function startOidcApp(options: OidcAppOptions): Promise<LabApp> {
  const { issuer, clientId, secret, fault, userinfo = true, front = 'who' } = options
  let refused = 0
  const begun = new Map<string, Begun>()
  const sessions = new Map<string, Session>()
  const has = (...faults: OidcFault[]) => fault !== undefined && faults.includes(fault)

  async function verified(token: string, of: 'id' | 'logout'): Promise<JWTPayload> {
    const [head, payload, signature] = token.split('.')
    const header = part(head) as { alg: string; kid?: string; jwk?: JWK; jku?: string }
    const claims = part(payload) as JWTPayload
    if (of === 'id' && has('ignores-signature')) return claims
    if (of === 'logout' && has('logout-ignores-signature')) return claims
    if (header.alg === 'none' && has(of === 'id' ? 'accepts-alg-none' : 'logout-unsigned')) return claims
    if (signature === '' && of === 'id' && header.alg === 'RS256' && has('accepts-empty-signature')) return claims
    const keys = (await get(`${issuer()}/jwks`)) as JSONWebKeySet
    if (of === 'id' && header.alg === 'HS256' && has('hmac-with-public-key')) {
      const pem = await exportSPKI((await importJWK(keys.keys[0]!, 'RS256')) as CryptoKey)
      for (const text of [pem, `${pem}\n`, pem.trim()]) {
        const good = await compactVerify(token, Buffer.from(text)).catch(() => undefined)
        if (good) return claims
      }
    }
    if (of === 'id' && header.jwk && has('trusts-key-in-header')) {
      await compactVerify(token, await importJWK(header.jwk, 'RS256'))
      return claims
    }
    if (of === 'id' && header.jku && has('trusts-key-address')) {
      const {
        keys: [one],
      } = (await get(header.jku)) as JSONWebKeySet
      await compactVerify(token, await importJWK(one!, 'RS256'))
      return claims
    }
    await compactVerify(token, createLocalJWKSet(keys), { algorithms: ['RS256'] })
    return claims
  }

  async function idToken(token: string, { nonce }: Begun): Promise<JWTPayload> {
    const claims = await verified(token, 'id')
    const now = Date.now() / 1000
    const audience = [claims.aud ?? []].flat()
    insist(claims.iss === issuer() || has('ignores-iss'), 'iss')
    insist(audience.includes(clientId) || has('ignores-aud'), 'aud')
    insist(audience.length < 2 || claims['azp'] === clientId || has('any-of-aud', 'ignores-aud'), 'azp')
    insist((claims.exp === undefined ? has('takes-no-exp') : claims.exp > now) || has('ignores-exp'), 'exp')
    insist(claims.nbf === undefined || claims.nbf <= now || has('ignores-nbf'), 'nbf')
    insist(claims.sub !== undefined || has('takes-no-sub'), 'sub')
    const lax = has('ignores-nonce') || (claims['nonce'] === undefined && has('takes-no-nonce'))
    insist(claims['nonce'] === nonce || lax, 'nonce')
    return claims
  }

  function login(origin: string): Said {
    const bare = has('no-pkce-no-nonce')
    const one: Begun = {
      state: newId(),
      nonce: bare ? undefined : newId(),
      verifier: bare || has('no-pkce') ? undefined : newId() + newId(),
    }
    const key = newId()
    begun.set(key, one)
    const query = new URLSearchParams({
      client_id: clientId,
      response_type: 'code',
      scope: 'openid profile email',
      redirect_uri: options.redirectUri ?? `${origin}/callback`,
      state: one.state,
      ...(one.nonce === undefined ? {} : { nonce: one.nonce }),
      ...(one.verifier === undefined
        ? {}
        : has('plain-pkce')
          ? { code_challenge: one.verifier, code_challenge_method: 'plain' }
          : {
              code_challenge: createHash('sha256').update(one.verifier).digest('base64url'),
              code_challenge_method: 'S256',
            }),
    })
    return { location: `${issuer()}/auth?${query}`, cookies: [`tx=${key}; Path=/; HttpOnly`] }
  }

  async function callback({ url, cookie }: Heard, origin: string): Promise<Said> {
    const state = url.searchParams.get('state')
    const found = has('state-for-all-browsers')
      ? [...begun].find(([, one]) => one.state === state)
      : ([cookie('tx') ?? '', begun.get(cookie('tx') ?? '')] as const)
    const [key, one] = found ?? []
    if (!one) throw new Error('nothing was begun here')
    insist(state === one.state || has('ignores-state') || (state === null && has('takes-no-state')), 'state')
    insist(url.searchParams.get('iss') === issuer() || has('ignores-response-iss'), 'response iss')
    if (!has('keeps-state')) begun.delete(key!)
    const answer = await fetch(`${issuer()}/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(`${clientId}:${secret()}`).toString('base64')}` },
      body: new URLSearchParams({
        grant_type: 'authorization_code',
        code: url.searchParams.get('code') ?? '',
        redirect_uri: `${origin}/callback`,
        ...(one.verifier === undefined || has('forgets-verifier') ? {} : { code_verifier: one.verifier }),
      }),
    })
    insist(answer.status === 200, `token endpoint: ${answer.status}`)
    const tokens = (await answer.json()) as { access_token: string; id_token: string }
    const bearer = { authorization: `Bearer ${tokens.access_token}` }
    if (has('userinfo-only')) {
      const who = (await get(`${issuer()}/userinfo`, bearer)) as { sub: string; name: string }
      return signedIn({ name: who.name, sub: who.sub, sid: undefined })
    }
    const claims = await idToken(tokens.id_token, one)
    if (!userinfo) return signedIn({ name: String(claims['name']), sub: claims.sub, sid: claims['sid'] })
    const who = (await get(`${issuer()}/userinfo`, bearer)) as { sub: string; name: string }
    insist(who.sub === claims.sub || has('ignores-userinfo-sub', 'takes-no-sub'), 'userinfo sub')
    return signedIn({ name: who.name, sub: claims.sub, sid: claims['sid'] })
  }

  function signedIn(session: Session): Said {
    const key = newId()
    sessions.set(key, session)
    return {
      location: options.leadsTo ?? '/',
      cookies: [`sid=${key}; Path=/; HttpOnly`, ...(has('keeps-state') ? [] : ['tx=; Path=/; Max-Age=0'])],
    }
  }

  function frontPage({ cookie }: Heard): Said {
    const name = sessions.get(cookie('sid') ?? '')?.name
    const complaint = cookie('complaint')
    if (complaint)
      return { body: `<p>Sorry, ${decodeURIComponent(complaint)}</p>`, cookies: ['complaint=; Max-Age=0; Path=/'] }
    if (front === 'same') return { body: '<h1>Sample</h1>' }
    return front === 'that' && name !== undefined ? { body: '<h1>Welcome</h1>' } : home(name)
  }

  /** Refusals are counted, or told to whoever was refused. */
  async function warily(heard: Heard, origin: string): Promise<Said> {
    if (options.locksAfter !== undefined && refused >= options.locksAfter) return { status: 429 }
    try {
      return await callback(heard, origin)
    } catch (error) {
      refused++
      if (!options.complains) throw error
      const complaint = encodeURIComponent('Alma Probewell could not be signed in')
      // shown on the page that is opened next, whichever that is
      return { status: 400, cookies: [`complaint=${complaint}; Path=/`] }
    }
  }

  async function logout({ form }: Heard): Promise<Said> {
    if (has('logout-does-nothing')) return { status: 200 }
    const claims = await verified(form.get('logout_token') ?? '', 'logout')
    insist(claims.iss === issuer() || has('logout-ignores-iss'), 'iss')
    insist([claims.aud].flat().includes(clientId) || has('logout-ignores-aud'), 'aud')
    insist((claims.exp ?? 0) > Date.now() / 1000 || has('logout-ignores-exp'), 'exp')
    insist(
      (claims['events'] as object | undefined)?.[EVENT as never] !== undefined || has('logout-ignores-events'),
      'events',
    )
    insist(claims['nonce'] === undefined || has('logout-takes-nonce'), 'nonce')
    const unnamed = claims.sub === undefined && claims['sid'] === undefined
    insist(!unnamed || has('logout-ends-all', 'logout-takes-nobody-for-all'), 'nobody is named')
    for (const [key, { sub, sid }] of sessions) {
      const wanted = claims['sid'] === undefined ? claims.sub === sub : claims['sid'] === sid
      const loose = has('logout-sid-or-nobody') && claims.sub === undefined
      if (wanted || loose || has('logout-ends-all') || unnamed) sessions.delete(key)
    }
    return { status: 200 }
  }

  return startLabServer(async (heard, origin) => {
    switch (heard.url.pathname) {
      case '/':
        return frontPage(heard)
      case '/login':
        return login(origin)
      case '/callback':
        return options.locksAfter === undefined && !options.complains ? callback(heard, origin) : warily(heard, origin)
      case '/backchannel':
        return logout(heard)
      default:
        return { status: 404 }
    }
  })
}
