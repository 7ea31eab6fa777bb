/**
 * Regular expressions that may be tried on texts that somebody else writes.
 *
 * ATTACK: time that grows with a power of the text, or doubles with each part of the expression (CWE-1333). One that a registered
 * API brings holds up everybody's requests, so its tries are estimated when it is registered, at their worst.
 */

/** Of the text beside which it stands (`maxLength`). */
export const LONGEST_MATCHED = 200
/** Some tenths of a second. */
const MOST_TRIES = 4_000_000
const MOST_BRANCHES = 10_000
const ENDLESS = /[*+]|\{\d+,\d*\}/g

/** No references, no looking around, no repeated groups, and few ways to try one text. */
export function isPlainPattern(source: string): boolean {
  try {
    new RegExp(source, 'u')
  } catch {
    return false
  }
  if (/\\[1-9k]/.test(source)) return false
  const plain = source
    .replace(/\\[pP]\{[^}]*\}|\\u\{[^}]*\}|\\./gsu, 'x')
    .replace(/\[[^\]]*\]/gu, 'x')
    // as many or as few as possible: the same tries in another order
    .replace(/([*+?}])\?/g, '$1')
  if (/\)[*+{]/.test(plain) || /\(\?(?!:)/.test(plain)) return false
  const branches = branchesOf(plain.replaceAll('(?:', '('))
  // without an anchor it is tried from each letter on
  const endless = (plain.match(ENDLESS)?.length ?? 0) + (/^\^[^|]*$/.test(plain) ? 0 : 1)
  return branches <= MOST_BRANCHES && branches * waysToShare(endless) <= MOST_TRIES
}

/** Each `?` is there or not, and of each group it is one of its alternatives. */
function branchesOf(plain: string): number {
  let branches = 1
  const open: number[] = []
  for (const character of plain) {
    if (character === '(') open.push(1)
    else if (character === '|') open.push((open.pop() ?? 1) + 1)
    else if (character === ')') branches *= open.pop()!
    else if (character === '?') branches *= 2
  }
  return branches
}

/** Into how many ways so many repetitions can share the text among them. */
function waysToShare(endless: number): number {
  let ways = 1
  for (let i = 1; i <= endless; i++) ways *= LONGEST_MATCHED / i
  return ways
}
