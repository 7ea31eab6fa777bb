// Gets one token with openid-client, and says for what. Node 20 or later; `npm install` first.
import { readFileSync } from 'node:fs'
import { webcrypto } from 'node:crypto'
import { request } from 'node:https'
import * as oidc from 'openid-client'

const file = (name) => readFileSync(new URL(name, import.meta.url), 'utf8')
const settings = Object.fromEntries([...file('settings.env').matchAll(/^([A-Z_]+)='(.*)'$/gm)].map(([, k, v]) => [k, v]))
const { ISSUER, CLIENT_ID, RESOURCE, SCOPE, AUTH_METHOD, CLIENT_SECRET, CERTIFICATE, BOUND_TO, TOKEN_FILE } = settings

async function privateKey() {
  const der = Buffer.from(file('private-key.pem').replace(/-----[A-Z ]+-----|\s/g, ''), 'base64')
  const key = await webcrypto.subtle.importKey('pkcs8', der, { name: 'RSA-PSS', hash: 'SHA-256' }, false, ['sign'])
  return { key, kid: file('key-id.txt') }
}
// somebody else's token in the place of a key
const federated = (_gateway, _client, body) => {
  body.set('client_id', CLIENT_ID)
  body.set('client_assertion_type', 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer')
  body.set('client_assertion', readFileSync(TOKEN_FILE, 'utf8').trim())
}
const ways = {
  private_key_jwt: async () => oidc.PrivateKeyJwt(await privateKey()),
  federated: async () => federated,
  tls_client_auth: async () => oidc.TlsClientAuth(),
  self_signed_tls_client_auth: async () => oidc.TlsClientAuth(),
  client_secret_basic: async () => oidc.ClientSecretBasic(CLIENT_SECRET),
  client_secret_post: async () => oidc.ClientSecretPost(CLIENT_SECRET),
}
// fetch, with the certificate
const certified = (url, { method, headers, body }) =>
  new Promise((resolve, reject) => {
    if (url.startsWith('http:')) return resolve(fetch(url, { method, headers, body }))
    const own = { cert: file(CERTIFICATE), key: file('private-key.pem') }
    const form = body instanceof URLSearchParams ? { 'content-type': 'application/x-www-form-urlencoded' } : {}
    const sent = request(url, { method, headers: { ...form, ...headers }, ...own }, async (answer) => {
      const parts = await answer.toArray()
      const names = Object.entries(answer.headers).filter(([, value]) => typeof value === 'string')
      resolve(new Response(Buffer.concat(parts), { status: answer.statusCode, headers: Object.fromEntries(names) }))
    })
    sent.on('error', reject).end(body === undefined || body === null ? undefined : String(body))
  })
const options = {
  ...(ISSUER.startsWith('http:') ? { execute: [oidc.allowInsecureRequests] } : {}),
  ...(CERTIFICATE ? { [oidc.customFetch]: certified } : {}),
}
const metadata = { use_mtls_endpoint_aliases: !settings.TOKEN_ENDPOINT.startsWith(ISSUER) }
try {
  const gateway = await oidc.discovery(new URL(ISSUER), CLIENT_ID, metadata, await ways[AUTH_METHOD](), options)
  const DPoP = BOUND_TO === 'key' ? oidc.getDPoPHandle(gateway, await oidc.randomDPoPKeyPair('ES256')) : undefined
  const answer = await oidc.clientCredentialsGrant(gateway, { resource: RESOURCE, scope: SCOPE }, { DPoP })
  console.log(`ok: Node has a token for ${answer.scope} at ${RESOURCE}, for ${answer.expires_in} s`)
} catch (error) {
  console.error(`refused: ${error.error ?? error.message} ${error.error_description ?? ''}`)
  process.exitCode = 1
}
