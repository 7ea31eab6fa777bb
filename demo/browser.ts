/** As much of a browser as the tour needs: cookies per host, redirects, pages that go on by themselves, forms. Not a test's browser: those are real. */

export interface Page {
  readonly url: URL
  readonly status: number
  readonly text: string
}

export interface Form {
  readonly action: URL
  readonly fields: URLSearchParams
}

const decode = (text: string) =>
  text
    .replace(/&quot;/g, '"')
    .replace(/&#39;/g, "'")
    .replace(/&lt;/g, '<')
    .replace(/&gt;/g, '>')
    .replace(/&amp;/g, '&')
const attribute = (tag: string, name: string) => {
  const found = new RegExp(`\\s${name}="([^"]*)"`).exec(tag)?.[1]
  return found === undefined ? undefined : decode(found)
}

/**
 * `stopAt`: addresses that nobody answers; a redirect there ends the walk. `fetch`: for whoever minds that node's own says of
 * itself that it is a script (`Sec-Fetch-Mode`).
 */
export function createBrowser(
  options: {
    readonly stopAt?: string | readonly string[]
    readonly headers?: Readonly<Record<string, string>>
    readonly fetch?: (url: URL, init: RequestInit) => Promise<Response>
  } = {},
) {
  const stopsAt = [options.stopAt ?? []].flat()
  const jars = new Map<string, Map<string, string>>()
  const jarOf = (host: string): Map<string, string> => {
    const jar = jars.get(host) ?? new Map<string, string>()
    jars.set(host, jar)
    return jar
  }

  async function send(url: URL, init: RequestInit = {}): Promise<Response> {
    const jar = jarOf(url.hostname)
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ')
    const response = await (options.fetch ?? fetch)(url, {
      ...init,
      redirect: 'manual',
      headers: { ...options.headers, ...init.headers, ...(cookie ? { cookie } : {}), accept: 'text/html' },
    })
    for (const line of response.headers.getSetCookie()) {
      const [pair = '', ...attributes] = line.split(';')
      const equals = pair.indexOf('=')
      const [name, value] = [pair.slice(0, equals), pair.slice(equals + 1)]
      // cookies of `localhost` go to every port of it, as in a browser; paths matter to the engine's own ones only
      if (value === '' || attributes.some((a) => /max-age=0|expires=.*1970/i.test(a))) jar.delete(name)
      else jar.set(name, value)
    }
    return response
  }

  async function follow(url: URL, init: RequestInit = {}): Promise<Page> {
    let at = url
    let response = await send(at, init)
    for (let hops = 0; response.status >= 300 && response.status < 400; hops++) {
      if (hops > 20) throw new Error(`redirected in a circle at ${at.pathname}`)
      at = new URL(response.headers.get('location')!, at)
      if (stopsAt.some((one) => at.href.startsWith(one))) return { url: at, status: response.status, text: '' }
      response = await send(at)
    }
    const text = await response.text()
    const on = /<meta http-equiv="refresh" content="0;url=([^"]*)">/.exec(text)?.[1]
    return on === undefined ? { url: at, status: response.status, text } : follow(new URL(decode(on), at))
  }

  return {
    /** The cookies of `localhost`. */
    jar: jarOf('localhost'),
    jarOf,
    open: (url: string) => follow(new URL(url)),
    submit: (form: Form, values: Record<string, string> = {}) => {
      const body = new URLSearchParams(form.fields)
      for (const [name, value] of Object.entries(values)) body.set(name, value)
      return follow(form.action, {
        method: 'POST',
        body,
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
      })
    },
  }
}

/** The forms of a page, with what they have filled in already. */
export function formsOf(page: Page): Form[] {
  return [...page.text.matchAll(/<form\b([^>]*)>([\s\S]*?)<\/form>/g)].map(([, open = '', inside = '']) => {
    const fields = new URLSearchParams()
    for (const [tag] of inside.matchAll(/<input\b[^>]*>/g)) {
      const name = attribute(tag, 'name')
      if (name && attribute(tag, 'type') !== 'checkbox') fields.append(name, attribute(tag, 'value') ?? '')
    }
    return { action: new URL(attribute(open, 'action') ?? '', page.url), fields }
  })
}

/** The form that answers the step. */
export function formOf(page: Page, step: string): Form {
  const form = formsOf(page).find(({ fields }) => fields.get('step') === step)
  if (form) return form
  throw new Error(`no form for "${step}" at ${page.url.pathname} (${page.status}): ${headingOf(page)}`)
}

export const headingOf = (page: Page): string =>
  decode((/<h1[^>]*>([\s\S]*?)<\/h1>/.exec(page.text)?.[1] ?? '').replace(/<[^>]*>/g, '')).trim()

/** What the page asks the browser's passkey part to do. */
export function passkeyOptions(page: Page): unknown {
  const options = /data-options="([^"]*)"/.exec(page.text)?.[1]
  if (!options) throw new Error(`no passkey is asked for at ${page.url.pathname}: ${headingOf(page)}`)
  return JSON.parse(decode(options))
}
