/** Listening, the path of a request, draining. */
import { constants, type X509Certificate } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer, Server as TlsServer } from 'node:https'
import { type AddressInfo, createServer as createNetServer, type Server as NetServer, type Socket } from 'node:net'
import { type Millis, stopwatch } from '#core/clock'
import { type Log, withTrace } from '#core/log'
import { randomId, randomNumber } from '#core/random'
import { formatReference } from '#core/reference'
import { Refusal } from '#core/refusal'
import { createClientAddress } from './address.ts'
import { type BareHandler, sendBare } from './bare.ts'
import { type ClientCertificate, createClientCertificate } from './client-certificate.ts'
import { cookieHeader, parseCookies } from './cookies.ts'
import { type Answer, type PageRequest, readForm, readJson, readXml } from './exchange.ts'
import { createNetworks } from './networks.ts'
import { isCrossOrigin } from './origin.ts'
import { createRouter, type Route } from './router.ts'
import { traceIdOf } from './trace.ts'

/** A handler that speaks node:http itself: the protocol engine. */
export interface RawHandler {
  /** `/oauth2/`, or an exact path when it does not end in a slash. */
  readonly prefix: string
  handle(request: IncomingMessage, response: ServerResponse): void | Promise<void>
}

/** Status 200. */
export interface ReadyAnswer {
  /** All of it: names and values by turns, as `writeHead` takes them. */
  readonly head: readonly string[]
  readonly body: Buffer
}

export interface HttpServerOptions {
  /** `127.0.0.1:3000`; port 0 takes a free one. */
  readonly listen: string
  /** Other processes of ours listen there as well, and the kernel spreads the connections (SO_REUSEPORT). */
  readonly shared?: boolean
  /** Our public origin, `https://id.example.com`. */
  readonly issuer: string
  readonly proxies: readonly string[]
  /** The header in which the proxies tell the certificate of a client (RFC 9440). */
  readonly certificateHeader?: string | undefined
  /** The one in which they tell what the client sent along (RFC 9440 §2.3). */
  readonly certificateChainHeader?: string | undefined
  /** Ends TLS here, and asks each client for a certificate; who trusts one decides. */
  readonly tls?: { readonly cert: Buffer; readonly key: Buffer }
  readonly routes: readonly Route[]
  readonly raw?: readonly (RawHandler | BareHandler)[]
  /** What is the same for everybody and there already, before anything is looked at but the request's head. */
  ready?(request: IncomingMessage): ReadyAnswer | undefined
  /** Whether this process is so far behind that whoever comes now is told to come again, before anything is done for them. */
  isLate?(): boolean
  /**
   * Runs the handling of one request, and resolves when its answer may be sent. A raw handler answers by itself and has
   * to see to that by itself.
   */
  around?<T>(work: () => Promise<T>): Promise<T>
  /** How long an answer took, once it is sent; `status` undefined where its connection broke before. Must not throw. */
  answered?(path: string, status: number | undefined, took: Millis): void
  /** The page or problem document for a refusal. Must not throw. */
  renderRefusal(refusal: Refusal, request: PageRequest): Answer | Promise<Answer>
  readonly log: Log
}

export interface HttpServer {
  readonly port: number
  /** Where TLS ends here: for the connections that come from now on. */
  renew(tls: NonNullable<HttpServerOptions['tls']>): void
  /** Whoever comes is still answered, and each answer is the last one of its connection. */
  retire(): void
  /** Stops listening, lets requests in flight finish (at most `patience` ms), then closes what is left. */
  close(patience?: number): Promise<void>
}

interface RequestContext {
  readonly address: string
  readonly id: string
  readonly cookies: ReadonlyMap<string, string>
}

/** What the server has found out about a request. */
interface Seen {
  readonly address: string
  readonly secure: boolean
  readonly certificate: ClientCertificate
  context?: RequestContext
}

/** On the request itself: a weak map of all of them would be walked by every collection of garbage. */
const SEEN = Symbol('seen')
type SeenRequest = IncomingMessage & { [SEEN]?: Seen }

/** When a request came, on its response. */
const CAME = Symbol('came')
type TimedResponse = ServerResponse & { [CAME]?: Millis }

/** A raw handler's request as pages see it. */
export const pageRequestOf = (request: IncomingMessage, issuer: string): PageRequest =>
  pageRequest(request, requestContext(request), issuer)

function seen(request: SeenRequest): Seen {
  const found = request[SEEN]
  if (!found) throw new Error('request did not come through the server')
  return found
}

/** What the server found out about a request, for raw handlers. */
export function requestContext(request: IncomingMessage): RequestContext {
  const found = seen(request)
  found.context ??= contextOf(request, found)
  return found.context
}

/** The client's address, for raw handlers that need nothing else. */
export const addressOf = (request: IncomingMessage): string => seen(request).address

/** With which certificate the client came; whether it holds for anything is not looked at here. */
export const clientCertificateOf = (request: IncomingMessage): X509Certificate | undefined =>
  seen(request).certificate.own()

/** Which authorities it sent along; nobody has looked at them. */
export const clientChainOf = (request: IncomingMessage): readonly X509Certificate[] => seen(request).certificate.chain()

const LONGEST_URL = 16_384
/** Seconds until whoever was turned away should try again. */
const COME_AGAIN = 5
const LIMITS = { maxHeaderSize: 32_768, requestTimeout: 30_000, headersTimeout: 15_000, keepAliveTimeout: 65_000 }
/** Any certificate may come in: the self-signed ones are known by the registrations. Each connection shows it anew. */
const ASKS = {
  requestCert: true,
  rejectUnauthorized: false,
  minVersion: 'TLSv1.2',
  secureOptions: constants.SSL_OP_NO_TICKET,
} as const
const IDLE_CHECK = 200
const NO_COOKIES: ReadonlyMap<string, string> = new Map()
const NOT_STORED = { headers: { 'cache-control': 'no-store' }, body: '' }
/** What never became a request; everything else of the kind is 400. */
const UNREADABLE: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
}

export async function createHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const find = createRouter(options.routes)
  const raw = options.raw ?? []
  const proxies = createNetworks(options.proxies)
  const clientAddress = createClientAddress(proxies)
  const clientCertificate = createClientCertificate({
    ...{ proxies, header: options.certificateHeader, chainHeader: options.certificateChainHeader },
  })
  const secure = options.issuer.startsWith('https:')
  const { log, around = (work) => work() } = options

  async function answer(request: IncomingMessage): Promise<Answer> {
    const page = pageRequestOf(request, options.issuer)
    try {
      const found = find(page.method, page.path)
      if (found.kind === 'nothing') throw new Refusal('not-found')
      if (found.kind === 'wrong-method') {
        const refused = await options.renderRefusal(new Refusal('method-not-allowed'), page)
        return { ...refused, headers: { ...refused.headers, allow: found.allow.join(', ') } }
      }
      if (found.route.method !== 'GET' && !found.route.fromOtherSites && isCrossOrigin(request.headers, options.issuer))
        throw new Refusal('cross-origin')
      // ATTACK: what another site sends must not act as whoever uses this browser
      const cookies = found.route.fromOtherSites ? NO_COOKIES : page.cookies
      return await around(async () => found.route.handle({ ...page, cookies, params: found.params }))
    } catch (error) {
      return refused(error, page)
    }
  }

  function refused(error: unknown, page: PageRequest): Answer | Promise<Answer> {
    const refusal = error instanceof Refusal ? error : new Refusal('internal', 'unexpected error', { cause: error })
    if (refusal.status >= 500)
      log.error(
        'request-failed',
        { request: page.id, code: refusal.code, detail: refusal.detail },
        refusal.cause ?? refusal,
      )
    return options.renderRefusal(refusal, page)
  }

  async function handle(request: SeenRequest, response: ServerResponse): Promise<void> {
    const url = request.url ?? '/'
    // ATTACK: `//host` and `/\host` are read as another host's address when they are resolved against ours
    if (url.length > LONGEST_URL || !/^\/(?![/\\])/.test(url)) {
      send(response, { status: url.length > LONGEST_URL ? 414 : 400, ...NOT_STORED }, secure)
      return
    }
    const query = url.indexOf('?')
    const path = query < 0 ? url : url.slice(0, query)
    const rawHandler = raw.find(({ prefix }) => (prefix.endsWith('/') ? path.startsWith(prefix) : path === prefix))
    if (rawHandler) {
      try {
        if ('answer' in rawHandler) sendBare(response, await around(async () => rawHandler.answer(request)), secure)
        else {
          protect(response, secure)
          await around(() => Promise.resolve(rawHandler.handle(request, response)))
        }
      } catch (error) {
        if (response.headersSent) throw error
        send(response, await refused(error, pageRequestOf(request, options.issuer)), secure, request.method === 'HEAD')
      }
      return
    }
    const result = await answer(request)
    send(response, result, secure, request.method === 'HEAD')
  }

  /** With a proxy in front that may ask another process: nothing of this request has happened. */
  async function turnAway(request: SeenRequest, response: ServerResponse): Promise<void> {
    const page = pageRequestOf(request, options.issuer)
    const answer = await options.renderRefusal(new Refusal('overloaded', undefined, { retryAfter: COME_AGAIN }), page)
    send(response, answer, secure, request.method === 'HEAD')
  }

  async function handled(request: SeenRequest, response: ServerResponse): Promise<void> {
    try {
      request[SEEN] = { address: clientAddress(request), secure, certificate: clientCertificate(request) }
      await (options.isLate?.() ? turnAway : handle)(request, response)
    } catch (error) {
      log.error('request-failed', { request: request[SEEN] && requestContext(request).id }, error)
      if (response.headersSent) response.destroy()
      else send(response, { status: 500, ...NOT_STORED }, secure)
    }
  }

  const inFlight = new Set<ServerResponse>()
  let retired = false
  function over(this: TimedResponse): void {
    inFlight.delete(this)
    const status = this.writableFinished ? this.statusCode : undefined
    options.answered?.(this.req.url ?? '', status, stopwatch() - this[CAME]!)
  }
  function listener(request: IncomingMessage, response: TimedResponse): void {
    const came = stopwatch()
    if (retired) endsConnection(response)
    const ready = options.ready?.(request)
    if (ready) {
      // over before anything else begins: nobody need wait for it, or hear when it has left
      response.writeHead(200, ready.head as string[]).end(ready.body)
      options.answered?.(request.url ?? '', 200, stopwatch() - came)
      return
    }
    inFlight.add(response)
    response[CAME] = came
    response.on('close', over)
    const trace = traceIdOf(request.headers['traceparent'])
    if (trace === undefined) void handled(request, response)
    else void withTrace(trace, () => handled(request, response))
  }
  const server = options.tls
    ? createTlsServer({ ...LIMITS, ...ASKS, ...options.tls }, listener)
    : createServer(LIMITS, listener)
  server.on('clientError', ({ code }: NodeJS.ErrnoException, socket) => {
    const status = UNREADABLE[code ?? ''] ?? '400 Bad Request'
    if ((socket as Socket).writable) socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
  })
  await listen(server, options.listen, options.shared)
  return {
    port: (server.address() as AddressInfo).port,
    renew(tls) {
      if (server instanceof TlsServer) server.setSecureContext({ ...ASKS, ...tls })
    },
    retire() {
      retired = true
      inFlight.forEach(endsConnection)
    },
    close(patience = 10_000) {
      retired = true
      return drain(server, inFlight, patience)
    },
  }
}

/** What most requests never ask for is made when it is asked for. */
function contextOf(request: IncomingMessage, { address, secure }: Seen): RequestContext {
  let id: string | undefined
  let cookies: ReadonlyMap<string, string> | undefined
  return {
    address,
    get id() {
      id ??= `E-${formatReference(randomNumber())}`
      return id
    },
    get cookies() {
      cookies ??= parseCookies(request.headers.cookie, secure)
      return cookies
    },
  }
}

function pageRequest(request: IncomingMessage, context: RequestContext, issuer: string): PageRequest {
  // ATTACK: put behind our origin, never resolved against it: `/\host` would be another host's address
  const url = URL.parse(new URL(issuer).origin + (request.url ?? '/')) ?? new URL(issuer)
  return {
    method: request.method ?? 'GET',
    url,
    path: url.pathname,
    params: {},
    query: url.searchParams,
    rawQuery: /\?(.*)$/s.exec(request.url ?? '')?.[1] ?? '',
    headers: request.headers,
    cookies: context.cookies,
    address: context.address,
    id: context.id,
    nonce: randomId(16),
    secure: issuer.startsWith('https:'),
    form: () => readForm(request),
    json: () => readJson(request),
    xml: () => readXml(request),
  }
}

function protect(response: ServerResponse, secure: boolean): void {
  response.setHeader('x-content-type-options', 'nosniff')
  if (secure) response.setHeader('strict-transport-security', 'max-age=31536000')
}

function send(response: ServerResponse, answer: Answer, secure: boolean, headOnly = false): void {
  response.statusCode = answer.status
  for (const [name, value] of Object.entries(answer.headers ?? {})) response.setHeader(name, value)
  protect(response, secure)
  if (answer.cookies && answer.cookies.length > 0)
    response.setHeader(
      'set-cookie',
      answer.cookies.map((c) => cookieHeader(c, secure)),
    )
  // made bytes once: a page is a long chain of pieces, and both its length and its sending would walk it
  const body = Buffer.from(answer.body ?? '')
  response.setHeader('content-length', body.length)
  response.end(headOnly ? '' : body)
}

function listen(server: NetServer, address: string, reusePort = false): Promise<void> {
  const colon = address.lastIndexOf(':')
  const host = address.slice(0, colon).replace(/^\[(.*)\]$/, '$1')
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ port: Number(address.slice(colon + 1)), host, reusePort }, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

/**
 * Listens for a moment: finds out whether this address can be had, before several processes share it. Answers the address, with
 * the port that was free where it says 0. Throws as listening does.
 */
export async function tryAddress(address: string): Promise<string> {
  const server = createNetServer()
  await listen(server, address)
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return `${address.slice(0, address.lastIndexOf(':'))}:${port}`
}

/** A connection kept alive by its last answer would hold an end up, and a request sent on it would be lost. */
function endsConnection(response: ServerResponse): void {
  if (!response.headersSent) response.setHeader('connection', 'close')
}

function drain(server: Server, inFlight: ReadonlySet<ServerResponse>, patience: number): Promise<void> {
  return new Promise((resolve) => {
    const giveUp = setTimeout(() => server.closeAllConnections(), patience)
    inFlight.forEach(endsConnection)
    const idle = setInterval(() => server.closeIdleConnections(), IDLE_CHECK)
    server.close(() => {
      clearTimeout(giveUp)
      clearInterval(idle)
      resolve()
    })
    server.closeIdleConnections()
  })
}
