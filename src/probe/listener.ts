/** What the test copy asks the probe from server to server: a small server for as long as the probe runs. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Refusal } from '#core/refusal'

export interface Asked {
  readonly method: string
  /** With its query. */
  readonly url: URL
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

export interface Answered {
  readonly status?: number
  readonly type?: string
  readonly body: string | object
}

export interface Listener {
  readonly port: number
  close(): Promise<void>
}

const LIMIT = 64 * 1024

/** `answer`: undefined where there is nothing at the address. Throws Refusal `input-invalid` where nothing can listen there. */
export async function listen(
  { host, port }: { host: string; port: number },
  answer: (asked: Asked) => Promise<Answered | undefined>,
): Promise<Listener> {
  const server = createServer({ requestTimeout: 10_000 }, (request, response) => {
    const chunks: Buffer[] = []
    let size = 0
    request.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size > LIMIT) request.destroy()
      else chunks.push(chunk)
    })
    request.on('end', async () => {
      const url = URL.parse(request.url ?? '/', 'http://probe.invalid') ?? new URL('http://probe.invalid/')
      const { method = 'GET', headers } = request
      const asked = { method, url, headers, body: Buffer.concat(chunks).toString('utf8') }
      const said = await answer(asked).catch((): Answered => ({ status: 500, body: 'the probe has failed' }))
      const { status = 200, type, body } = said ?? { status: 404, body: 'nothing here' }
      const json = typeof body !== 'string'
      response
        .writeHead(status, {
          'content-type': type ?? (json ? 'application/json' : 'text/plain; charset=utf-8'),
          'cache-control': 'no-store',
        })
        .end(json ? JSON.stringify(body) : body)
    })
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => reject(new Refusal('input-invalid', `nothing can listen there: ${cause.message}`)))
    server.listen(port, host, resolve)
  })
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
