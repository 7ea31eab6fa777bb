/** The proxy in front of the gateway that ends TLS, with a certificate of an authority that only its own `fetch` believes. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { createServer } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeServerCertificate } from '../../support/certificates.ts'
import { fetchPageOverTls } from '../../support/page-fetch.ts'

export const HOST = 'id.kestrel.example'

export interface TlsFront {
  readonly fetch: typeof fetch
  close(): Promise<void>
}

export async function startTlsFront(port: number, gatewayPort: number): Promise<TlsFront> {
  const folder = mkdtempSync(join(tmpdir(), 'portico-conformance-'))
  await makeServerCertificate(folder, `DNS:${HOST}`)
  const read = (name: string) => readFileSync(join(folder, name), 'utf8')
  const server = createServer({ cert: read('server.pem'), key: read('server.key') }, (request, response) => {
    const { method, url: path, headers } = request
    const onward = { ...headers, 'x-forwarded-proto': 'https', 'x-forwarded-for': '127.0.0.1' }
    const passed = httpRequest({ host: '127.0.0.1', port: gatewayPort, method, path, headers: onward }, (answer) => {
      response.writeHead(answer.statusCode!, answer.rawHeaders)
      answer.pipe(response)
    })
    passed.on('error', () => response.destroy())
    request.pipe(passed)
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const secure = fetchPageOverTls(read('ca.pem'))
  return {
    // as node's own does, a form says of itself that it is one
    fetch: (input, init = {}) => {
      const form = init.body instanceof URLSearchParams ? { 'content-type': 'application/x-www-form-urlencoded' } : {}
      const headers = { ...form, ...Object.fromEntries(new Headers(init.headers)) }
      const url = new URL(String(input))
      return url.protocol === 'https:' ? secure(url, { ...init, headers }) : fetch(url, init)
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          rmSync(folder, { recursive: true, force: true })
          resolve()
        })
        server.closeAllConnections()
      }),
  }
}
