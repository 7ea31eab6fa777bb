// Gets one token with openid-client, and says for what. Node 22 or later; `npm install` first.
import { readFileSync } from 'node:fs'
import { webcrypto } from 'node:crypto'
import * as oidc from 'openid-client'

const file = (name) => readFileSync(new URL(name, import.meta.url), 'utf8')
const settings = Object.fromEntries([...file('settings.env').matchAll(/^([A-Z_]+)='(.*)'$/gm)].map(([, k, v]) => [k, v]))
const { ISSUER, CLIENT_ID, RESOURCE, SCOPE, AUTH_METHOD, CLIENT_SECRET } = settings

async function privateKey() {
  const der = Buffer.from(file('private-key.pem').replace(/-----[A-Z ]+-----|\s/g, ''), 'base64')
  const key = await webcrypto.subtle.importKey('pkcs8', der, { name: 'RSA-PSS', hash: 'SHA-256' }, false, ['sign'])
  return { key, kid: file('key-id.txt') }
}
const ways = {
  private_key_jwt: async () => oidc.PrivateKeyJwt(await privateKey()),
  client_secret_basic: async () => oidc.ClientSecretBasic(CLIENT_SECRET),
  client_secret_post: async () => oidc.ClientSecretPost(CLIENT_SECRET),
}
const tls = ISSUER.startsWith('http:') ? { execute: [oidc.allowInsecureRequests] } : {}
try {
  const gateway = await oidc.discovery(new URL(ISSUER), CLIENT_ID, undefined, await ways[AUTH_METHOD](), tls)
  const answer = await oidc.clientCredentialsGrant(gateway, { resource: RESOURCE, scope: SCOPE })
  console.log(`ok: Node has a token for ${answer.scope} at ${RESOURCE}, for ${answer.expires_in} s`)
} catch (error) {
  console.error(`refused: ${error.error ?? error.message} ${error.error_description ?? ''}`)
  process.exitCode = 1
}
