/** One person at the beginning of a shift: signs in on the way to an app, then opens apps without being asked. */
import type { Authenticator } from '../../test/support/authenticator.ts'
import { Browser } from '../load/browser.ts'
import { Connection, type Headers, type Reply } from '../load/connection.ts'
import type { Flows } from '../load/flows.ts'
import type { Employee } from './world.ts'

/** Of a tablet behind the proxy of the store's network. */
class FromStore extends Connection {
  readonly #address: string

  constructor(place: { host: string; port: number }, address: string) {
    super(place)
    this.#address = address
  }

  override request(method: string, url: URL, headers: Headers = {}, body = ''): Promise<Reply> {
    return super.request(method, url, { ...headers, 'x-forwarded-for': this.#address }, body)
  }
}

const unescaped = (text: string) => text.replaceAll('&quot;', '"').replaceAll('&#39;', "'").replaceAll('&amp;', '&')

/** The form that a browser fills by itself once somebody has touched the sensor. */
function passkeyForm(html: string, authenticator: Authenticator): URLSearchParams {
  const form = /<form\b[^>]*\bdata-passkey="get"[\s\S]*?<\/form>/.exec(html)?.[0]
  const options = form && /\bdata-options="([^"]*)"/.exec(form)?.[1]
  if (!options) throw new Error('a page without a passkey')
  const fields = new URLSearchParams()
  for (const [, name, value] of form!.matchAll(/<input type="hidden" name="([^"]+)"(?: value="([^"]*)")?>/g))
    fields.set(name!, unescaped(value ?? ''))
  fields.set('credential', JSON.stringify(authenticator.get(JSON.parse(unescaped(options)))))
  return fields
}

export function openShift(flows: Flows, { username, address, authenticator }: Employee) {
  const { hostname, port } = new URL(flows.issuer)
  const connection = new FromStore({ host: hostname, port: Number(port) }, address)
  const browser = new Browser(connection)
  const client = flows.target.web
  const number = Number(username.slice('user'.length))

  async function byPasskey(): Promise<void> {
    const { url, verifier } = flows.authorize(client)
    const { redirectUri } = flows.target
    const asked = await browser.follow('GET', url, { accept: 'text/html' }, '', redirectUri)
    const fields = passkeyForm(asked.reply.body, authenticator!)
    const headers = { 'content-type': 'application/x-www-form-urlencoded', accept: 'text/html' }
    const landed = await browser.follow('POST', asked.url, headers, fields.toString(), redirectUri)
    if (!landed.done) throw new Error(`a passkey led to ${landed.url.pathname} (${landed.reply.status})`)
    await flows.exchange(connection, client, landed.url, verifier)
  }

  return {
    signIn: () => (authenticator ? byPasskey() : flows.signInAs(browser, number, client).then(() => undefined)),
    openApp: () => flows.silent(browser, client).then(() => undefined),
    leave: () => connection.close(),
  }
}
