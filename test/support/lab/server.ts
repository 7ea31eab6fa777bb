/** What the sample apps of the lab have in common: a small server with sessions by cookie, which says who is in. */
import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Heard {
  readonly method: string
  readonly url: URL
  readonly headers: IncomingMessage['headers']
  readonly form: URLSearchParams
  cookie(name: string): string | undefined
}

export interface Said {
  readonly status?: number
  readonly location?: string
  readonly cookies?: readonly string[]
  readonly type?: string
  readonly body?: string
}

export interface LabApp {
  readonly origin: string
  readonly port: number
  /** Paths that were asked for. */
  readonly heard: string[]
  close(): Promise<void>
}

export const newId = (): string => randomBytes(12).toString('hex')

/** What the handler throws is a 400 with its message: an app that refuses. */
export async function startLabServer(
  handle: (heard: Heard, origin: string) => Promise<Said>,
  port = 0,
): Promise<LabApp> {
  const heard: string[] = []
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    const url = new URL(request.url ?? '/', origin())
    heard.push(url.pathname)
    const cookies = new Map(
      (request.headers.cookie ?? '').split('; ').map((pair) => pair.split('=') as [string, string]),
    )
    const { method = 'GET', headers } = request
    const form = new URLSearchParams(body)
    const said = await handle({ method, url, headers, form, cookie: (name) => cookies.get(name) }, origin()).catch(
      (error: unknown): Said => ({ status: 400, body: `refused: ${error instanceof Error ? error.message : error}` }),
    )
    response.writeHead(said.location === undefined ? (said.status ?? 200) : 302, {
      'content-type': said.type ?? 'text/html; charset=utf-8',
      ...(said.location === undefined ? {} : { location: said.location }),
      ...(said.cookies ? { 'set-cookie': [...said.cookies] } : {}),
    })
    response.end(said.body ?? '')
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const { port: bound } = server.address() as AddressInfo
  const origin = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    origin: origin(),
    port: bound,
    heard,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** The front page: who is in, or the way in. */
export const home = (name: string | undefined): Said =>
  name === undefined
    ? { status: 401, body: '<h1>Sample</h1><a href="/login">Sign in</a>' }
    : { body: `<h1>Sample</h1><p>Hello, ${name.replace(/&/g, '&amp;').replace(/</g, '&lt;')}</p>` }
