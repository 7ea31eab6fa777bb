/**
 * A server that gives only so many values of an attribute at once, as Active Directory does of more than 1,500: what a client
 * asks for in plain text is changed on its way into a range ([MS-ADTS] 3.1.1.3.1.3.3), and a server that knows ranges answers.
 */
import type { TcpProxy } from './tcp-proxy.ts'

const SEARCH = 0x63

/** Of these attributes, until `restore` of the proxy. Answers how often somebody asked for more. */
export function onlySoMany(proxy: TcpProxy, most: number, attributes: readonly string[]): () => number {
  let further = 0
  const ranged = (asked: string): string => {
    const [, name = '', first] = /^([^;]+)(?:;range=(\d+)-\*)?$/.exec(asked) ?? []
    if (!attributes.some((one) => one.toLowerCase() === name.toLowerCase())) return asked
    if (first !== undefined) further++
    return `${name};range=${first ?? 0}-${Number(first ?? 0) + most - 1}`
  }
  proxy.garble((data, direction) => {
    if (direction === 'to-client') return data
    const messages = partsOf(data).map(({ tag, value }) => {
      const [id, operation, ...controls] = partsOf(value)
      if (operation?.tag !== SEARCH) return part(tag, value)
      const fields = partsOf(operation.value)
      // RFC 4511 §4.5.1: the last of its fields are the attributes
      const wanted = partsOf(fields.pop()!.value).map((one) => part(one.tag, Buffer.from(ranged(`${one.value}`))))
      const search = Buffer.concat([
        ...fields.map((one) => part(one.tag, one.value)),
        part(0x30, Buffer.concat(wanted)),
      ])
      const all = [part(id!.tag, id!.value), part(SEARCH, search), ...controls.map((one) => part(one.tag, one.value))]
      return part(tag, Buffer.concat(all))
    })
    return Buffer.concat(messages)
  })
  return () => further
}

/** Definite lengths only (RFC 4511 §5.1). */
function partsOf(bytes: Buffer): { tag: number; value: Buffer }[] {
  const parts: { tag: number; value: Buffer }[] = []
  for (let at = 0; at < bytes.length; ) {
    const long = bytes[at + 1]! > 0x7f ? bytes[at + 1]! & 0x7f : 0
    const length = long === 0 ? bytes[at + 1]! : bytes.readUIntBE(at + 2, long)
    const start = at + 2 + long
    parts.push({ tag: bytes[at]!, value: bytes.subarray(start, start + length) })
    at = start + length
  }
  return parts
}

function part(tag: number, value: Buffer): Buffer {
  const head = Buffer.alloc(6, tag)
  head[1] = 0x84
  head.writeUInt32BE(value.length, 2)
  return Buffer.concat([head, value])
}
