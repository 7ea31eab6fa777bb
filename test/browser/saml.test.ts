/** SAML apps in a real browser: mod_auth_mellon, and an app on another site that asks by a form. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { messagesFor } from '#pages'
import { readAppMetadata } from '#protocol/saml'
import { type Chromium, startChromium } from '../support/chromium.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { signIn } from '../support/kestrel.ts'
import { type Mellon, startMellon } from '../support/mellon.ts'
import { POLICIES } from '../support/policies.ts'
import { freePort } from '../support/ports.ts'
import { formTo, requestXml, statusOf } from '../support/saml-app.ts'

const en = messagesFor('en')
let gateway: Gateway
let mellon: Mellon
let chromium: Chromium
/** Another site than the gateway's: its forms bring none of the gateway's cookies along. */
let site: Server

const origin = () => `http://127.0.0.1:${(site.address() as AddressInfo).port}`

/** A page that asks at once, and one that says what it was answered. */
function app(path: string, body: string): string {
  if (path === '/acs') {
    const fields = new URLSearchParams(body)
    const xml = Buffer.from(fields.get('SAMLResponse')!, 'base64').toString()
    return `<h1>${statusOf(xml)[0]}</h1><p>state: ${fields.get('RelayState')}</p>`
  }
  const { action, fields } = formTo(`${gateway.issuer}/saml/sso`, requestXml(gateway.issuer, { issuer: origin() }), {
    RelayState: 'deep/link',
  })
  const inputs = [...fields].map(([name, value]) => `<input type="hidden" name="${name}" value="${value}">`)
  return `<form method="post" action="${action}">${inputs.join('')}<button>Go</button></form><script>document.forms[0].submit()</script>`
}

beforeAll(async () => {
  site = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      response.writeHead(200, { 'content-type': 'text/html' })
      response.end(app(request.url!, Buffer.concat(chunks).toString()))
    })
  })
  await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve))
  gateway = await startGateway({
    policies: POLICIES,
    people: [{ username: 'sam', name: 'Sam', mail: 'sam@kestrel.example', groups: ['staff'] }],
    apps: [
      {
        id: 'form',
        name: 'Form',
        policy: 'plain',
        audience: ['*'],
        saml: { entity_id: origin(), acs_urls: [`${origin()}/acs`] },
      },
    ] as never,
  })
  const idpMetadata = await (await fetch(`${gateway.issuer}/saml/metadata`)).text()
  ;[mellon, chromium] = await Promise.all([startMellon({ port: await freePort(), idpMetadata }), startChromium()])
  const saml = readAppMetadata(await (await fetch(mellon.metadataUrl)).text(), Date.now())
  const attributes = [{ name: 'mail', value: 'email' }]
  await gateway.server.house.catalog.apps.register(
    { id: 'mellon', name: 'Mellon', policy: 'plain', audience: ['*'], saml: { ...saml, attributes } } as never,
    'test',
  )
})
afterEach(async () => {
  expect(chromium.troubles).toEqual([])
  await chromium.endVisits()
})
afterAll(async () => {
  await chromium?.close()
  await mellon?.close()
  await gateway?.close()
  await new Promise((resolve) => site?.close(resolve))
})

const desk = () => `${mellon.origin}${mellon.protectedPath}`
const WHO = 'MELLON_mail: sam@kestrel.example'

test('somebody signs in on the way to an app, and is there without another press of a button', async () => {
  const tab = await chromium.tab()
  await tab.goto(desk())
  await signIn(tab, 'sam')
  await tab.getByText(WHO).waitFor()
  expect(tab.url()).toBe(desk())
})

test('an app on another site asks by a form, and the session that there is counts', async () => {
  const tab = await chromium.tab()
  await tab.goto(desk())
  await signIn(tab, 'sam')
  await tab.getByText(WHO).waitFor()
  await tab.goto(`${origin()}/`)
  await tab.getByRole('heading', { name: 'Success' }).waitFor()
  expect(await tab.getByText('state:').textContent()).toBe('state: deep/link')
})

test('without scripts there is a button', async () => {
  const tab = await chromium.tab({ javaScriptEnabled: false })
  await tab.goto(desk())
  await signIn(tab, 'sam')
  await tab.getByRole('heading', { name: 'Opening Mellon' }).waitFor()
  await tab.getByRole('button', { name: en.common.continue }).click()
  await tab.getByText(WHO).waitFor()
})

test('the launcher opens an app that has no page to start at', async () => {
  const tab = await chromium.tab()
  await tab.goto(gateway.issuer)
  await signIn(tab, 'sam')
  await tab.getByRole('link', { name: 'Form' }).click()
  await tab.getByRole('heading', { name: 'Success' }).waitFor()
  expect(tab.url()).toBe(`${origin()}/acs`)
})

test('signing out at the app ends the session here, and the other way round', async () => {
  const tab = await chromium.tab()
  await tab.goto(desk())
  await signIn(tab, 'sam')
  await tab.getByText(WHO).waitFor()
  await tab.goto(`${mellon.origin}/mellon/logout?ReturnTo=${encodeURIComponent(`${mellon.origin}/bye.html`)}`)
  await tab.getByRole('heading', { name: 'Bye' }).waitFor()
  await tab.goto(gateway.issuer)
  await tab.locator('[name=username]').waitFor()

  await signIn(tab, 'sam')
  await tab.goto(desk())
  await tab.getByText(WHO).waitFor()
  await tab.goto(`${gateway.issuer}/signout`)
  await tab.getByRole('button', { name: en.signOut.submit }).click()
  await tab.getByRole('heading', { name: en.signedOut.title }).waitFor()
  await gateway.server.tick()
  await expect.poll(() => gateway.server.house.outbox.pending()).toBe(0)
  await tab.goto(desk())
  await tab.locator('[name=username]').waitFor()
})
