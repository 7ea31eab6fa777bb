/** A server of the http room on a free port, with handlers of the test's own. */
import { type Agent, request as send } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type LogFields, silentLog } from '#core/log'
import { createHttpServer, type HttpServer, type HttpServerOptions, json } from '#http'

export interface Running extends HttpServer {
  readonly origin: string
  /** Events of the log with their fields. */
  readonly logged: { event: string; fields: LogFields | undefined }[]
}

export async function serve(options: Partial<HttpServerOptions> = {}): Promise<Running> {
  const logged: Running['logged'] = []
  const server = await createHttpServer({
    listen: '127.0.0.1:0',
    issuer: 'http://localhost:3000',
    proxies: [],
    routes: [],
    renderRefusal: ({ code, status }) => json({ code }, status),
    log: { ...silentLog, error: (event, fields) => logged.push({ event, fields }) },
    ...options,
  })
  return { ...server, origin: `http://127.0.0.1:${server.port}`, logged }
}

export interface Answered {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

/** One request; the body goes out in the given pieces, without a length where there are several. */
export function ask(
  url: string,
  options: {
    method?: string
    headers?: Record<string, string | string[]>
    body?: string | Buffer | readonly Buffer[]
    agent?: Agent
  } = {},
): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const { method = 'GET', headers = {}, body, agent } = options
    const request = send(url, { method, headers, ...(agent ? { agent } : {}) }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () =>
        resolve({
          status: response.statusCode!,
          headers: response.headers,
          body: Buffer.concat(chunks).toString('utf8'),
        }),
      )
      response.on('error', reject)
    })
    request.on('error', reject)
    if (Array.isArray(body)) for (const piece of body) request.write(piece)
    request.end(Array.isArray(body) ? undefined : body)
  })
}

export const portOf = (server: { address(): AddressInfo | string | null }): number =>
  (server.address() as AddressInfo).port
