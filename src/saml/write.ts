/**
 * Writing XML in canonical form (Exclusive XML Canonicalization 1.0 §2, §3), so that what is signed is what is sent and nobody
 * has to read it again first.
 */
import { ASSERTION, DSIG, METADATA, PROTOCOL, SOAP, XENC, XENC11 } from './names.ts'

/** Prefixes by which namespaces are written. One that is not here cannot be written. */
const NAMESPACES = Object.freeze({
  ds: DSIG,
  md: METADATA,
  saml: ASSERTION,
  samlp: PROTOCOL,
  soap: SOAP,
  xenc: XENC,
  xenc11: XENC11,
} as const)

type Prefix = keyof typeof NAMESPACES
export type QualifiedName = `${Prefix}:${string}`

export interface Xml {
  readonly name: QualifiedName
  readonly attributes: Readonly<Record<string, string>>
  readonly children: readonly (Xml | string)[]
}

/**
 * An element. What is undefined is left out; a text is written as a text, whatever it holds.
 * Attributes have no namespace: SAML needs none of them that has.
 */
export function xml(
  name: QualifiedName,
  attributes: Readonly<Record<string, string | undefined>>,
  ...children: readonly (Xml | string | undefined)[]
): Xml {
  return Object.freeze({
    name,
    attributes: Object.fromEntries(
      Object.entries(attributes).filter((entry): entry is [string, string] => entry[1] !== undefined),
    ),
    children: children.filter((child) => child !== undefined),
  })
}

/** The element with another one in it, after its first child: where SAML has its signatures (Core §5.4, after the Issuer). */
export const withSecond = (element: Xml, second: Xml): Xml => {
  const [first, ...rest] = element.children
  return Object.freeze({ ...element, children: first === undefined ? [second] : [first, second, ...rest] })
}

/** A character that XML 1.0 does not know cannot be written, not even as a reference. */
const NO_CHARACTER = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu
const TEXT: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '\r': '&#xD;' }
const ATTRIBUTE: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '"': '&quot;',
  '\t': '&#x9;',
  '\n': '&#xA;',
  '\r': '&#xD;',
}
const plain = (text: string): string => text.replace(NO_CHARACTER, '\ufffd')
const escapedText = (text: string): string => plain(text).replace(/[&<>\r]/g, (sign) => TEXT[sign]!)
const escapedAttribute = (text: string): string => plain(text).replace(/[&<"\t\n\r]/g, (sign) => ATTRIBUTE[sign]!)

/** §3: a namespace stands at the outermost element that uses it, and nowhere inside of that. */
export function canonical(element: Xml, inScope: readonly string[] = []): string {
  const prefix = element.name.slice(0, element.name.indexOf(':')) as Prefix
  const declared = inScope.includes(prefix)
  const scope = declared ? inScope : [...inScope, prefix]
  const attributes = Object.keys(element.attributes)
    .sort()
    .map((name) => ` ${name}="${escapedAttribute(element.attributes[name]!)}"`)
  const inside = element.children.map((child) =>
    typeof child === 'string' ? escapedText(child) : canonical(child, scope),
  )
  const namespace = declared ? '' : ` xmlns:${prefix}="${NAMESPACES[prefix]}"`
  return `<${element.name}${namespace}${attributes.join('')}>${inside.join('')}</${element.name}>`
}
