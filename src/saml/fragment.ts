/** A part of a document, as a document of its own. */
import type { XmlElement } from './xml.ts'

/** `source` is what the element was read from. */
export const alone = (source: string, { start, end, scope }: XmlElement): string =>
  withNamespaces(source.slice(start, end), scope)

/** The text of an element with the namespaces that it inherits, to be read by itself. */
export function withNamespaces(text: string, scope: XmlElement['scope']): string {
  const open = /^<[\w.:-]+/.exec(text)?.[0]
  if (open === undefined) return text
  const tag = text.slice(0, text.indexOf('>'))
  const quoted = (uri: string) => uri.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/"/g, '&quot;')
  const inherited = [...scope]
    .filter(([prefix, uri]) => prefix !== 'xml' && uri !== '' && !declares(tag, prefix))
    .map(([prefix, uri]) => ` xmlns${prefix === '' ? '' : `:${prefix}`}="${quoted(uri)}"`)
  return open + inherited.join('') + text.slice(open.length)
}

const declares = (tag: string, prefix: string): boolean =>
  new RegExp(`\\sxmlns${prefix === '' ? '' : `:${prefix.replace(/[.-]/g, '\\$&')}`}\\s*=`).test(tag)
