/** What YAML's syntax allows and a file of ours never needs: found in the nodes, before any value is made of them. */
import { type Document, isScalar, type Node, visit } from 'yaml'

export const MOST_ALIASES = 100
/** Nodes above one another; every level of a file takes two or three of them. */
const DEEPEST = 200

export interface WrongNodes {
  readonly wrong: { offset: number; code: string; message: string }[]
  /** Offsets of keys that schemas may pass over. */
  readonly hidden: number[]
}

/** What the syntax allows and a file of ours never needs. */
export function wrongNodes(document: Document): WrongNodes {
  const { wrong, hidden }: WrongNodes = { wrong: [], hidden: [] }
  const add = (node: unknown, code: string, message: string) =>
    wrong.push({ offset: (node as Node | null)?.range?.[0] ?? 0, code, message })
  let aliases = 0
  let deepest = 0
  // the library's own way looks through the whole document for each alias
  const anchors = new Map<string, Node>()
  const pass = (node: Node & { anchor?: string | undefined }, depth: number) => {
    deepest = Math.max(deepest, depth)
    if (node.anchor !== undefined) anchors.set(node.anchor, node)
  }
  visit(document, {
    Node: (_key, node, path) => pass(node, path.length),
    Pair: (_key, { key }) => {
      if (key !== null && !isScalar(key)) add(key, 'yaml-invalid', 'a key is no plain text')
    },
    // the library's own check compares each key with all others: minutes for a file of some thousand keys
    Map(_key, map, path) {
      pass(map, path.length)
      const { items } = map
      const seen = new Set<string>()
      for (const { key } of items) {
        if (!isScalar(key)) continue
        // ATTACK: in a list of names no schema sees it, so that it would be there for some and not for others
        if (key.value === '__proto__') hidden.push(key.range?.[0] ?? 0)
        if (seen.has(String(key.value))) add(key, 'yaml-invalid', 'map keys must be unique')
        seen.add(String(key.value))
      }
    },
    Alias: (_key, alias, path) => {
      if (++aliases > MOST_ALIASES) return visit.BREAK
      const named = anchors.get(alias.source)
      if (!named) add(alias, 'yaml-aliases', `nothing before this is named \`&${alias.source}\``)
      else if (path.includes(named)) add(alias, 'yaml-aliases', `\`*${alias.source}\` stands inside what it names`)
      return undefined
    },
  })
  if (deepest > DEEPEST) add(undefined, 'yaml-deep', 'document is nested too deeply')
  if (aliases > MOST_ALIASES) add(undefined, 'yaml-aliases', 'document uses too many aliases')
  return { wrong, hidden }
}
