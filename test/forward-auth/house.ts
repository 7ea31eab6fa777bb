/** A gateway, and a proxy that only speaks: each request of a browser is put to one of the endpoints, as the real ones do. */
import { request as httpRequest } from 'node:http'
import type { Manifest } from '#catalog'
import { createBrowser } from '../../demo/browser.ts'
import { type Gateway, type GatewayOptions, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { typePassword } from '../support/relying-party.ts'

export const WIKI = 'https://wiki.example.com'
export const HTML = { accept: 'text/html,application/xhtml+xml', 'sec-fetch-mode': 'navigate' }

export const app = (id: string, more: object = {}, about: object = {}): Manifest => ({
  id,
  name: id,
  policy: 'plain',
  audience: ['staff'],
  forward_auth: { hosts: [`${id}.example.com`], ...more },
  ...about,
})

export interface Answered {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
  /** Where the browser goes. */
  readonly location: string
}

type Lines = Readonly<Record<string, string | readonly string[]>>

/** One request on a connection of its own, with exactly these headers. */
export function raw(
  port: number,
  path: string,
  headers: Lines,
  { method = 'GET', from = '127.0.0.1' }: { method?: string; from?: string } = {},
): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const lines = Object.entries(headers).flatMap(([name, value]) => [value].flat().flatMap((one) => [name, one]))
    const sent = httpRequest(
      { host: '127.0.0.1', port, path, method, headers: lines as never, localAddress: from, agent: false },
      (answer) => {
        let text = ''
        answer.setEncoding('utf8')
        answer.on('data', (part) => (text += part))
        answer.on('end', () =>
          resolve({
            status: answer.statusCode!,
            headers: answer.headers,
            text,
            location: String(answer.headers.location ?? answer.headers['x-portico-location'] ?? ''),
          }),
        )
      },
    )
    sent.on('error', reject)
    sent.end()
  })
}

export interface Asking {
  readonly method?: string
  readonly headers?: Lines
  readonly from?: string
}

/** A person's browser: what it keeps for our host, and for those of the apps. */
export function createVisitor(gateway: Gateway, browser = createBrowser({ stopAt: 'https://' })) {
  const port = Number(new URL(gateway.issuer).port)
  const jars = new Map<string, Map<string, string>>()
  const jarOf = (host: string) => {
    const jar = jars.get(host) ?? new Map<string, string>()
    jars.set(host, jar)
    return jar
  }

  async function visit(url: string, { method = 'GET', headers = HTML, from }: Asking = {}): Promise<Answered> {
    const { protocol, host } = new URL(url)
    const jar = jarOf(host)
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ')
    const answer = await raw(
      port,
      '/authz/forward',
      {
        host: `127.0.0.1:${port}`,
        'X-Forwarded-Method': method,
        'X-Forwarded-Proto': protocol.slice(0, -1),
        'X-Forwarded-Host': host,
        'X-Forwarded-Uri': url.slice(url.indexOf(host) + host.length) || '/',
        ...(cookie ? { cookie } : {}),
        ...headers,
      },
      from === undefined ? {} : { from },
    )
    for (const line of [answer.headers['set-cookie'] ?? []].flat()) {
      const [, name, value, rest] = /^([^=]+)=([^;]*)(.*)$/.exec(line)!
      if (/max-age=0/i.test(rest!)) jar.delete(name!)
      else jar.set(name!, value!)
    }
    return answer
  }

  /** From the app's refusal through our host: where the browser is sent back to. */
  async function through(answer: Answered, username = 'sam'): Promise<URL> {
    let page = await browser.open(answer.location)
    if (page.text.includes('name="username"')) page = await typePassword(browser, page, username)
    return page.url
  }

  return {
    browser,
    jarOf,
    visit,
    through,
    /** Opens the address as a person would, signing in where asked; answers the first request that gets through. */
    async open(url: string, username = 'sam'): Promise<Answered> {
      const first = await visit(url)
      if (first.status !== 302) return first
      const back = await through(first, username)
      const called = await visit(back.href)
      return called.status === 302 ? visit(called.location) : called
    },
  }
}

export type Visitor = ReturnType<typeof createVisitor>

export const startHouse = (options: GatewayOptions & { readonly apps: readonly Manifest[] }): Promise<Gateway> =>
  startGateway({
    policies: POLICIES,
    people: [
      {
        username: 'sam',
        name: 'Sam de Vries',
        mail: 'sam@kestrel.example',
        mailVerified: true,
        groups: ['staff', 'tills'],
      },
      { username: 'guest', name: 'Guest', groups: [] },
    ],
    ...options,
    settings: { proxies: ['127.0.0.1'], ...options.settings },
  })

/** The claims of a token, unverified. */
export const claimsOf = (jwt: string) => JSON.parse(Buffer.from(jwt.split('.')[1]!, 'base64url').toString())
