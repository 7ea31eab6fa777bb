/**
 * A strict reader of the XML that SAML needs (XML 1.0, Namespaces in XML 1.0), and of nothing more.
 *
 * ATTACK: whatever two readers understand differently is a way to have one thing signed and another one believed. So what
 * no provider needs is refused before a library sees it: document types, entities, processing instructions, CDATA,
 * comments (which split a value in two for some), encodings other than UTF-8, names outside ASCII, endless depth.
 */

export type XmlFault =
  | 'too-large'
  | 'not-utf8'
  | 'doctype'
  | 'entity'
  | 'processing-instruction'
  | 'comment'
  | 'cdata'
  | 'too-deep'
  | 'not-well-formed'

export class XmlProblem extends Error {
  readonly fault: XmlFault
  constructor(fault: XmlFault, at: number) {
    super(`${fault} at ${at}`)
    this.fault = fault
  }
}

export interface XmlElement {
  readonly namespace: string
  /** The local part. */
  readonly name: string
  /** Without a namespace: by their name; with one: `{namespace}name`. */
  readonly attributes: ReadonlyMap<string, string>
  readonly children: readonly XmlElement[]
  /** The text directly inside, in one piece. */
  readonly text: string
  /** The namespaces by their prefixes that hold here. */
  readonly scope: ReadonlyMap<string, string>
  /** Where it stands in what was read. */
  readonly start: number
  readonly end: number
}

export interface XmlLimits {
  /** Bytes. */
  readonly size: number
  readonly comments: 'refused' | 'skipped'
}

const DEPTH = 40
const ELEMENTS = 20_000
/** Prefixes that hold at one place. */
const NAMESPACES = 60
const XML = 'http://www.w3.org/XML/1998/namespace'
const NAMES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }
const DECLARATION = /^<\?xml version=(["'])1\.0\1(?: encoding=(["'])utf-8\2)?(?: standalone=(["'])(?:yes|no)\3)?\s?\?>/i
const NAME = /[A-Za-z_][\w.-]{0,200}(?::[A-Za-z_][\w.-]{0,200})?/y
const SPACE = /[\t\n\r ]*/y
const NO_CHARACTER = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u

/** The text of bytes that are UTF-8. Throws `XmlProblem`. */
export function xmlText(bytes: Uint8Array, limit: number): string {
  if (bytes.length > limit) throw new XmlProblem('too-large', bytes.length)
  try {
    // XML 1.0 §2.11: line ends are one character to everybody who reads on
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes).replace(/\r\n?/g, '\n')
  } catch {
    throw new XmlProblem('not-utf8', 0)
  }
}

/** The root element. Throws `XmlProblem`. */
export function readXml(source: string, limits: XmlLimits): XmlElement {
  if (source.length > limits.size) throw new XmlProblem('too-large', source.length)
  let at = DECLARATION.exec(source)?.[0].length ?? 0
  let elements = 0
  const fail = (fault: XmlFault = 'not-well-formed'): never => {
    throw new XmlProblem(fault, at)
  }
  if (NO_CHARACTER.test(source)) fail()

  const take = (what: RegExp): string => {
    what.lastIndex = at
    const found = what.exec(source)?.[0] ?? ''
    at += found.length
    return found
  }
  const space = () => take(SPACE)
  const name = (): string => take(NAME) || fail()

  function upTo(mark: string): string {
    const end = source.indexOf(mark, at)
    if (end < 0) fail()
    const text = source.slice(at, end)
    at = end + mark.length
    return text
  }

  function decoded(raw: string): string {
    return raw.replace(/&([^;&]*);?/g, (whole, reference: string) => {
      const code = /^#(?:x([0-9a-fA-F]{1,6})|([0-9]{1,7}))$/.exec(reference)
      if (!whole.endsWith(';')) return fail('entity')
      if (Object.hasOwn(NAMES, reference)) return NAMES[reference]!
      if (!code) return fail('entity')
      const point = code[1] ? Number.parseInt(code[1], 16) : Number.parseInt(code[2]!, 10)
      const character = point <= 0x10ffff ? String.fromCodePoint(point) : '\u0000'
      return NO_CHARACTER.test(character) ? fail('entity') : character
    })
  }

  /** What begins with `<!` or `<?`, where it may stand. */
  function aside(): void {
    if (source.startsWith('<!--', at)) {
      if (limits.comments === 'refused') fail('comment')
      at += 4
      upTo('--')
      if (source[at] !== '>') fail()
      at += 1
    } else if (source.startsWith('<![CDATA[', at)) fail('cdata')
    else if (source.startsWith('<!', at)) fail('doctype')
    else fail('processing-instruction')
  }
  const isAside = () => source[at] === '<' && (source[at + 1] === '!' || source[at + 1] === '?')

  function misc(): void {
    for (space(); isAside(); space()) aside()
  }

  function attributesOf(): { raw: Map<string, string>; empty: boolean } {
    const raw = new Map<string, string>()
    for (;;) {
      const gap = space()
      if (source[at] === '>') {
        at += 1
        return { raw, empty: false }
      }
      if (source.startsWith('/>', at)) {
        at += 2
        return { raw, empty: true }
      }
      if (gap === '') fail()
      const attribute = name()
      space()
      if (source[at++] !== '=') fail()
      space()
      const quote = source[at++]
      if (quote !== '"' && quote !== "'") fail()
      const value = upTo(quote!)
      if (value.includes('<') || raw.has(attribute)) fail()
      raw.set(attribute, decoded(value.replace(/[\t\n\r]/g, ' ')))
    }
  }

  function element(inherited: ReadonlyMap<string, string>, depth: number): XmlElement {
    if (depth > DEPTH || ++elements > ELEMENTS) fail('too-deep')
    const start = at
    at += 1
    const tag = name()
    const { raw, empty } = attributesOf()
    // ATTACK: a copy for each of thousands of elements, of thousands of prefixes, fills any memory with one small message
    let scope = inherited
    for (const [key, value] of raw) {
      const prefix = key === 'xmlns' ? '' : /^xmlns:(.*)/.exec(key)?.[1]
      if (prefix === undefined) continue
      if (prefix !== '' && (value === '' || value === XML || prefix === 'xml' || prefix === 'xmlns')) fail()
      scope = new Map(scope).set(prefix, value)
      if (scope.size > NAMESPACES) fail('too-deep')
    }
    const split = (qualified: string): [prefix: string, local: string] => {
      const [prefix = '', local] = qualified.split(':')
      return local === undefined ? ['', prefix] : [prefix, local]
    }
    const namespaceOf = (prefix: string): string => scope.get(prefix) ?? fail()
    const attributes = new Map<string, string>()
    for (const [key, value] of raw) {
      if (key === 'xmlns' || key.startsWith('xmlns:')) continue
      const [prefix, local] = split(key)
      const expanded = prefix === '' ? local : `{${namespaceOf(prefix)}}${local}`
      if (attributes.has(expanded)) fail()
      attributes.set(expanded, value)
    }
    const [prefix, local] = split(tag)
    const children: XmlElement[] = []
    let text = ''
    while (!empty) {
      const open = source.indexOf('<', at)
      if (open < 0) fail()
      const between = source.slice(at, open)
      if (between.includes(']]>')) fail()
      text += decoded(between)
      at = open
      if (source[at + 1] === '/') {
        at += 2
        if (name() !== tag) fail()
        space()
        if (source[at++] !== '>') fail()
        break
      }
      if (isAside()) aside()
      else children.push(element(scope, depth + 1))
    }
    return { namespace: namespaceOf(prefix), name: local, attributes, children, text, scope, start, end: at }
  }

  misc()
  if (source[at] !== '<') fail()
  const root = element(
    new Map([
      ['', ''],
      ['xml', XML],
    ]),
    1,
  ) // prettier-ignore
  misc()
  if (at !== source.length) fail()
  return root
}

/** The element and everything in it. */
export function* elementsOf(element: XmlElement): Generator<XmlElement> {
  yield element
  for (const child of element.children) yield* elementsOf(child)
}
