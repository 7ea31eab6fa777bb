/** `portico serve` with an app for each way to show who one is and each binding, two APIs, and somebody who signs in. */
import { generateKeyPairSync } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createBrowser, formOf, formsOf } from '../../../demo/browser.ts'
import { makeAuthority, makeClientCertificate, makeServerCertificate } from '../../support/certificates.ts'
import { certifiedJwk } from '../../support/certified.ts'
import { POLICIES } from '../../support/policies.ts'
import { freePort } from '../../support/ports.ts'
import { atCallback, typePassword } from '../../support/relying-party.ts'
import { makePlace, portico, serve } from '../../support/serve.ts'
import {
  appOf,
  BINDINGS,
  type Binding,
  CALLBACK,
  canDo,
  DEVICE_CODE,
  EXCHANGE,
  METHODS,
  type Method,
  type Place,
} from './axes.ts'

const COMBINATIONS = (Object.keys(METHODS) as Method[]).flatMap((method) =>
  (Object.keys(BINDINGS) as Binding[]).flatMap((binding) =>
    [false, true].map((signs) => [method, binding, signs] as const),
  ),
)

const api = (id: string, more: object = {}) =>
  JSON.stringify({
    ...{ api: id, name: id, audience: `https://api.kestrel.example/${id}`, policy: 'plain' },
    ...{ scopes: { [`${id}:read`]: 'Read' }, ...more },
  })

function appFor([method, binding, signs]: (typeof COMBINATIONS)[number], folder: string, jwk: object) {
  const keys = [
    ...(signs || method === 'private_key_jwt' ? [jwk] : []),
    ...(method === 'self_signed_tls_client_auth' ? [certifiedJwk(folder, 'self')] : []),
  ]
  const asks = ['authorization_code', 'refresh_token', DEVICE_CODE]
  const program = ['client_credentials', EXCHANGE]
  return {
    ...{ id: appOf(method, binding, signs), policy: 'plain', audience: ['staff'] },
    oidc: {
      redirect_uris: [CALLBACK],
      scopes: ['openid', 'email', 'offline_access'],
      grant_types: canDo('credentials', method) ? [...asks, ...program] : asks,
      token_endpoint_auth_method: method,
      id_token_signed_response_alg: 'ES256',
      apis: { orders: ['orders:read'], stock: ['stock:read'] },
      ...(method === 'tls_client_auth' ? { tls_client_auth_san_dns: 'shop.example.com' } : {}),
      ...(keys.length > 0 ? { jwks: { keys } } : {}),
      ...(signs ? { require_signed_request_object: true } : {}),
      ...(binding === 'dpop' ? { dpop_bound_access_tokens: true } : {}),
      ...(binding === 'mtls' ? { tls_client_certificate_bound_access_tokens: true } : {}),
    },
  }
}

export async function startGround() {
  const folder = mkdtempSync(join(tmpdir(), 'portico-clients-'))
  await makeServerCertificate(folder, 'DNS:localhost')
  await makeAuthority(folder, 'partners')
  await makeClientCertificate(folder, 'shop', { authority: 'partners', names: 'DNS:shop.example.com' })
  await makeClientCertificate(folder, 'self')
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  writeFileSync(join(folder, 'signing.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }))
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'signing', use: 'sig', alg: 'ES256' }
  const port = await freePort()
  const place = await makePlace({
    policies: POLICIES,
    settings: {
      client_certificates: {
        ...{ listen: `127.0.0.1:${port}`, url: `https://localhost:${port}`, ca_file: join(folder, 'partners.pem') },
        ...{ cert_file: join(folder, 'server.pem'), key_file: join(folder, 'server.key') },
      },
    },
    people: [{ username: 'sam', name: 'Sam', mail: 'sam@kestrel.example', groups: ['staff'] }],
    apps: COMBINATIONS.map((one) => appFor(one, folder, jwk)) as never,
  })
  const by = COMBINATIONS.map((one) => appOf(...one))
  mkdirSync(join(place.folder, 'apis'))
  writeFileSync(join(place.folder, 'apis/orders.yaml'), api('orders'))
  const exchange = [{ from: 'orders', by, scopes: { 'orders:read': ['stock:read'] } }]
  writeFileSync(join(place.folder, 'apis/stock.yaml'), api('stock', { exchange }))
  const applied = portico(['apis', 'apply', join(place.folder, 'apis'), '--config', place.config])
  if ((await applied.exited) !== 0) throw new Error(applied.out() + applied.err())
  const serving = await serve(place.config)

  const browser = createBrowser({ stopAt: CALLBACK })
  return {
    place: (method: Method, binding: Binding, signs: boolean): Place => {
      const app = appOf(method, binding, signs)
      return { issuer: place.issuer, folder, app, method, binding, secret: place.secrets.get(app) }
    },
    issuer: place.issuer,
    folder,
    person: place.ids.get('sam')!,

    /** Sam opens the address, and is where the app wants them afterwards. */
    async opens(url: string): Promise<URL> {
      let page = await browser.open(url)
      if (!atCallback(page)) page = await typePassword(browser, page, 'sam')
      if (!atCallback(page)) throw new Error(`stopped at ${page.url.pathname} (${page.status}): ${page.text}`)
      return page.url
    },

    /** Sam follows the address on the screen of a device, and connects it. */
    async connects(url: string): Promise<void> {
      let page = await browser.open(url)
      // a page that sends the code on by itself
      page = await browser.submit(formsOf(page).find(({ fields }) => fields.has('user_code'))!)
      page = await browser.submit(formOf(page, 'device-confirm'), { confirm: 'yes' })
      if (page.text.includes('value="identifier"')) page = await typePassword(browser, page, 'sam')
      if (page.status !== 200) throw new Error(`not connected (${page.status}): ${page.text}`)
    },

    async close() {
      await serving.stop()
      await place.remove()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
