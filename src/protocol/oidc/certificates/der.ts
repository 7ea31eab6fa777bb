/**
 * Distinguished encoding rules (X.690) as far as certificates and revocation lists need them: values with a tag, a length and a
 * content. What is not exactly so is an error.
 */

export interface Der {
  readonly tag: number
  /** Without tag and length. */
  readonly content: Buffer
  /** With both: what a signature is over, and what two names are compared by. */
  readonly whole: Buffer
}

export const TAG = Object.freeze({
  boolean: 0x01,
  integer: 0x02,
  bits: 0x03,
  octets: 0x04,
  id: 0x06,
  utcTime: 0x17,
  time: 0x18,
  sequence: 0x30,
})

/** Longest length that is written in so many bytes: 4 GiB, more than any file that we read. */
const LENGTH_BYTES = 4

function readAt(bytes: Buffer, at: number): Der {
  const [tag, first] = [bytes[at], bytes[at + 1]]
  // X.690 §8.1.2.4: no certificate has tags of more than one byte
  if (tag === undefined || first === undefined || (tag & 0x1f) === 0x1f) throw new Error('is no DER')
  const more = first & 0x80 ? first & 0x7f : 0
  if (more > LENGTH_BYTES || first === 0x80 || at + 2 + more > bytes.length) throw new Error('is no DER')
  const start = at + 2 + more
  const length = more === 0 ? first : bytes.readUIntBE(at + 2, more)
  // X.690 §10.1: in the fewest bytes
  if (more > 0 && (length < 0x80 || bytes[at + 2] === 0)) throw new Error('is no DER')
  const end = start + length
  if (end > bytes.length) throw new Error('is no DER')
  return { tag, content: bytes.subarray(start, end), whole: bytes.subarray(at, end) }
}

/** The one value of which these are all the bytes. */
export function readOne(bytes: Buffer): Der {
  const one = readAt(bytes, 0)
  if (one.whole.length !== bytes.length) throw new Error('is no DER')
  return one
}

/** The values inside another one. */
export function readAll({ content }: Pick<Der, 'content'>): Der[] {
  const found: Der[] = []
  for (let at = 0; at < content.length; at += found.at(-1)!.whole.length) found.push(readAt(content, at))
  return found
}

export interface Extension {
  /** The bytes of its object identifier, in hexadecimal digits. */
  readonly id: string
  readonly critical: boolean
  readonly value: Buffer
}

/** RFC 5280 §4.1: SEQUENCE OF Extension. */
export const readExtensions = (list: Der): Extension[] =>
  readAll(list).map((one) => {
    const parts = readAll(one)
    const [id, value] = [parts[0], parts.at(-1)]
    if (id?.tag !== TAG.id || value?.tag !== TAG.octets) throw new Error('is no extension')
    const critical = parts.length === 3 && parts[1]!.tag === TAG.boolean && parts[1]!.content[0] !== 0
    return { id: id.content.toString('hex'), critical, value: value.content }
  })
