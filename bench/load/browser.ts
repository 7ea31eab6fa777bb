/** Cookies, redirects and forms: enough to walk any sign-in that is rendered on the server. */
import { type Connection, type Headers, headerOf, type Reply } from './connection.ts'

export interface Stop {
  readonly reply: Reply
  readonly url: URL
  /** A redirect pointed at the app. */
  readonly done: boolean
}

export interface Form {
  readonly action: URL
  readonly method: string
  readonly fields: URLSearchParams
  /** Name of the field for the user name, where there is one; the same for the password. */
  readonly user: string | undefined
  readonly pass: string | undefined
}

const MOST_REDIRECTS = 10

export class Browser {
  connection: Connection
  readonly #jar = new Map<string, { name: string; value: string; path: string }>()

  constructor(connection: Connection) {
    this.connection = connection
  }

  /** Follows redirects until one points to an address that starts with `stopAt`. */
  async follow(method: string, to: URL, headers: Headers, body: string, stopAt: string): Promise<Stop> {
    let url = to
    let reply = await this.#send(method, url, headers, body)
    for (let hops = 0; reply.status >= 300 && reply.status < 400 && hops < MOST_REDIRECTS; hops++) {
      const next = new URL(headerOf(reply.raw, 'location')!, url)
      if (next.href.startsWith(stopAt)) return { reply, url: next, done: true }
      url = next
      reply = await this.#send('GET', url, { accept: 'text/html' })
    }
    return { reply, url, done: false }
  }

  async #send(method: string, url: URL, headers: Headers, body = ''): Promise<Reply> {
    let cookie = ''
    for (const { name, value, path } of this.#jar.values())
      if (url.pathname.startsWith(path)) cookie += `${cookie ? '; ' : ''}${name}=${value}`
    const reply = await this.connection.request(method, url, cookie ? { ...headers, cookie } : headers, body)
    for (const [, line = ''] of reply.raw.matchAll(/\r\nset-cookie: *([^\r]*)/gi)) this.#keep(line)
    return reply
  }

  #keep(line: string): void {
    const [pair = '', ...attributes] = line.split(/; */)
    const equals = pair.indexOf('=')
    const name = pair.slice(0, equals)
    const value = pair.slice(equals + 1)
    const path = /(?:^|;) *path=([^;]*)/i.exec(attributes.join(';'))?.[1] || '/'
    const gone = attributes.some((one) => /^expires=.*(1970|1971)/i.test(one) || /^max-age=(0|-)/i.test(one))
    if (gone || value === '' || value === '""') this.#jar.delete(`${name}|${path}`)
    else this.#jar.set(`${name}|${path}`, { name, value, path })
  }
}

const decode = (text: string) =>
  text
    .replace(/&quot;/g, '"')
    .replace(/&#(?:39|x27);/gi, "'")
    .replace(/&lt;/g, '<')
    .replace(/&gt;/g, '>')
    .replace(/&amp;/g, '&')

function attribute(tag: string, name: string): string | undefined {
  const found = new RegExp(`\\s${name}\\s*=\\s*(?:"([^"]*)"|'([^']*)'|([^\\s>]+))`, 'i').exec(tag)
  return found ? decode(found[1] ?? found[2] ?? found[3] ?? '') : undefined
}

/** The first form with a password field, else the first with a field for text, else the first. */
export function findForm(html: string, base: URL): Form | undefined {
  const forms = [...html.matchAll(/<form\b([^>]*)>([\s\S]*?)<\/form>/gi)].map(([, open = '', inside = '']) =>
    readForm(open, inside, base),
  )
  return forms.find((form) => form.pass) ?? forms.find((form) => form.user) ?? forms[0]
}

function readForm(open: string, inside: string, base: URL): Form {
  const fields = new URLSearchParams()
  let user: string | undefined
  let pass: string | undefined
  for (const [tag] of inside.matchAll(/<(?:input|button)\b[^>]*>/gi)) {
    const name = attribute(tag, 'name')
    const type = (attribute(tag, 'type') ?? 'text').toLowerCase()
    if (!name) continue
    if (type === 'password') pass = name
    else if (!user && /^(text|email)$/.test(type)) user = name
    else if (type !== 'submit' && !(/^(checkbox|radio)$/.test(type) && !/\schecked/i.test(tag)))
      fields.append(name, attribute(tag, 'value') ?? '')
  }
  const action = new URL(attribute(` ${open}`, 'action') || base.href, base)
  return { action, method: (attribute(` ${open}`, 'method') ?? 'GET').toUpperCase(), fields, user, pass }
}
