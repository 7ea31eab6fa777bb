/** A host at which clients say what they are (Client ID Metadata Document). */
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface DocumentHost {
  /** `127.0.0.1:PORT` */
  readonly host: string
  readonly asked: readonly string[]
  /** Answers the address. */
  put(path: string, document: object | ((response: ServerResponse) => void), headers?: Record<string, string>): string
  close(): Promise<void>
}

export async function startDocumentHost(): Promise<DocumentHost> {
  const answers = new Map<string, (response: ServerResponse) => void>()
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(request.url!)
    const answer = answers.get(request.url!)
    if (answer) answer(response)
    else response.writeHead(404).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    host,
    asked,
    put(path, document, headers = {}) {
      const id = `http://${host}${path}`
      const write = (response: ServerResponse) =>
        response
          .writeHead(200, { 'content-type': 'application/json', ...headers })
          .end(JSON.stringify({ client_id: id, ...document }))
      answers.set(path, typeof document === 'function' ? (document as (response: ServerResponse) => void) : write)
      return id
    },
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
