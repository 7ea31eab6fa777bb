/** An app's server that hears of sign-outs: it keeps what was sent, and answers as the test says. */
import { createServer } from 'node:http'
import { createRemoteJWKSet, decodeProtectedHeader, type JWTPayload, jwtVerify } from 'jose'

export interface Heard {
  readonly path: string
  readonly header: Record<string, unknown>
  readonly claims: JWTPayload
}

export interface ListeningApp {
  readonly origin: string
  /** Sign-outs by back-channel that were verified, in their order. */
  readonly heard: Heard[]
  /** Addresses that browsers have loaded. */
  readonly loaded: URL[]
  /** What it answers to sign-outs; 0 cuts the connection, undefined keeps it waiting. */
  answer: number | undefined
  close(): Promise<void>
}

export async function startListeningApp(issuer: () => string): Promise<ListeningApp> {
  const heard: Heard[] = []
  const loaded: URL[] = []
  const server = createServer(async (request, response) => {
    const url = new URL(request.url!, app.origin)
    if (request.method !== 'POST') {
      loaded.push(url)
      response.writeHead(200, { 'content-type': 'text/html', 'cache-control': 'no-store' }).end('<p>out</p>')
      return
    }
    let body = ''
    for await (const chunk of request) body += chunk
    const token = new URLSearchParams(body).get('logout_token') ?? ''
    const keys = createRemoteJWKSet(new URL(`${issuer()}/oauth2/jwks`))
    const { payload } = await jwtVerify(token, keys, { issuer: issuer(), typ: 'logout+jwt', clockTolerance: 1e9 })
    heard.push({ path: url.pathname, header: { ...decodeProtectedHeader(token) }, claims: payload })
    if (app.answer === 0) request.socket.destroy()
    else if (app.answer !== undefined) response.writeHead(app.answer).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address() as { port: number }
  const app: ListeningApp = {
    origin: `http://localhost:${address.port}`,
    heard,
    loaded,
    answer: 200,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  return app
}
