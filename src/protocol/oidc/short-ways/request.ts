/** Reading a token request that has nothing unusual about it; whatever has is left to the engine. */
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'

const TYPE = 'application/x-www-form-urlencoded'
/** What the engine answers differently to. */
const UNUSUAL = ['origin', 'dpop', 'content-encoding', 'oauth-client-attestation', 'oauth-client-attestation-pop']
/** What means the same before and after it is form-decoded (RFC 6749 §2.3.1). */
const PLAIN = /^[A-Za-z0-9._~-]+$/
const LONGEST_HEADER = 512
const LONGEST_BODY = 4096

export interface Credentials {
  readonly id: string
  readonly secret: string
}

export interface Sent {
  readonly credentials: Credentials
  readonly fields: ReadonlyMap<string, string>
}

export async function readFields(request: IncomingMessage): Promise<Sent | undefined> {
  const { headers } = request
  const length = Number(headers['content-length'])
  if (headers['content-type'] !== TYPE || !(length > 0 && length <= LONGEST_BODY)) return undefined
  if (UNUSUAL.some((name) => headers[name] !== undefined)) return undefined
  const credentials = readBasic(headers.authorization)
  const body = credentials && (await look(request, length))
  // nothing that two readers could decode in two ways
  if (!body || !/^[\x21-\x7e]+$/.test(body) || /%(?![0-9A-Fa-f]{2})/.test(body)) return undefined
  const pairs = [...new URLSearchParams(body)]
  const fields = new Map(pairs)
  return fields.size === pairs.length ? { credentials, fields } : undefined
}

function readBasic(header: string | undefined): Credentials | undefined {
  if (header === undefined || header.length > LONGEST_HEADER || !header.startsWith('Basic ')) return undefined
  const sent = header.slice('Basic '.length)
  const bytes = Buffer.from(sent, 'base64')
  // only the canonical spelling: forgiving readers take one secret in many
  if (bytes.toString('base64') !== sent) return undefined
  const [id = '', secret = '', ...rest] = bytes.toString('latin1').split(':')
  return rest.length === 0 && PLAIN.test(id) && PLAIN.test(secret) ? { id, secret } : undefined
}

/** The whole body where it is there already, put back so that the engine can read it as well. */
async function look(request: IncomingMessage, length: number): Promise<string | undefined> {
  let body: Buffer | null = request.read()
  if (body === null) {
    // a client that goes away now is the engine's business too
    await once(request, 'readable').catch(() => {})
    body = request.read()
  }
  if (body === null) return undefined
  request.unshift(body)
  return body.length === length ? body.toString('latin1') : undefined
}
