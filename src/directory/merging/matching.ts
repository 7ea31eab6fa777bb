/** Who of one directory is who of another, by the ways of the rules. Nothing here reads or writes. */
import type { Candidate } from './candidates.ts'
import type { MergeRules, MergeWay } from './rules.ts'

export interface Claim {
  readonly from: Candidate
  readonly into: Candidate
  /** As people read it. */
  readonly way: string
}

interface Finder {
  readonly way: string
  /** No more than `MOST` of them. */
  find(from: Candidate): readonly Candidate[]
  /** Whom it found and did not name. */
  unnamed(): Iterable<Candidate>
}

/**
 * Whoever matches several is nobody's match, and a few of them say enough.
 * ATTACK: a rule by something that everybody has, as a town, would make everybody of one side match everybody of the other.
 */
const MOST = 20

export const PAIR = 'pair'

const wayName = ({ attribute, mail, username }: MergeWay): string => {
  if (attribute !== undefined) return `attribute ${attribute}`
  if (mail !== undefined) return `mail ${mail}`
  return typeof username === 'object' ? `username ${username.from} is ${username.into}` : 'username same'
}

/** What stands for the `*`; undefined where the name is not like the pattern. */
function sharedPart(key: string, pattern: string): string | undefined {
  const [before = '', after = ''] = pattern.split('*').map((part) => part.normalize('NFC').toLowerCase())
  const fits = key.length > before.length + after.length && key.startsWith(before) && key.endsWith(after)
  return fits ? key.slice(before.length, key.length - after.length) : undefined
}

type Values = (one: Candidate) => readonly (string | undefined)[]

/** What of somebody of each side has to be equal. */
function comparedBy({ attribute, mail, username }: MergeWay): { readonly from: Values; readonly into: Values } {
  if (attribute !== undefined) {
    const values: Values = ({ attributes }) => (Object.hasOwn(attributes, attribute) ? attributes[attribute]! : [])
    return { from: values, into: values }
  }
  if (mail !== undefined) {
    const address: Values = (one) => [mail === 'same' || one.mailProven ? one.mail : undefined]
    return { from: address, into: address }
  }
  if (typeof username !== 'object') return { from: ({ key }) => [key], into: ({ key }) => [key] }
  return { from: ({ key }) => [sharedPart(key, username.from)], into: ({ key }) => [sharedPart(key, username.into)] }
}

function finderOf(way: MergeWay, into: readonly Candidate[]): Finder {
  const compared = comparedBy(way)
  const byValue = new Map<string, Candidate[]>()
  for (const one of into)
    for (const value of new Set(compared.into(one))) {
      if (!value) continue
      const same = byValue.get(value)
      if (same) same.push(one)
      else byValue.set(value, [one])
    }
  const crowds = new Set<readonly Candidate[]>()
  return {
    way: wayName(way),
    find(one) {
      const found = new Set<Candidate>()
      for (const value of compared.from(one)) {
        const same = (value && byValue.get(value)) || []
        if (same.length > MOST) crowds.add(same)
        for (const other of same.slice(0, MOST)) if (found.size < MOST) found.add(other)
      }
      return [...found]
    },
    *unnamed() {
      for (const crowd of crowds) yield* crowd
    },
  }
}

/**
 * Everybody whom a way finds, with whom. One person may be found several times: what that means is for others to say.
 * `crowd`: of `into`, who is like so many of `from` that there is no row for each two of them.
 * Pairs win: who is in one is found by nothing else.
 */
export function claimsOf(
  { match }: Pick<MergeRules, 'match'>,
  pairs: readonly Claim[],
  { from, into }: { readonly from: readonly Candidate[]; readonly into: readonly Candidate[] },
): { readonly claims: readonly Claim[]; readonly crowd: readonly Candidate[] } {
  const paired = new Set(pairs.flatMap((pair) => [pair.from.id, pair.into.id]))
  const free = (all: readonly Candidate[]) => all.filter(({ id }) => !paired.has(id))
  const finders = match.map((way) => finderOf(way, free(into)))
  const found = free(from).flatMap((one) => {
    for (const { way, find } of finders) {
      const others = find(one)
      if (others.length > 0) return others.map((other) => ({ from: one, into: other, way }))
    }
    return []
  })
  const claims = [...pairs, ...found]
  const named = new Set(claims.map(({ into: one }) => one.id))
  const crowd = new Set(finders.flatMap(({ unnamed }) => [...unnamed()]).filter(({ id }) => !named.has(id)))
  return { claims, crowd: [...crowd] }
}

/** By their user names. */
export const byKey = (all: readonly Candidate[]): ReadonlyMap<string, Candidate> =>
  new Map(all.map((one) => [one.key, one]))
