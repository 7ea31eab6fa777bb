/** One OpenID provider under load: its endpoints, and the flows that the scenarios are made of. */
import { createHash, randomBytes } from 'node:crypto'
import { deflateRawSync } from 'node:zlib'
import { PROXIED_HOST } from '../subjects.ts'
import { Browser, findForm } from './browser.ts'
import { Connection, type Headers, headerOf } from './connection.ts'

export interface TargetClient {
  readonly id: string
  readonly secret: string
  readonly scope?: string
}

/** What is loaded, as `target.json` says. */
export interface Target {
  readonly name: string
  readonly issuer: string
  readonly redirectUri: string
  /** People are `user0`, `user1` …, all with this password. */
  readonly password: string
  /** Confidential, client_credentials. */
  readonly machine: TargetClient
  /** Confidential, code + PKCE, consent implied. */
  readonly web: TargetClient
  /** The same, and gets refresh tokens. */
  readonly webRefresh: TargetClient
}

export interface Tokens {
  readonly access_token: string
  readonly id_token?: string
  readonly refresh_token?: string
}

type Fields = Readonly<Record<string, string | undefined>>
interface Post {
  readonly headers: Headers
  readonly body: string
}

/** The entity id of the app that speaks SAML. */
export const SAML_APP = 'https://saml.bench.example/metadata'
const FORM = 'application/x-www-form-urlencoded'
const MOST_PAGES = 6

const encoded = (fields: Fields): string => {
  const given = Object.entries(fields).filter((field): field is [string, string] => field[1] !== undefined)
  return new URLSearchParams(given).toString()
}

const shown = (text: string): string => text.slice(0, 300)

export async function openFlows(target: Target) {
  const issuer = new URL(target.issuer)
  const connect = () => new Connection({ host: issuer.hostname, port: Number(issuer.port) })
  const discovery = new URL('/.well-known/openid-configuration', issuer)
  const first = connect()
  const reply = await first.request('GET', discovery)
  first.close()
  if (reply.status !== 200) throw new Error(`discovery answered ${reply.status}`)
  const metadata = JSON.parse(reply.body) as Record<string, string>
  const endpoint = (name: string) => new URL(metadata[name]!)
  const authorization = endpoint('authorization_endpoint')
  const token = endpoint('token_endpoint')

  /** client_secret_basic. */
  function authenticated({ id, secret }: TargetClient, fields: Fields): Post {
    const credentials = Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString('base64')
    return { headers: { 'content-type': FORM, authorization: `Basic ${credentials}` }, body: encoded(fields) }
  }

  async function tokens(connection: Connection, client: TargetClient, fields: Fields): Promise<Tokens> {
    const { headers, body } = authenticated(client, fields)
    const answer = await connection.request('POST', token, headers, body)
    if (answer.status !== 200) throw new Error(`token endpoint answered ${answer.status}: ${shown(answer.body)}`)
    return JSON.parse(answer.body) as Tokens
  }

  function authorize(client: TargetClient) {
    const verifier = randomBytes(32).toString('base64url')
    const url = new URL(authorization)
    url.search = encoded({
      client_id: client.id,
      response_type: 'code',
      redirect_uri: target.redirectUri,
      scope: client.scope ?? 'openid',
      state: 'st',
      nonce: randomBytes(8).toString('hex'),
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
    })
    return { url, verifier }
  }

  async function exchange(connection: Connection, client: TargetClient, landed: URL, verifier: string) {
    const code = landed.searchParams.get('code')
    if (!code) throw new Error(`no code in ${shown(landed.href)}`)
    const fields = { grant_type: 'authorization_code', code, redirect_uri: target.redirectUri, code_verifier: verifier }
    const given = await tokens(connection, client, fields)
    if (!given.id_token) throw new Error('no id token')
    return given
  }

  /** Authorize with a living session, code, tokens: nobody is asked anything. */
  async function silent(browser: Browser, client: TargetClient): Promise<Tokens> {
    const { url, verifier } = authorize(client)
    const stop = await browser.follow('GET', url, {}, '', target.redirectUri)
    if (!stop.done) throw new Error(`stopped at ${stop.url.pathname} (${stop.reply.status}): ${shown(stop.reply.body)}`)
    return exchange(browser.connection, client, stop.url, verifier)
  }

  /** Whatever pages there are, filled in, until one leads to `stopAt`. */
  async function walk(browser: Browser, url: URL, person: number, stopAt: string): Promise<URL> {
    let stop = await browser.follow('GET', url, { accept: 'text/html' }, '', stopAt)
    for (let page = 0; page < MOST_PAGES && !stop.done; page++) {
      const form = findForm(stop.reply.body, stop.url)
      if (form?.method !== 'POST') throw new Error(`no form at ${stop.url.pathname} (${stop.reply.status})`)
      if (form.user) form.fields.set(form.user, `user${person}`)
      if (form.pass) form.fields.set(form.pass, target.password)
      const headers = { 'content-type': FORM, accept: 'text/html' }
      stop = await browser.follow('POST', form.action, headers, form.fields.toString(), stopAt)
    }
    if (!stop.done) throw new Error(`sign-in ended at ${stop.url.pathname} (${stop.reply.status})`)
    return stop.url
  }

  /** An AuthnRequest in an address, unsigned as most apps send it, and the page with the answer. */
  async function samlSignOn(browser: Browser): Promise<void> {
    const url = new URL('/saml/sso', issuer)
    const xml =
      `<samlp:AuthnRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="_${randomBytes(16).toString('hex')}" Version="2.0"` +
      ` IssueInstant="${new Date().toISOString()}" Destination="${url}"><saml:Issuer xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">${SAML_APP}</saml:Issuer></samlp:AuthnRequest>`
    url.search = encoded({ SAMLRequest: deflateRawSync(xml).toString('base64'), RelayState: '/start' })
    const { reply } = await browser.follow('GET', url, { accept: 'text/html' }, '', target.redirectUri)
    if (reply.status !== 200 || !reply.body.includes('name="SAMLResponse"'))
      throw new Error(`SAML sign-on ended with ${reply.status}: ${shown(reply.body)}`)
  }

  /** Somebody signs in on the way to a client. */
  async function signInAs(browser: Browser, person: number, client: TargetClient): Promise<Tokens> {
    const { url, verifier } = authorize(client)
    const landed = await walk(browser, url, person, target.redirectUri)
    return exchange(browser.connection, client, landed, verifier)
  }

  /** The same with a new browser. */
  async function signIn(connection: Connection, person: number, client: TargetClient) {
    const browser = new Browser(connection)
    return { browser, tokens: await signInAs(browser, person, client) }
  }

  /** What a proxy asks about one request to the app behind it, as Traefik, Caddy and HAProxy do. */
  const asked = (connection: Connection, cookie: string, uri = '/') =>
    connection.request('GET', new URL('/authz/forward', issuer), {
      accept: 'text/html',
      cookie,
      'x-forwarded-method': 'GET',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': PROXIED_HOST,
      'x-forwarded-uri': uri,
      'x-forwarded-for': '127.0.0.1',
    })

  /** A new browser opens the app behind the proxy; answers the cookie that it has then. */
  async function openProxied(connection: Connection, person: number): Promise<string> {
    const first = await asked(connection, 'portico-app=x')
    // the yardstick lets everybody in
    if (first.status === 200) return 'portico-app=x'
    const nonce = headerOf(first.raw, 'set-cookie')!.split(';', 1)[0]!
    const start = new URL(headerOf(first.raw, 'location')!)
    const { pathname, search } = await walk(new Browser(connection), start, person, `https://${PROXIED_HOST}/`)
    const back = await asked(connection, nonce, pathname + search)
    if (back.status !== 302) throw new Error(`the way back answered ${back.status}`)
    return headerOf(back.raw, 'set-cookie')!.split(';', 1)[0]!
  }

  return {
    target,
    issuer: issuer.origin,
    connect,
    discovery,
    endpoint,
    authenticated,
    tokens,
    authorize,
    exchange,
    silent,
    signIn,
    signInAs,
    samlSignOn,
    asked,
    openProxied,
  }
}

export type Flows = Awaited<ReturnType<typeof openFlows>>
