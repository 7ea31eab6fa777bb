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
  console.log(page.text, mellon.log())
})
