/** `fetch` as a browser does it that opens a page: node's own says of itself that it is a script (`Sec-Fetch-Mode: cors`). */
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'

type FetchPage = (url: URL, init: RequestInit) => Promise<Response>

const asked =
  (
    request: (url: URL, options: object, answered: (answer: IncomingMessage) => void) => ReturnType<typeof httpRequest>,
  ) =>
  (url: URL, { method = 'GET', headers, body }: RequestInit): Promise<Response> =>
    new Promise((resolve, reject) => {
      const text = body === undefined || body === null ? undefined : String(body)
      const length = text === undefined ? {} : { 'content-length': String(Buffer.byteLength(text)) }
      const sent = request(
        url,
        {
          method,
          agent: false,
          headers: { ...(headers as Record<string, string>), ...length, 'sec-fetch-mode': 'navigate' },
        },
        (answer) => {
          const parts: Buffer[] = []
          answer.on('data', (part) => parts.push(part))
          answer.on('end', () => {
            const lines: [string, string][] = []
            for (let i = 0; i < answer.rawHeaders.length; i += 2)
              lines.push([answer.rawHeaders[i]!, answer.rawHeaders[i + 1]!])
            const { statusCode = 0 } = answer
            const empty = statusCode === 204 || statusCode === 304
            resolve(new Response(empty ? null : Buffer.concat(parts), { status: statusCode, headers: lines }))
          })
        },
      )
      sent.on('error', reject)
      sent.end(text)
    })

export const fetchPage: FetchPage = asked(httpRequest)

/** The same over TLS, where every name is this machine's and the authority `ca` (PEM) is believed; `own`: a certificate to show, an address to come from. */
export const fetchPageOverTls = (
  ca: string,
  own: { cert?: string; key?: string; localAddress?: string } = {},
): FetchPage =>
  asked((url, options, answered) =>
    httpsRequest(
      {
        ...options,
        ca,
        ...own,
        host: '127.0.0.1',
        port: url.port,
        path: url.pathname + url.search,
        servername: url.hostname,
        headers: { host: url.host, ...(options as { headers: object }).headers },
      },
      answered,
    ),
  )
