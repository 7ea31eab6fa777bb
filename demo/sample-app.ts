/** A sample app: a real relying party on openid-client. It knows nothing of Portico but the issuer's address. */
import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import * as oidc from 'openid-client'
import type { SampleApp } from './apps.ts'
import { listen, stopServer } from './listen.ts'

interface Pending {
  readonly verifier: string
  readonly state: string
  readonly nonce: string
  /** The browser in which it was begun: a link to somebody else's sign-in leads nowhere. */
  readonly browser: string
  /** Where the person wanted to go. */
  readonly path: string
}

interface SignedIn {
  readonly sub: string
  readonly sid: string | undefined
  readonly name: string
  readonly claims: Record<string, unknown>
  readonly idToken: string
}

export interface RunningApp {
  readonly app: SampleApp
  close(): Promise<void>
}

/** Pages that somebody may have a link to. */
const CUSTOMER = '/customer/'

const escaped = (text: string) => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`)

export async function startSampleApp(
  app: SampleApp,
  options: { issuer: string; outside: string; clientSecret: string },
): Promise<RunningApp> {
  const { issuer, outside, clientSecret } = options
  const configuration = await oidc.discovery(
    new URL(issuer),
    app.id,
    clientSecret,
    oidc.ClientSecretBasic(clientSecret),
    { execute: [oidc.allowInsecureRequests] },
  )
  const keys = createRemoteJWKSet(new URL(configuration.serverMetadata().jwks_uri!))
  const own = `http://localhost:${app.port}`
  /** By state: people open many tabs at once. */
  const pending = new Map<string, Pending>()
  const sessions = new Map<string, SignedIn>()

  const routes: Record<string, (request: IncomingMessage, response: ServerResponse, url: URL) => Promise<void>> = {
    async '/'(request, response, url) {
      const signedIn = sessions.get(cookie(request))
      const pretend = url.searchParams.has('outside')
      if (!signedIn || pretend) return begin(response, pretend ? outside : issuer, url.pathname)
      const customer = url.pathname === '/' ? '' : `<p>Customer ${escaped(url.pathname.slice(CUSTOMER.length))}</p>`
      page(
        response,
        app.name,
        `<p>Hello ${escaped(signedIn.name)}.</p>${customer}<p>${escaped(app.line)}</p>${facts(signedIn)}<p><a href="${issuer}/">All apps</a> · <a href="/sign-out">Sign out</a></p>`,
      )
    },

    async '/callback'(request, response, url) {
      const state = url.searchParams.get('state') ?? ''
      const begun = pending.get(state)
      pending.delete(state)
      if (!begun || begun.browser !== cookie(request, `-${state}`))
        return page(
          response,
          app.name,
          '<p>This sign-in is not known here any more. <a href="/">Start again</a></p>',
          400,
        )
      if (url.searchParams.has('error')) {
        const said = url.searchParams.get('error_description') ?? url.searchParams.get('error') ?? ''
        return page(
          response,
          app.name,
          `<p>Portico did not let you in: ${escaped(said)}.</p><p><a href="${issuer}/">All apps</a></p>`,
          403,
        )
      }
      const tokens = await oidc.authorizationCodeGrant(configuration, new URL(url.pathname + url.search, own), {
        pkceCodeVerifier: begun.verifier,
        expectedState: begun.state,
        expectedNonce: begun.nonce,
        idTokenExpected: true,
      })
      const claims = tokens.claims()!
      const userinfo = await oidc.fetchUserInfo(configuration, tokens.access_token, claims.sub)
      // a new session id at sign-in: what the browser had before is worth nothing
      const session = randomBytes(24).toString('base64url')
      sessions.set(session, {
        sub: claims.sub,
        sid: claims['sid'] as string | undefined,
        name: String(userinfo.name ?? claims.sub),
        claims: { ...claims, ...userinfo },
        idToken: tokens.id_token!,
      })
      response.writeHead(303, { location: begun.path, 'set-cookie': cookieOf(session) }).end()
    },

    async '/sign-out'(request, response) {
      const signedIn = sessions.get(cookie(request))
      sessions.delete(cookie(request))
      const target = oidc.buildEndSessionUrl(configuration, {
        post_logout_redirect_uri: `${own}/signed-out`,
        ...(signedIn ? { id_token_hint: signedIn.idToken } : {}),
      })
      response.writeHead(303, { location: target.href }).end()
    },

    async '/signed-out'(_request, response) {
      page(response, app.name, '<p>You are signed out.</p><p><a href="/">Sign in again</a></p>')
    },

    /** OIDC Back-Channel Logout 1.0 §2.6. */
    async '/backchannel-logout'(request, response) {
      let body = ''
      for await (const chunk of request) body += chunk
      const token = new URLSearchParams(body).get('logout_token') ?? ''
      const { payload } = await jwtVerify(token, keys, { issuer, audience: app.id })
      if (
        payload['nonce'] !== undefined ||
        !Object.hasOwn(Object(payload['events']), 'http://schemas.openid.net/event/backchannel-logout')
      )
        throw new Error('not a logout token')
      for (const [id, session] of sessions)
        if (session.sid === payload['sid'] || (!payload['sid'] && session.sub === payload.sub)) sessions.delete(id)
      response.writeHead(200, { 'cache-control': 'no-store' }).end()
    },
  }

  async function begin(response: ServerResponse, through: string, path: string): Promise<void> {
    const [verifier, state, nonce] = [oidc.randomPKCECodeVerifier(), oidc.randomState(), oidc.randomNonce()]
    const begun: Pending = { verifier, state, nonce, browser: randomBytes(24).toString('base64url'), path }
    pending.set(state, begun)
    const target = oidc.buildAuthorizationUrl(configuration, {
      redirect_uri: `${own}/callback`,
      scope: 'openid profile email groups',
      code_challenge: await oidc.calculatePKCECodeChallenge(begun.verifier),
      code_challenge_method: 'S256',
      state: begun.state,
      nonce: begun.nonce,
    })
    const held = `${cookieOf(begun.browser, `-${state}`)}; Max-Age=3600`
    response.writeHead(303, { location: target.href.replace(issuer, through), 'set-cookie': held }).end()
  }

  const cookieName = `sample-${app.id}`
  const cookie = (request: IncomingMessage, which = '') =>
    new RegExp(`(?:^|; )${cookieName}${which}=([^;]*)`).exec(request.headers.cookie ?? '')?.[1] ?? ''
  const cookieOf = (value: string, which = '') => `${cookieName}${which}=${value}; Path=/; HttpOnly; SameSite=Lax`

  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', own)
    const name = url.pathname.startsWith(CUSTOMER) ? '/' : url.pathname
    const route = Object.hasOwn(routes, name) ? routes[name] : undefined
    if (!route) return page(response, app.name, '<p>There is nothing here.</p>', 404)
    route(request, response, url).catch((error) =>
      page(response, app.name, `<p>Sign-in failed: ${escaped(String(error?.code ?? error?.message))}</p>`, 400),
    )
  })
  await listen(server, app.port)
  return { app, close: () => stopServer(server) }
}

function facts({ claims }: SignedIn): string {
  const rows = ['sub', 'acr', 'amr', 'auth_time', 'groups', 'email'].map(
    (name) => `<tr><th>${name}</th><td>${escaped(String(claims[name] ?? '–'))}</td></tr>`,
  )
  return `<table>${rows.join('')}</table>`
}

function page(response: ServerResponse, title: string, body: string, status = 200): void {
  response.writeHead(status, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' })
  response.end(
    `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escaped(title)}</title><style>body{font:1rem/1.5 system-ui;max-width:40rem;margin:3rem auto;padding:0 1rem}th{text-align:left;padding-right:1rem;font-weight:600}td{word-break:break-all}</style><h1>${escaped(title)}</h1>${body}`,
  )
}
