/** Distinguished names as text (RFC 4514): told apart whatever their spelling, and looked into. */

interface Part {
  /** Lower case: `cn`. */
  readonly type: string
  readonly value: string
}

/** The relative names from the entry upwards, each of one part or more; undefined for what is no DN. The root is `[]`. */
export function parseDn(text: string): readonly (readonly Part[])[] | undefined {
  if (text.trim() === '') return []
  const rdns: Part[][] = [[]]
  let rest = text
  for (;;) {
    const head = /^\s*([A-Za-z][A-Za-z0-9-]*|[0-9]+(?:\.[0-9]+)*)\s*=\s*/.exec(rest)
    if (!head) return undefined
    rest = rest.slice(head[0].length)
    const taken = takeValue(rest)
    if (!taken) return undefined
    rdns.at(-1)!.push({ type: head[1]!.toLowerCase(), value: taken.value })
    rest = rest.slice(taken.length)
    if (rest === '') return rdns
    if (rest[0] !== '+') rdns.push([])
    rest = rest.slice(1)
  }
}

/** §2.4, §3: up to the next `,` or `+` that is not escaped; `\2C` is a byte of UTF-8, `\,` the character itself. */
function takeValue(text: string): { value: string; length: number } | undefined {
  const bytes: Buffer[] = []
  let at = 0
  // blanks at the end are no part of the value, escaped ones are
  let kept = 0
  for (; at < text.length && text[at] !== ',' && text[at] !== '+' && text[at] !== ';'; ) {
    const escaped = text[at] === '\\'
    const hex = escaped ? /^[0-9A-Fa-f]{2}/.exec(text.slice(at + 1, at + 3))?.[0] : undefined
    if (escaped && at + 1 >= text.length) return undefined
    const character = String.fromCodePoint(text.codePointAt(at + (escaped ? 1 : 0))!)
    bytes.push(hex === undefined ? Buffer.from(character) : Buffer.from(hex, 'hex'))
    at += (escaped ? 1 : 0) + (hex === undefined ? character.length : 2)
    if (escaped || character !== ' ') kept = bytes.length
  }
  return { value: Buffer.concat(bytes.slice(0, kept)).toString('utf8'), length: at }
}

const keyOfRdn = (rdn: readonly Part[]): string =>
  rdn
    .map(({ type, value }) => JSON.stringify([type, value.normalize('NFC').toLowerCase().replace(/\s+/g, ' ').trim()]))
    .sort()
    .join('+')

/** The same for two spellings of one DN. What is no DN is compared as it is. */
export function keyOfDn(text: string): string {
  const rdns = parseDn(text)
  return rdns === undefined ? text : rdns.map(keyOfRdn).join(',')
}

/** Whether the entry is `base` or stands below it. */
export function isBelow(text: string, base: string): boolean {
  const rdns = parseDn(text)?.map(keyOfRdn)
  const above = parseDn(base)?.map(keyOfRdn)
  if (!rdns || !above || above.length > rdns.length) return false
  return above.every((rdn, i) => rdn === rdns[rdns.length - above.length + i])
}

/** The value of an attribute in the name of the entry itself: `Staff` for `cn` of `cn=Staff,ou=groups`. */
export const nameIn = (text: string, type: string): string | undefined =>
  parseDn(text)?.[0]?.find((part) => part.type === type.toLowerCase())?.value
