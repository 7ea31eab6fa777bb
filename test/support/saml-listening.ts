/** A SAML app with a server of its own: signs people on, takes sign-outs from their browsers, and begins some itself. */
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Incoming, isSignedBy, postedXml, readRedirect, verifyMessage } from '#saml'
import { logoutAnswerXml, logoutXml, redirectTo, requestXml, signedMessage, statusOf } from './saml-app.ts'
import type { Keys } from './saml-provider.ts'

export interface Told {
  readonly by: 'redirect' | 'post'
  readonly xml: string
  /** Of what the browser brought along: is it the one that was signed on here? */
  readonly known: boolean
}

export interface SamlListening {
  readonly origin: string
  /** LogoutRequests that were signed by the gateway. */
  readonly told: Told[]
  /** What it was answered to its own, in words of the status. */
  readonly answers: string[][]
  /** How it answers a LogoutRequest. */
  answer: 'post' | 'redirect' | 'nothing'
  /** For a registration: everything but where it takes sign-outs. */
  readonly saml: { entity_id: string; acs_urls: string[]; signing_certificates: string[] }
  close(): Promise<void>
}

export interface SamlListeningOptions {
  readonly issuer: () => string
  readonly certificates: () => Promise<string[]>
  readonly keys: Keys
}

const inForm = (action: string, fields: Readonly<Record<string, string>>): string =>
  `<form method="post" action="${action}">${Object.entries(fields)
    .map(([name, value]) => `<input type="hidden" name="${name}" value="${value}">`)
    .join('')}<button>Go</button></form><script>document.forms[0].submit()</script>`
const encoded = (xml: string): string => Buffer.from(xml).toString('base64')

async function bodyOf(request: IncomingMessage): Promise<URLSearchParams> {
  let body = ''
  for await (const chunk of request) body += chunk
  return new URLSearchParams(body)
}

export async function startSamlListening({ issuer, certificates, keys }: SamlListeningOptions): Promise<SamlListening> {
  /** By cookie: the name, and the number of the session. */
  const signedOn = new Map<string, { nameId: string; index: string }>()

  // browsers do not tell ports apart
  const cookieName = () => `app-${new URL(app.origin).port}`

  async function readTold(request: IncomingMessage, url: URL, form: URLSearchParams): Promise<Omit<Told, 'known'>> {
    if (request.method === 'POST') {
      const { signed } = await verifyMessage(postedXml(form.get('SAMLRequest')!), await certificates())
      if (!signed) throw new Error('the request is not signed')
      return { by: 'post', xml: Buffer.from(form.get('SAMLRequest')!, 'base64').toString() }
    }
    const incoming: Incoming = readRedirect(url.search.slice(1), 'SAMLRequest')
    if (!isSignedBy(incoming, await certificates())) throw new Error('the request is not signed')
    return { by: 'redirect', xml: incoming.xml }
  }

  const server = createServer(async (request, response) => {
    const url = new URL(request.url!, app.origin)
    const form = request.method === 'POST' ? await bodyOf(request) : new URLSearchParams()
    const cookie = new RegExp(`${cookieName()}=([^;]*)`).exec(request.headers.cookie ?? '')?.[1] ?? ''
    const say = (html: string, headers: Record<string, string> = {}) =>
      response.writeHead(200, { 'content-type': 'text/html', 'cache-control': 'no-store', ...headers }).end(html)
    const go = (location: string) => response.writeHead(303, { location }).end()
    const { entity_id } = app.saml
    try {
      if (url.pathname === '/') {
        const who = signedOn.get(cookie)
        if (who) say(`<h1>In</h1>`)
        else go(redirectTo(`${issuer()}/saml/sso`, requestXml(issuer(), { issuer: entity_id })))
      } else if (url.pathname === '/acs') {
        const xml = Buffer.from(form.get('SAMLResponse')!, 'base64').toString()
        const [nameId, index] = [/<saml:NameID[^>]*>([^<]*)/, /SessionIndex="([^"]*)"/].map((one) => one.exec(xml)![1]!)
        signedOn.set(index!, { nameId: nameId!, index: index! })
        say('<h1>In</h1>', { 'set-cookie': `${cookieName()}=${index}; Path=/` })
      } else if (url.pathname === '/leave') {
        const { nameId, index } = signedOn.get(cookie)!
        signedOn.delete(cookie)
        const xml = logoutXml(issuer(), { issuer: entity_id, nameId, indexes: [index] })
        const slo = `${issuer()}/saml/slo`
        if (url.searchParams.get('by') === 'redirect') go(redirectTo(slo, xml, { keys, relayState: 'there' }))
        else say(inForm(slo, { SAMLRequest: encoded(signedMessage(xml, 'LogoutRequest', keys)), RelayState: 'there' }))
      } else if (url.searchParams.has('SAMLResponse') || form.has('SAMLResponse')) {
        const posted = form.get('SAMLResponse')
        const xml = posted ? postedXml(posted) : readRedirect(url.search.slice(1), 'SAMLResponse').xml
        app.answers.push(statusOf(xml))
        say('<h1>Left</h1>')
      } else if (url.pathname === '/slo') {
        const told = await readTold(request, url, form)
        app.told.push({ ...told, known: signedOn.delete(cookie) })
        const answer = logoutAnswerXml({
          issuer: entity_id,
          destination: `${issuer()}/saml/slo`,
          at: Date.now(),
          inResponseTo: / ID="([^"]*)"/.exec(told.xml)![1]!,
        })
        const slo = `${issuer()}/saml/slo`
        if (app.answer === 'nothing') say('<h1>Out</h1>')
        else if (app.answer === 'redirect') go(redirectTo(slo, answer, { keys, name: 'SAMLResponse' }))
        else say(inForm(slo, { SAMLResponse: encoded(signedMessage(answer, 'LogoutResponse', keys)) }))
      } else response.writeHead(404).end()
    } catch (error) {
      response.writeHead(400).end(String(error))
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const origin = `http://localhost:${(server.address() as AddressInfo).port}`
  const app: SamlListening = {
    origin,
    told: [],
    answers: [],
    answer: 'post',
    saml: { entity_id: origin, acs_urls: [`${origin}/acs`], signing_certificates: [keys.certificate] },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  return app
}
