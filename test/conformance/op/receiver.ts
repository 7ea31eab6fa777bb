/** The clients' own server: browsers come back to it, and it hears of sign-outs. It keeps whatever came. */
import { createServer } from 'node:http'

export interface Received {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly contentType: string
  readonly form: URLSearchParams
}

export interface Receiver {
  readonly origin: string
  /** What came to the path since the last look, in its order. */
  taken(path: string): Received[]
  close(): Promise<void>
}

export async function startReceiver(): Promise<Receiver> {
  let kept: Received[] = []
  const server = createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url!, origin)
    let body = ''
    for await (const chunk of request) body += chunk
    kept.push({
      method: request.method!,
      path: pathname,
      query: searchParams,
      contentType: request.headers['content-type'] ?? '',
      form: new URLSearchParams(body),
    })
    response.writeHead(200, { 'content-type': 'text/html', 'cache-control': 'no-store' }).end('<p>received</p>')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const origin = `http://localhost:${(server.address() as { port: number }).port}`
  return {
    origin,
    taken(path) {
      const here = kept.filter((one) => one.path === path)
      kept = kept.filter((one) => one.path !== path)
      return here
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
