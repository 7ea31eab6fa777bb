/** An OpenID Connect provider that says whatever a test tells it to. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { CompactSign, exportJWK, generateKeyPair, type JWK } from 'jose'

export interface HostileProvider {
  readonly issuer: string
  /** Of the key that its key set has. */
  readonly publicJwk: JWK
  /** Signs claims with that key, as `header` says. */
  sign(claims: object, header?: object): Promise<string>
  /** With a key that nobody knows, under the same id. */
  signOther(claims: object): Promise<string>
  /** What the next requests are answered; by path. */
  answers: Record<string, unknown>
  /** Paths in the order in which they were asked for. */
  readonly asked: string[]
  /** Forms that were sent to a path, as they came. */
  formsAt(path: string): URLSearchParams[]
  end(): Promise<void>
}

export async function startHostileProvider(): Promise<HostileProvider> {
  const { publicKey, privateKey } = await generateKeyPair('RS256', { extractable: true })
  const other = await generateKeyPair('RS256')
  const publicJwk = { ...(await exportJWK(publicKey)), kid: 'one', alg: 'RS256', use: 'sig' }
  const asked: string[] = []
  const sent: { path: string; body: string }[] = []
  const self: { answers: Record<string, unknown> } = { answers: {} }
  const server = createServer((request, response) => {
    const path = (request.url ?? '/').split('?')[0]!
    asked.push(path)
    let body = ''
    request.on('data', (data: Buffer) => {
      body += data
    })
    request.on('end', () => {
      if (body !== '') sent.push({ path, body })
      const answer = self.answers[path] ?? standing[path]
      if (answer === undefined) {
        response.writeHead(404).end()
        return
      }
      const jwt = typeof answer === 'string'
      const status = path === '/pushed' ? 201 : 200
      response.writeHead(status, { 'content-type': jwt ? 'application/jwt' : 'application/json' })
      response.end(jwt ? answer : JSON.stringify(answer))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const standing: Record<string, unknown> = {
    '/.well-known/openid-configuration': {
      issuer,
      authorization_endpoint: `${issuer}/authorize`,
      token_endpoint: `${issuer}/token`,
      userinfo_endpoint: `${issuer}/userinfo`,
      jwks_uri: `${issuer}/keys`,
      end_session_endpoint: `${issuer}/end`,
      response_types_supported: ['code'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['RS256'],
    },
    '/keys': { keys: [publicJwk] },
  }
  const signWith = (key: typeof privateKey) => (claims: object, header: object) =>
    new CompactSign(Buffer.from(JSON.stringify(claims)))
      .setProtectedHeader({ alg: 'RS256', kid: 'one', ...header })
      .sign(key)
  return Object.assign(self, {
    issuer,
    publicJwk,
    asked,
    formsAt: (path: string) => sent.filter((one) => one.path === path).map((one) => new URLSearchParams(one.body)),
    sign: (claims: object, header: object = {}) => signWith(privateKey)(claims, header),
    signOther: (claims: object) => signWith(other.privateKey)(claims, {}),
    async end() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  })
}
