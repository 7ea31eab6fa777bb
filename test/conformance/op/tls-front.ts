/** The proxy in front of the gateway that ends TLS, with a certificate of an authority that only its own `fetch` believes. */
import { readFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { createServer } from 'node:https'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { makeServerCertificate } from '../../support/certificates.ts'
import { fetchPageOverTls } from '../../support/page-fetch.ts'

export const HOST = 'id.kestrel.example'

export interface TlsFront {
  readonly fetch: typeof fetch
  /** The same, by somebody who shows that certificate. */
  fetchAs(certificate: string): typeof fetch
  close(): Promise<void>
}

/** @param folder where `NAME.pem` and `NAME.key` of certificates of clients are; its own stand there as well */
export async function startTlsFront(port: number, gatewayPort: number, folder: string): Promise<TlsFront> {
  await makeServerCertificate(folder, `DNS:${HOST}`)
  const read = (name: string) => readFileSync(join(folder, name), 'utf8')
  // whose a certificate is the gateway looks at
  const asking = { requestCert: true, rejectUnauthorized: false }
  const server = createServer({ cert: read('server.pem'), key: read('server.key'), ...asking }, (request, response) => {
    const { method, url: path, headers, socket } = request
    const { raw } = (socket as TLSSocket).getPeerCertificate()
    const onward = {
      ...headers,
      ...{ 'x-forwarded-proto': 'https', 'x-forwarded-for': '127.0.0.1' },
      // RFC 9440 §2.2
      'client-cert': raw ? `:${raw.toString('base64')}:` : '',
    }
    const passed = httpRequest({ host: '127.0.0.1', port: gatewayPort, method, path, headers: onward }, (answer) => {
      response.writeHead(answer.statusCode!, answer.rawHeaders)
      answer.pipe(response)
    })
    passed.on('error', () => response.destroy())
    request.pipe(passed)
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  // as node's own does, a form says of itself that it is one
  const fetchWith =
    (secure: ReturnType<typeof fetchPageOverTls>): typeof fetch =>
    (input, init = {}) => {
      const form = init.body instanceof URLSearchParams ? { 'content-type': 'application/x-www-form-urlencoded' } : {}
      const headers = { ...form, ...Object.fromEntries(new Headers(init.headers)) }
      const url = new URL(String(input))
      return url.protocol === 'https:' ? secure(url, { ...init, headers }) : fetch(url, init)
    }
  return {
    fetch: fetchWith(fetchPageOverTls(read('ca.pem'))),
    fetchAs: (name) =>
      fetchWith(fetchPageOverTls(read('ca.pem'), { cert: read(`${name}.pem`), key: read(`${name}.key`) })),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
