/**
 * The yardstick: the protocol engine with nothing around it. No policy, no receipts, no directory, no pages worth the
 * name; sessions are the engine's own. What one process of it does is what a product on it could do at best.
 *
 *     PORT=4000 DB=/tmp/bare.db ALG=ES256 HASH=node-rs|node node bench/bare/server.ts
 *
 * Without `DB` everything is in maps: the engine alone, and nothing survives.
 */
import { generateKeyPairSync, argon2 as nodeArgon2, randomBytes, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { promisify } from 'node:util'
import { type Algorithm, hash as rsHash, verify as rsVerify } from '@node-rs/argon2'
import Koa from 'koa'
import Provider, { type Configuration } from 'oidc-provider'
import { bareSecret, PASSWORD, REDIRECT_URI } from '../subjects.ts'
import { bareApis } from './apis.ts'
import { openMemory } from './memory.ts'
import { openStore } from './store.ts'

const { PORT = '4000', DB = '', ALG = 'ES256', HASH = 'node-rs', PROGRAM_KEY } = process.env
const COST = { memory: 19_456, passes: 2, parallelism: 1, tagLength: 32 }
const DAY = 86_400
const HOUR = 3600

/** With `node`: Node's own argon2, as an application would call it. */
async function passwordCheck(): Promise<(password: string) => Promise<boolean>> {
  if (HASH === 'node') {
    const argon2 = promisify(nodeArgon2)
    const nonce = randomBytes(16)
    const hash = (password: string) => argon2('argon2id', { ...COST, message: password, nonce })
    const right = await hash(PASSWORD)
    return async (password) => timingSafeEqual(await hash(password), right)
  }
  // the enum is ambient: 2 is Argon2id
  const cost = { memoryCost: COST.memory, timeCost: COST.passes, parallelism: 1, algorithm: 2 as Algorithm }
  const right = await rsHash(PASSWORD, cost)
  return (password) => rsVerify(right, password)
}

function privateJwk() {
  const { privateKey } =
    ALG === 'RS256'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : ALG === 'EdDSA'
        ? generateKeyPairSync('ed25519')
        : generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return { ...privateKey.export({ format: 'jwk' }), alg: ALG, use: 'sig', kid: 'k1' }
}

const client = (id: string, grants: string[]) => ({
  client_id: id,
  client_secret: bareSecret(id),
  grant_types: grants,
  response_types: grants.includes('authorization_code') ? ['code'] : [],
  redirect_uris: grants.includes('authorization_code') ? [REDIRECT_URI] : [],
})

const apis = PROGRAM_KEY === undefined ? undefined : bareApis(JSON.parse(PROGRAM_KEY))

const configuration = {
  adapter: DB === '' ? openMemory() : openStore(DB),
  jwks: { keys: [privateJwk(), ...(apis?.keys ?? [])] },
  clientDefaults: { id_token_signed_response_alg: ALG },
  clients: [
    client('machine', ['client_credentials']),
    client('web', ['authorization_code', 'refresh_token']),
    client('web-rt', ['authorization_code', 'refresh_token']),
    ...(apis?.clients ?? []),
  ],
  scopes: ['openid', 'offline_access'],
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
  cookies: { keys: ['bench-cookie-key'], long: { signed: true }, short: { signed: true } },
  ttl: {
    Session: DAY,
    Grant: DAY,
    AccessToken: HOUR,
    RefreshToken: DAY,
    AuthorizationCode: 60,
    Interaction: 600,
    IdToken: HOUR,
    ClientCredentials: HOUR,
  },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    revocation: { enabled: true },
    ...apis?.features,
  },
  issueRefreshToken: async (_ctx, { clientId }) => clientId === 'web-rt',
  rotateRefreshToken: true,
  interactions: { url: (_ctx, { uid }) => `/interaction/${uid}` },
  findAccount: (_ctx, id) => ({
    accountId: id,
    claims: () => ({ sub: id, email: `${id}@example.org`, email_verified: true, name: id }),
  }),
  // a first-party client: consent is implied
  async loadExistingGrant(ctx) {
    const session = ctx.oidc.session!
    const { clientId } = ctx.oidc.client!
    const id = session.grantIdFor(clientId)
    const known = id ? await ctx.oidc.provider.Grant.find(id) : undefined
    if (known) return known
    const grant = new ctx.oidc.provider.Grant({ clientId, accountId: session.accountId! })
    grant.addOIDCScope('openid email profile offline_access')
    await grant.save()
    return grant
  },
} as Configuration

const provider = new Provider(`http://127.0.0.1:${PORT}`, configuration)
provider.on('server_error', (_ctx, error) => console.error(error))
const handle = provider.callback()
const right = await passwordCheck()
const page = (uid: string) => `<!doctype html><title>Sign in</title><form method="post" action="/interaction/${uid}">
<input name="username"><input type="password" name="password"><button>Sign in</button></form>`

async function interaction(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const uid = request.url!.split('/')[2]!
  response.setHeader('content-type', 'text/html')
  if (request.method === 'GET') {
    await provider.interactionDetails(request, response)
    response.end(page(uid))
    return
  }
  let body = ''
  for await (const chunk of request) body += chunk
  const form = new URLSearchParams(body)
  if (!(await right(form.get('password') ?? ''))) {
    response.statusCode = 401
    response.end(page(uid))
    return
  }
  const login = { accountId: form.get('username')! }
  await provider.interactionFinished(request, response, { login }, { mergeWithLastSubmission: false })
}

/** What a route costs that does nothing but look at a cookie. */
const cookieReader = new Koa()
cookieReader.use((ctx) => {
  ctx.status = ctx.cookies.get('portico-app') === undefined ? 401 : 200
  ctx.set('Remote-User', 'user')
  ctx.body = ''
})
const readCookie = cookieReader.callback()

const server = createServer((request, response) => {
  if (request.url === '/authz/forward') {
    void readCookie(request, response)
    return
  }
  if (!request.url!.startsWith('/interaction/')) {
    handle(request, response)
    return
  }
  interaction(request, response).catch((error) => {
    console.error(error)
    response.statusCode = 500
    response.end()
  })
})
server.listen(Number(PORT), '127.0.0.1', () => console.log('ready'))
process.on('SIGTERM', () => process.exit(0))
