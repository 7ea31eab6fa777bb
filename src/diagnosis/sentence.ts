/** Sentences for administrators, in which anything that came with a request can stand without doing harm. */

const LONGEST = 200
/** Printable ASCII without the backquote, in which values stand. */
const STRANGE = /[^\x20-\x5f\x61-\x7e]/gu

/**
 * ATTACK: whoever makes up a request writes into a log and onto an administrator's terminal: control characters colour and
 * erase lines, letters that run from right to left show an address as another one, and a long text hides what stands behind it.
 */
export function plain(value: string): string {
  // each sign becomes ten at most, and what is cut anyway need not be made
  const seen = value.slice(0, LONGEST).replace(STRANGE, (sign) => `\\u{${sign.codePointAt(0)!.toString(16)}}`)
  return seen.length > LONGEST || value.length > LONGEST ? `${seen.slice(0, LONGEST)}...` : seen
}

/** INVARIANT: every value passes `plain`. */
export const say = (texts: TemplateStringsArray, ...values: readonly (string | number)[]): string =>
  texts.reduce((text, next, place) => text + plain(String(values[place - 1])) + next)

/** The same for what is joined by blanks: scopes, addresses. */
const MOST = 8
export const several = (values: readonly string[]): string =>
  [...values.slice(0, MOST), ...(values.length > MOST ? ['...'] : [])].join(' ')
