/** A SAML app that is not ours: Apache with mod_auth_mellon, as Debian ships it. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createBrowser, type Page } from '../../demo/browser.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { type Mellon, startMellon } from '../support/mellon.ts'
import { POLICIES } from '../support/policies.ts'
import { freePort } from '../support/ports.ts'
import { type Browser, typePassword } from '../support/relying-party.ts'
import { carryingForm } from '../support/saml-app.ts'

let gateway: Gateway
let mellon: Mellon

beforeAll(async () => {
  const port = await freePort()
  gateway = await startGateway({
    policies: POLICIES,
    people: [
      { username: 'sam', name: 'Sam de Vries', mail: 'sam@kestrel.example', groups: ['staff', 'store'] },
      { username: 'guest', name: 'Guest', groups: [] },
    ],
    apps: [
      {
        id: 'mellon',
        name: 'Mellon',
        policy: 'plain',
        audience: ['*'],
        saml: {
          entity_id: `http://localhost:${port}/mellon/metadata`,
          acs_urls: [`http://localhost:${port}/mellon/postResponse`],
          name_id_format: 'persistent',
          attributes: [
            { name: 'mail', value: 'email' },
            { name: 'groups', value: 'groups' },
          ],
        },
      },
    ] as never,
  })
  const idpMetadata = await (await fetch(`${gateway.issuer}/saml/metadata`)).text()
  mellon = await startMellon({ port, idpMetadata })
})
afterAll(async () => {
  await mellon?.close()
  await gateway?.close()
})

const desk = () => `${mellon.origin}${mellon.protectedPath}`

/** Presses the button of the page that carries the answer, where scripts would. */
const carry = (browser: Browser, page: Page): Promise<Page> => {
  const form = carryingForm(page)
  if (!form) throw new Error(`no answer at ${page.url.href} (${page.status}): ${page.text.slice(-400)}`)
  return browser.submit(form)
}

async function atDesk() {
  const browser = createBrowser()
  const page = await carry(browser, await typePassword(browser, await browser.open(desk()), 'sam'))
  return { browser, page }
}

test('Apache sends people here and then knows who they are', async () => {
  const { page } = await atDesk()
  expect([page.status, page.url.href], mellon.log()).toEqual([200, desk()])
  expect(page.text).toMatch(/MELLON_NAME_ID: _[\w-]{43}</)
  expect(page.text).toContain('MELLON_mail: sam@kestrel.example<')
  expect(page.text).toContain('MELLON_groups: staff<')
})

test('the second visit is silent, also when Apache has forgotten the person', async () => {
  const { browser, page } = await atDesk()
  expect((await browser.open(desk())).text).toBe(page.text)
  for (const name of browser.jar.keys()) if (name.startsWith('mellon')) browser.jar.delete(name)
  expect((await carry(browser, await browser.open(desk()))).text).toBe(page.text)
})

test('an answer that was changed on the way, or comes a second time, is not taken', async () => {
  const browser = createBrowser()
  const form = carryingForm(await typePassword(browser, await browser.open(desk()), 'sam'))!
  const xml = Buffer.from(form.fields.get('SAMLResponse')!, 'base64').toString()
  const changed = Buffer.from(xml.replace('sam@', 'eva@')).toString('base64')
  expect((await browser.submit(form, { SAMLResponse: changed })).status).toBeGreaterThanOrEqual(400)
  expect((await browser.submit(form)).status).toBe(200)
  const stranger = createBrowser()
  expect((await stranger.submit(form)).status).toBeGreaterThanOrEqual(400)
})

test('somebody whom the policy refuses comes back with a no, and gets no page', async () => {
  const browser = createBrowser()
  const refused = await typePassword(browser, await browser.open(desk()), 'guest')
  expect(refused.status).toBe(403)
  const back = /href="(\/signin\/[^"]*back)"/.exec(refused.text)![1]!.replaceAll('&amp;', '&')
  const page = await carry(browser, await browser.open(`${gateway.issuer}${back}`))
  expect(page.status).toBeGreaterThanOrEqual(400)
  expect(mellon.log()).toContain('RequestDenied')
  expect(page.text).not.toContain('MELLON_NAME_ID')
})

test('begun here, the answer opens the app as well (Profiles §4.1.5)', async () => {
  const browser = createBrowser()
  const asked = await browser.open(`${gateway.issuer}/saml/init/mellon`)
  await carry(browser, await typePassword(browser, asked, 'sam'))
  expect((await browser.open(desk())).text).toContain('MELLON_mail: sam@kestrel.example<')
})
