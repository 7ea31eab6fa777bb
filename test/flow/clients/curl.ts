/** curl, and openssl where something has to be signed: what a partner's kit does as well. */
import { execFile } from 'node:child_process'
import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { promisify } from 'node:util'
import {
  ACCESS_TOKEN,
  CALLBACK,
  certificateOf,
  DEVICE_CODE,
  EXCHANGE,
  isCertified,
  ORDERS,
  type Place,
  type Program,
  SCOPE,
  STOCK,
  type Tokens,
} from './axes.ts'

const run = promisify(execFile)
type Fields = Readonly<Record<string, string>>
type Metadata = Readonly<Record<string, string>> & { readonly mtls_endpoint_aliases: Fields }

const fetched = async (words: readonly string[]) =>
  JSON.parse((await run('/usr/bin/curl', ['--silent', '--show-error', '--max-time', '60', ...words])).stdout)

/** RFC 7523 §3, by openssl; it writes a signature as a pair of numbers, and a JWT has them one after the other. */
async function assertion({ app, issuer, folder }: Place): Promise<string> {
  const now = Math.floor(Date.now() / 1000)
  const claims = { iss: app, sub: app, aud: issuer, iat: now, exp: now + 60, jti: randomUUID() }
  const signed = [{ alg: 'ES256', kid: 'signing' }, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.')
  const words = ['-c', 'printf %s "$1" | openssl dgst -sha256 -sign "$2" | openssl asn1parse -inform DER', 'sh', signed]
  const { stdout } = await run('/bin/sh', [...words, join(folder, 'signing.pem')])
  const numbers = [...stdout.matchAll(/INTEGER\s*:([0-9A-F]+)/g)].map(([, hex]) => hex!.padStart(64, '0'))
  return `${signed}.${Buffer.from(numbers.join(''), 'hex').toString('base64url')}`
}

async function shown(place: Place): Promise<{ words: string[]; fields: Fields }> {
  const { method, secret, app } = place
  if (method === 'client_secret_basic') return { words: ['--user', `${app}:${secret}`], fields: {} }
  if (method === 'client_secret_post') return { words: [], fields: { client_id: app, client_secret: secret! } }
  if (method !== 'private_key_jwt') return { words: [], fields: { client_id: app } }
  const type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
  return {
    words: [],
    fields: { client_id: app, client_assertion_type: type, client_assertion: await assertion(place) },
  }
}

export async function curl(place: Place): Promise<Program> {
  const { issuer, folder, method, binding, app } = place
  const found: Metadata = await fetched([`${issuer}/.well-known/openid-configuration`])
  const certified = isCertified(method, binding)
  const endpoints: Fields = certified ? { ...found, ...found.mtls_endpoint_aliases } : found
  const [pem, key] = ['pem', 'key'].map((kind) => join(folder, `${certificateOf(place)}.${kind}`)) as [string, string]
  const certificate = certified ? ['--cert', pem, '--key', key, '--cacert', join(folder, 'ca.pem')] : []

  async function post<T extends object>(endpoint: string, fields: Fields): Promise<T> {
    const who = await shown(place)
    const data = Object.entries({ ...fields, ...who.fields }).flatMap(([n, v]) => ['--data-urlencode', `${n}=${v}`])
    const answer = await fetched([...certificate, ...who.words, ...data, endpoints[endpoint]!])
    if ('error' in answer) throw new Error(`${answer.error}: ${answer.error_description}`)
    return answer
  }
  const token = (grant_type: string, fields: Fields) => post<Tokens>('token_endpoint', { grant_type, ...fields })

  return {
    async begin({ pushed = false }) {
      const verifier = randomBytes(32).toString('base64url')
      const state = randomUUID()
      const parameters: Fields = {
        ...{ response_type: 'code', client_id: app, redirect_uri: CALLBACK, scope: SCOPE, resource: ORDERS, state },
        code_challenge: createHash('sha256').update(verifier).digest('base64url'),
        code_challenge_method: 'S256',
      }
      const asked: Fields = pushed
        ? {
            client_id: app,
            request_uri: (await post<{ request_uri: string }>('pushed_authorization_request_endpoint', parameters))
              .request_uri,
          }
        : parameters
      return {
        url: `${found['authorization_endpoint']}?${new URLSearchParams(asked)}`,
        async finish({ searchParams }) {
          if (searchParams.get('state') !== state) throw new Error('another state')
          const code = searchParams.get('code') ?? ''
          const fields = { code, redirect_uri: CALLBACK, code_verifier: verifier, resource: ORDERS }
          return token('authorization_code', fields)
        },
      }
    },
    refresh: (refresh_token) => token('refresh_token', { refresh_token, resource: ORDERS }),
    credentials: () => token('client_credentials', { resource: ORDERS, scope: 'orders:read' }),
    async device() {
      const begun = await post<Fields>('device_authorization_endpoint', { scope: SCOPE, resource: ORDERS })
      return {
        url: begun['verification_uri_complete']!,
        finish: () => token(DEVICE_CODE, { device_code: begun['device_code']!, resource: ORDERS }),
      }
    },
    exchange: (subject_token) => token(EXCHANGE, { subject_token, subject_token_type: ACCESS_TOKEN, resource: STOCK }),
  }
}
