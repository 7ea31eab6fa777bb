/**
 * Dynamic client registration (RFC 7591) and its management (RFC 7592) in HTTP. What a client may say, and who invites it, is the
 * catalog's business.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Catalog, isRegistrationFault, type RegisteredClient, type RegistrationFault } from '#catalog'
import { Refusal } from '#core/refusal'
import { pageRequestOf, type RawHandler } from '#http'
import { settled } from '#storage'

export const REGISTRATION = '/oauth2/register'

export interface RegistrationRooms {
  readonly issuer: string
  readonly catalog: Pick<Catalog, 'registrations'>
}

interface Answer {
  readonly status: number
  readonly body?: object
  readonly headers?: Readonly<Record<string, string>>
}
type Fault = RegistrationFault | { readonly error: 'invalid_request' | 'invalid_client_metadata'; readonly why: string }

const STATUS = { invalid_token: 401, access_denied: 403 } as const
/** RFC 7592 §2.2. */
const OURS = ['registration_access_token', 'registration_client_uri', 'client_secret_expires_at', 'client_id_issued_at']
const MANAGED = ['GET', 'PUT', 'DELETE']

/** RFC 6750 §2.1: nowhere but in the header, where no log has it. */
const tokenOf = ({ headers }: IncomingMessage): string | undefined =>
  /^bearer +([\w-]+)$/i.exec(headers.authorization ?? '')?.[1]

function refused(fault: Fault): Answer {
  const { error } = fault
  const status = STATUS[error as keyof typeof STATUS] ?? 400
  const why = 'why' in fault ? { error_description: fault.why } : {}
  const headers = status === 401 ? { 'www-authenticate': 'Bearer error="invalid_token"' } : {}
  return { status, body: { error, ...why }, headers }
}

export function createRegistrationDoor({ issuer, catalog: { registrations } }: RegistrationRooms): RawHandler[] {
  const address = (id: unknown) => `${issuer}${REGISTRATION}/${id}`

  /** RFC 7591 §3.2.1, RFC 7592 §3. */
  function told({ metadata, issuedAt, clientSecret, registrationToken }: RegisteredClient, shown?: string): object {
    return {
      ...metadata,
      client_id_issued_at: Math.floor(issuedAt / 1000),
      ...(clientSecret === undefined ? {} : { client_secret: clientSecret, client_secret_expires_at: 0 }),
      registration_access_token: registrationToken ?? shown,
      registration_client_uri: address(metadata['client_id']),
    }
  }
  const answered = (result: RegisteredClient | RegistrationFault, status: number, shown?: string): Answer =>
    isRegistrationFault(result) ? refused(result) : { status, body: told(result, shown) }

  async function bodyOf(request: IncomingMessage): Promise<Readonly<Record<string, unknown>> | Fault> {
    try {
      const body = await pageRequestOf(request, issuer).json()
      if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body as Record<string, unknown>
    } catch (error) {
      if (!(error instanceof Refusal) || error.status >= 500) throw error
    }
    return { error: 'invalid_client_metadata', why: 'the body is not a JSON object' }
  }
  const isWrong = (body: object): body is Fault => 'why' in body && 'error' in body

  async function create(request: IncomingMessage): Promise<Answer> {
    if (request.method !== 'POST') return { status: 405, headers: { allow: 'POST' } }
    const body = await bodyOf(request)
    if (isWrong(body)) return refused(body)
    return answered(await registrations.register(tokenOf(request), body), 201)
  }

  async function manage(request: IncomingMessage, id: string): Promise<Answer> {
    const token = tokenOf(request)
    if (request.method === 'GET') return answered(await registrations.read(id, token), 200, token)
    if (request.method === 'DELETE') {
      const fault = await registrations.remove(id, token)
      return fault ? refused(fault) : { status: 204 }
    }
    if (request.method !== 'PUT') return { status: 405, headers: { allow: MANAGED.join(', ') } }
    const body = await bodyOf(request)
    if (isWrong(body)) return refused(body)
    // whoever may not manage the client does not learn what it may say
    const known = await registrations.read(id, token)
    if (isRegistrationFault(known)) return refused(known)
    const ours = OURS.find((name) => body[name] !== undefined)
    if (ours !== undefined) return refused({ error: 'invalid_request', why: `${ours} is not the client's to say` })
    if (body['client_id'] !== id) return refused({ error: 'invalid_request', why: 'client_id is another one' })
    return answered(await registrations.update(id, token, body), 200, token)
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!registrations.open) throw new Refusal('not-found')
    const path = request.url!.split('?', 1)[0]!
    const id = path.slice(REGISTRATION.length + 1)
    const { status, body, headers } = await (path === REGISTRATION ? create(request) : manage(request, id))
    // INVARIANT: what the client is told is on the disk
    await settled()
    response.writeHead(status, { 'cache-control': 'no-store', 'content-type': 'application/json', ...headers })
    response.end(body && JSON.stringify(body))
  }
  return [
    { prefix: REGISTRATION, handle },
    { prefix: `${REGISTRATION}/`, handle },
  ]
}
