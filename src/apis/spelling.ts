/** Tokens that can be read in one way only. */

/**
 * ATTACK: forgiving readers take one token in many spellings (other last bits, padding, blanks), so that what was spent in
 * one can be shown again in another. Whether all parts of the token are spelled in the only way that RFC 4648 §3.5 leaves, and
 * whether header and claims say everything once: of a name that stands there twice readers take the first or the last (RFC 7519 §4).
 */
export function isCanonical(token: string): boolean {
  const parts = token.split('.')
  if (!parts.every((part) => Buffer.from(part, 'base64url').toString('base64url') === part)) return false
  return parts.slice(0, 2).every((part) => saysOnce(Buffer.from(part, 'base64url').toString()))
}

/** Every text of valid JSON, and whether it is a name. */
const TEXTS = /"(?:[^"\\]|\\.)*"(\s*:)?/g

/** Of what is no JSON others say that it is none. */
function saysOnce(text: string): boolean {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return true
  }
  let written = 0
  for (const [, name] of text.matchAll(TEXTS)) if (name !== undefined) written++
  return written === namesIn(value)
}

/** How many names there are in it, at any depth. */
function namesIn(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  const inside = Object.values(value).reduce<number>((sum, one) => sum + namesIn(one), 0)
  return Array.isArray(value) ? inside : inside + Object.keys(value).length
}
