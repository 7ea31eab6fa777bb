/** Reading a token request that has nothing unusual about it; whatever has is left to the engine. */
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'

/** In the spellings of usual clients; what follows is ASCII (below), and so the same in each. */
const TYPE = /^application\/x-www-form-urlencoded(?:; ?charset=utf-8)?$/i
/** What the engine answers differently to. */
const UNUSUAL = ['origin', 'content-encoding', 'oauth-client-attestation', 'oauth-client-attestation-pop']
/** What means the same before and after it is form-decoded (RFC 6749 §2.3.1). */
const PLAIN = /^[A-Za-z0-9._~-]+$/
const LONGEST_HEADER = 512
const LONGEST_BODY = 4096

/** RFC 7523 §2.2. */
const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

/** Nobody has looked yet whether they are right. */
export type Credentials = { readonly id: string; readonly secret: string } | { readonly assertion: string }

export interface Sent {
  readonly credentials: Credentials
  /** Without what stands in the credentials. */
  readonly fields: ReadonlyMap<string, string>
  /** The header `DPoP`. */
  readonly proof: string | undefined
}

export async function readFields(request: IncomingMessage): Promise<Sent | undefined> {
  const { headers } = request
  const length = Number(headers['content-length'])
  if (!TYPE.test(headers['content-type'] ?? '') || !(length > 0 && length <= LONGEST_BODY)) return undefined
  if (UNUSUAL.some((name) => headers[name] !== undefined)) return undefined
  const { authorization, dpop } = headers
  const basic = authorization === undefined ? undefined : readBasic(authorization)
  if (authorization !== undefined && !basic) return undefined
  const body = await look(request, length)
  // nothing that two readers could decode in two ways
  if (!body || !/^[\x21-\x7e]+$/.test(body) || /%(?![0-9A-Fa-f]{2})/.test(body)) return undefined
  const pairs = [...new URLSearchParams(body)]
  const fields = new Map(pairs)
  const credentials = fields.size === pairs.length ? (basic ?? takeAssertion(fields)) : undefined
  return credentials && { credentials, fields, proof: dpop as string | undefined }
}

/** Out of the fields. */
function takeAssertion(fields: Map<string, string>): Credentials | undefined {
  const assertion = fields.get('client_assertion')
  if (assertion === undefined || fields.get('client_assertion_type') !== ASSERTION_TYPE) return undefined
  fields.delete('client_assertion')
  fields.delete('client_assertion_type')
  return { assertion }
}

function readBasic(header: string): Credentials | undefined {
  if (header.length > LONGEST_HEADER || !header.startsWith('Basic ')) return undefined
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
