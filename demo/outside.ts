/** Pretends to be outside the store: a proxy in front of the gateway that says the request comes from somewhere else. */
import { createServer, request as send } from 'node:http'
import { listen, stopServer } from './listen.ts'

/** RFC 5737 documentation address that is in no store and no office. */
export const OUTSIDE_ADDRESS = '198.51.100.200'

export async function startOutside(port: number, gateway: number): Promise<{ close(): Promise<void> }> {
  const server = createServer((request, response) => {
    const onwards = send(
      {
        host: 'localhost',
        port: gateway,
        method: request.method,
        path: request.url,
        headers: { ...request.headers, 'x-forwarded-for': OUTSIDE_ADDRESS },
      },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers)
        answer.pipe(response)
      },
    )
    onwards.on('error', () => response.writeHead(502).end())
    request.pipe(onwards)
  })
  await listen(server, port)
  return { close: () => stopServer(server) }
}
