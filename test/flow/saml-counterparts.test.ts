/**
 * SAML apps that are not ours: mod_auth_mellon, pysaml2 and SimpleSAMLphp, as Debian ships them. Each is registered by its own
 * metadata and told of ours, signs people on, signs them out here, and hears of an end.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readAppMetadata } from '#protocol/saml'
import { createBrowser, formsOf, type Page } from '../../demo/browser.ts'
import { stepOf } from '../abuse/people.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { startMellon } from '../support/mellon.ts'
import { POLICIES } from '../support/policies.ts'
import { freePort } from '../support/ports.ts'
import { startPysaml2 } from '../support/pysaml2.ts'
import { type Browser, typePassword } from '../support/relying-party.ts'
import { startSimpleSamlPhp } from '../support/simplesamlphp.ts'

interface Counterpart {
  readonly metadataUrl: string
  /** Asks whoever is not known to sign on, and then says who they are. */
  readonly start: string
  /** Signs out there, and here. */
  readonly leave: string
  /** What it says at the end of that. */
  readonly bye: RegExp
  readonly saml?: object
  readonly confirms: boolean
  log(): string
  close(): Promise<void>
}

type Start = (port: number, idp: string, idpMetadata: string) => Promise<Counterpart>

const COUNTERPARTS: readonly (readonly [string, Start])[] = [
  [
    'mod_auth_mellon',
    async (port, _, idpMetadata) => {
      const mellon = await startMellon({ port, idpMetadata })
      const to = encodeURIComponent(`${mellon.origin}/bye.html`)
      return {
        ...mellon,
        start: mellon.origin + mellon.protectedPath,
        leave: `${mellon.origin}/mellon/logout?ReturnTo=${to}`,
        bye: /<h1>Bye<\/h1>/,
        confirms: true,
      }
    },
  ],
  [
    'pysaml2',
    async (port, _, idpMetadata) => {
      const app = await startPysaml2({ port, idpMetadata })
      return {
        ...app,
        start: `${app.origin}/`,
        leave: `${app.origin}/logout`,
        bye: /"logout": true/,
        confirms: true,
        log: () => '',
      }
    },
  ],
  [
    'SimpleSAMLphp',
    async (port, idp, idpMetadata) => {
      const app = await startSimpleSamlPhp({ port, idp, idpMetadata })
      return {
        ...app,
        start: app.origin + app.protectedPath,
        leave: app.origin + app.logoutPath,
        bye: /You have been logged out/,
        // signs the person out, and then its answer fails (TypeError in saml2-logout.php, 1.19.7)
        confirms: false,
        saml: { encrypt: true },
      }
    },
  ],
]

/** Goes on wherever a page would go on by itself, were there scripts. */
async function carried(browser: Browser, from: Page): Promise<Page> {
  let page = from
  for (let forms = 0; forms < 5; forms++) {
    const form = formsOf(page).find(({ fields }) => fields.has('SAMLResponse') || fields.has('SAMLRequest'))
    if (!form) break
    page = await browser.submit(form)
  }
  return page
}

let gateway: Gateway
beforeAll(async () => {
  gateway = await startGateway({
    policies: POLICIES,
    people: [{ username: 'sam', name: 'Sam de Vries', mail: 'sam@kestrel.example', groups: ['staff'] }],
  })
})
afterAll(() => gateway?.close())

const sessionsHere = async () => (await gateway.server.house.sessions.ofPerson(gateway.ids.get('sam')!)).length

describe.each(COUNTERPARTS)('%s', (name, start) => {
  let app: Counterpart
  const id = name.toLowerCase().replaceAll('_', '-')

  beforeAll(async () => {
    const idp = `${gateway.issuer}/saml/metadata`
    app = await start(await freePort(), idp, await (await fetch(idp)).text())
    const saml = readAppMetadata(await (await fetch(app.metadataUrl)).text(), Date.now())
    await gateway.server.house.catalog.apps.register(
      {
        id,
        name,
        policy: 'plain',
        audience: ['*'],
        saml: {
          ...saml,
          name_id_format: 'persistent',
          attributes: [
            { name: 'mail', value: 'email' },
            { name: 'urn:oid:2.16.840.1.113730.3.1.241', value: 'name' },
          ],
          ...app.saml,
        },
      } as never,
      'test',
    )
  })
  afterAll(() => app?.close())

  async function signedOn(): Promise<{ browser: Browser; page: Page }> {
    const browser = createBrowser()
    const asked = await browser.open(app.start)
    expect(
      stepOf(asked),
      `${asked.url.href} ${asked.text.slice(0, 2000)} ${gateway
        .log()
        .split('\n')
        .findLast((line) => line.includes('saml-message-refused'))}`,
    ).toBe('identifier')
    return { browser, page: await carried(browser, await typePassword(browser, asked, 'sam')) }
  }

  test('signs people on', async () => {
    const { browser, page } = await signedOn()
    expect(page.text, app.log()).toContain('sam@kestrel.example')
    expect((await browser.open(app.start)).text).toContain('sam@kestrel.example')
  })

  test('signs people out here', async () => {
    const { browser } = await signedOn()
    const before = await sessionsHere()
    const page = await carried(browser, await browser.open(app.leave))
    expect(page.text, `${page.url.href} ${app.log()}`).toMatch(app.bye)
    expect(new URL(page.url).origin).toBe(new URL(app.start).origin)
    expect(await sessionsHere()).toBe(before - 1)
    expect(stepOf(await browser.open(app.start))).toBe('identifier')
  })

  test('hears of an end here', async () => {
    const { browser } = await signedOn()
    const { sessions, outbox, audit } = gateway.server.house
    await sessions.endAll(gateway.ids.get('sam')!, 'signed-out', 'test')
    await gateway.server.tick()
    expect(await outbox.pending(), app.log()).toBe(0)
    const [last] = await audit.search({ app: id })
    expect(last!.event).toBe(app.confirms ? 'logout-delivered' : 'logout-given-up')
    // its own cookie is still there, and worth nothing
    expect(stepOf(await browser.open(app.start))).toBe('identifier')
  })
})
