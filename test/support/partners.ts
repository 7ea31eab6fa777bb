/** Partners as tests need them: contracts, keys, assertions, and requests from an address of the test's choice. */
import { type IncomingHttpHeaders, request } from 'node:http'
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose'

export const ASSERTION = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

export interface Signing {
  readonly kid: string
  readonly key: CryptoKey
  readonly jwk: object
}

export async function signingKey(kid = 'one'): Promise<Signing> {
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true })
  return { kid, key: privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg: 'ES256', use: 'sig' } }
}

let count = 0

/** A client assertion (RFC 7523 §3), right but for what is given. */
export async function assertion(
  id: string,
  audience: string,
  { kid, key }: Signing,
  more: JWTPayload = {},
): Promise<string> {
  const now = Math.floor(Date.now() / 1000)
  const claims = { iss: id, sub: id, aud: audience, iat: now, exp: now + 60, jti: `${id}-${now}-${count++}`, ...more }
  return new SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid }).sign(key)
}

/** A contract, as the text of its file. */
export const contractOf = (id: string, more: object): { file: string; text: string } => ({
  file: `partners/${id}.yaml`,
  text: JSON.stringify({
    ...{ partner: id, name: `Partner ${id}`, organisation: `partners/${id}` },
    contacts: [{ name: 'Ann Cole', email: `ann@${id}.example` }],
    ...more,
  }),
})

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Record<string, unknown>
}

/** Posts a form from that address of this machine (any of 127.0.0.0/8). */
export function postFrom(
  from: string,
  url: string,
  fields: Readonly<Record<string, string>>,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const { hostname, port, pathname } = new URL(url)
  const body = new URLSearchParams(fields).toString()
  const type = { 'content-type': 'application/x-www-form-urlencoded', 'content-length': Buffer.byteLength(body) }
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host: hostname === 'localhost' ? '127.0.0.1' : hostname,
        port,
        path: pathname,
        method: 'POST',
        localAddress: from,
      },
      (answer) => {
        let text = ''
        answer.setEncoding('utf8').on('data', (piece: string) => {
          text += piece
        })
        answer.on('end', () =>
          resolve({ status: answer.statusCode!, headers: answer.headers, body: text === '' ? {} : JSON.parse(text) }),
        )
      },
    )
    for (const [name, value] of Object.entries({ ...type, ...headers })) sent.setHeader(name, value)
    sent.on('error', reject)
    sent.end(body)
  })
}
