/** A program that comes with a certificate: to a TLS listener, or as a proxy tells it. */
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import { fetchPageOverTls } from './page-fetch.ts'

export interface CertifiedAnswer {
  readonly status: number
  readonly json: Record<string, unknown>
}

export interface Certified {
  readonly folder: string
  readonly port: number
  /** The authority of the server, `ca.pem` in the folder. */
  readonly host: string
}

/** `name` is that of the files; undefined comes without a certificate. */
export function post(
  { folder, port, host }: Certified,
  name: string | undefined,
  path: string,
  fields: Record<string, string>,
  headers: Record<string, string> = {},
): Promise<CertifiedAnswer> {
  const read = (file: string) => readFileSync(join(folder, file))
  const shown = name === undefined ? {} : { cert: read(`${name}.pem`), key: read(`${name}.key`) }
  const body = new URLSearchParams(fields).toString()
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        ...{ host: '127.0.0.1', port, servername: 'localhost', path, method: 'POST', agent: false, ca: read('ca.pem') },
        ...shown,
        headers: {
          host,
          'content-type': 'application/x-www-form-urlencoded',
          'content-length': body.length,
          ...headers,
        },
      },
      (response) => {
        let text = ''
        response.setEncoding('utf8').on('data', (part: string) => {
          text += part
        })
        response.on('end', () =>
          resolve({ status: response.statusCode!, json: /^{/.test(text) ? JSON.parse(text) : { text } }),
        )
      },
    )
    sent.on('error', reject)
    sent.end(body)
  })
}

/** `fetch` for a program that comes with the certificate, wherever it speaks TLS. */
export function fetchCertified(folder: string, name: string) {
  const read = (file: string) => readFileSync(join(folder, file), 'utf8')
  const secure = fetchPageOverTls(read('ca.pem'), { cert: read(`${name}.pem`), key: read(`${name}.key`) })
  return (input: string, init: RequestInit = {}): Promise<Response> => {
    const headers = Object.fromEntries(new Headers(init.headers))
    const form = init.body instanceof URLSearchParams ? { 'content-type': 'application/x-www-form-urlencoded' } : {}
    const url = new URL(input)
    return url.protocol === 'http:' ? fetch(url, init) : secure(url, { ...init, headers: { ...form, ...headers } })
  }
}

export const certificate = (folder: string, name: string) =>
  new X509Certificate(readFileSync(join(folder, `${name}.pem`)))
/** RFC 9440 §2.2 */
export const clientCert = (folder: string, name: string): string =>
  `:${certificate(folder, name).raw.toString('base64')}:`
/** What `$ssl_client_escaped_cert` is in nginx. */
export const escapedCert = (folder: string, name: string): string =>
  encodeURIComponent(readFileSync(join(folder, `${name}.pem`), 'utf8'))
/** As a registration has it (RFC 8705 §2.2.2). */
export function certifiedJwk(folder: string, name: string): Record<string, unknown> {
  const { publicKey, raw } = certificate(folder, name)
  return { ...publicKey.export({ format: 'jwk' }), kid: name, x5c: [raw.toString('base64')] }
}
export const thumbprint = (folder: string, name: string): string =>
  Buffer.from(certificate(folder, name).fingerprint256.replaceAll(':', ''), 'hex').toString('base64url')
