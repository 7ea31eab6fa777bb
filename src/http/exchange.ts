/** What a handler receives and what it answers. */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { Refusal } from '#core/refusal'
import type { SetCookie } from './cookies.ts'

export interface PageRequest {
  readonly method: string
  readonly url: URL
  readonly path: string
  /** Values of `:name` parts of the route's path, decoded. */
  readonly params: Readonly<Record<string, string>>
  readonly query: URLSearchParams
  /** What stands behind the question mark, as it was sent: where that very text was signed. */
  readonly rawQuery: string
  readonly headers: IncomingHttpHeaders
  readonly cookies: ReadonlyMap<string, string>
  /** The client's address: from the socket, or from a believed proxy. */
  readonly address: string
  /** For logs. */
  readonly id: string
  /** For this answer's Content-Security-Policy. */
  readonly nonce: string
  readonly secure: boolean
  /** `application/x-www-form-urlencoded`, at most 64 KiB and 100 fields, none twice. */
  form(): Promise<ReadonlyMap<string, string>>
  /** `application/json`, at most 256 KiB. */
  json(): Promise<unknown>
  /** `text/xml` as SOAP 1.1 has it, at most 256 KiB; the text, not read any further. */
  xml(): Promise<string>
}

export interface Answer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly cookies?: readonly SetCookie[]
  readonly body?: string | Buffer
}

const LARGEST_FORM = 64 * 1024
const LARGEST_JSON = 256 * 1024
const LARGEST_XML = 256 * 1024
const MOST_FIELDS = 100

export async function readBody(request: IncomingMessage, type: string, limit: number): Promise<string> {
  const sent = (request.headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase()
  if (sent !== type) throw new Refusal('type-not-supported', 'body has another content type')
  if (Number(request.headers['content-length'] ?? 0) > limit) throw new Refusal('body-too-large')
  const body = await collect(request, limit)
  const text = body.toString('utf8')
  // bytes that are no UTF-8 come back as U+FFFD: refuse rather than guess what was meant
  if (text.includes('\uFFFD') && !Buffer.from(text, 'utf8').equals(body))
    throw new Refusal('input-invalid', 'body is not utf-8')
  return text
}

function collect(request: IncomingMessage, limit: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    // nothing would ever come of it
    if (request.readableEnded || request.destroyed) return reject(new Refusal('input-invalid', 'body is gone'))
    const chunks: Buffer[] = []
    let size = 0
    // what is too much is read and dropped: who is still sending could not read the answer otherwise
    request.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size > limit) reject(new Refusal('body-too-large'))
      else chunks.push(chunk)
    })
    request.on('end', () => resolve(Buffer.concat(chunks)))
    request.on('error', (cause) => reject(new Refusal('input-invalid', 'body broke off', { cause })))
  })
}

export async function readForm(request: IncomingMessage): Promise<ReadonlyMap<string, string>> {
  const body = await readBody(request, 'application/x-www-form-urlencoded', LARGEST_FORM)
  if (!isWellEncoded(body)) throw new Refusal('input-invalid', 'form is not utf-8')
  const pairs = [...new URLSearchParams(body)]
  const fields = new Map(pairs)
  if (fields.size !== pairs.length) throw new Refusal('input-invalid', 'form has a field twice')
  if (fields.size > MOST_FIELDS) throw new Refusal('input-invalid', 'form has too many fields')
  return fields
}

/** `URLSearchParams` never complains: it puts U+FFFD for bytes that are no UTF-8, and leaves a stray `%` as it is. */
function isWellEncoded(form: string): boolean {
  try {
    decodeURIComponent(form)
    return true
  } catch {
    return false
  }
}

export async function readJson(request: IncomingMessage): Promise<unknown> {
  const body = await readBody(request, 'application/json', LARGEST_JSON)
  try {
    return JSON.parse(body)
  } catch {
    throw new Refusal('input-invalid', 'body is not json')
  }
}

/** Some who mean SOAP 1.1 write the type of SOAP 1.2. */
export function readXml(request: IncomingMessage): Promise<string> {
  const later = (request.headers['content-type'] ?? '').toLowerCase().startsWith('application/soap+xml')
  return readBody(request, later ? 'application/soap+xml' : 'text/xml', LARGEST_XML)
}

/** Where a browser is sent: to an address or, with `fields`, with a form that it posts there. */
export interface Sending {
  readonly url: string
  readonly fields?: Readonly<Record<string, string>>
}

export const redirect = (location: string, cookies: readonly SetCookie[] = []): Answer => ({
  status: 303,
  headers: { location, 'cache-control': 'no-store' },
  cookies,
})

export const json = (value: unknown, status = 200): Answer => ({
  status,
  headers: { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' },
  body: JSON.stringify(value),
})

export const text = (body: string, status = 200): Answer => ({
  status,
  headers: { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' },
  body,
})
