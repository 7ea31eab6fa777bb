/** As much HTML as a sign-in needs: forms that post themselves, and pages that go on. */
export interface Form {
  readonly action: URL
  readonly method: 'GET' | 'POST'
  readonly fields: URLSearchParams
}

export const decoded = (text: string): string =>
  text
    .replace(/&quot;/g, '"')
    .replace(/&#(?:39|x27);/gi, "'")
    .replace(/&#(?:47|x2f);/gi, '/')
    .replace(/&#(?:43|x2b);/gi, '+')
    .replace(/&#(?:61|x3d);/gi, '=')
    .replace(/&lt;/g, '<')
    .replace(/&gt;/g, '>')
    .replace(/&amp;/g, '&')

function attribute(tag: string, name: string): string | undefined {
  const found = new RegExp(`\\s${name}\\s*=\\s*(?:"([^"]*)"|'([^']*)'|([^\\s>"']+))`, 'i').exec(tag)
  const value = found?.[1] ?? found?.[2] ?? found?.[3]
  return value === undefined ? undefined : decoded(value)
}

export function formsOf(text: string, at: URL): Form[] {
  return [...text.matchAll(/<form\b([^>]*)>([\s\S]*?)<\/form>/gi)].flatMap(([, open = '', inside = '']) => {
    const action = URL.parse(attribute(open, 'action') ?? '', at)
    const fields = new URLSearchParams()
    for (const [tag] of inside.matchAll(/<(?:input|textarea)\b[^>]*>/gi)) {
      const name = attribute(tag, 'name')
      if (name) fields.append(name, attribute(tag, 'value') ?? '')
    }
    const method = /^post$/i.test(attribute(open, 'method') ?? '') ? 'POST' : 'GET'
    return action ? [{ action, method, fields }] : []
  })
}

/** Where the page goes on to by itself. */
export function refreshOf(text: string, at: URL): URL | undefined {
  const tag = /<meta\b[^>]*http-equiv\s*=\s*["']?refresh["']?[^>]*>/i.exec(text)?.[0]
  const to = tag === undefined ? undefined : /url\s*=\s*'?([^']+?)'?\s*$/i.exec(attribute(tag, 'content') ?? '')?.[1]
  return to === undefined ? undefined : (URL.parse(to, at) ?? undefined)
}
