/** Which passwords may be chosen, and which may be tried at all (NIST SP 800-63B §3.1.1: length, blocklist, no composition rules). */
import { Refusal } from '#core/refusal'
import { COMMON_PASSWORDS } from './common-passwords.ts'

const SHORTEST = 8
const LONGEST = 256

/**
 * The form in which a password is hashed, compared and sent: NFC, so that two keyboards agree. Undefined for what can be
 * nobody's password, which is decided before any hash and any bind, from the text alone.
 * ATTACK: an empty password makes an LDAP bind succeed as anybody (RFC 4513 §5.1.2); megabytes keep a core busy.
 */
export function passwordText(typed: string): string | undefined {
  if (typed === '' || typed.length > 4 * LONGEST || !typed.isWellFormed()) return undefined
  const text = typed.normalize('NFC')
  return [...text].length > LONGEST ? undefined : text
}

/**
 * The password as it will be hashed. Throws `password-weak`, whose detail says which rule, never what was typed.
 * @param about what belongs to the person: user name, names, mail, organisation, directory
 */
export function checkPassword(typed: string, about: readonly (string | undefined)[]): string {
  const text = passwordText(typed)
  const weak = text === undefined ? 'too long or not text' : weakness(text, about)
  if (text === undefined || weak !== undefined) throw new Refusal('password-weak', `password: ${weak}`)
  return text
}

function weakness(text: string, about: readonly (string | undefined)[]): string | undefined {
  const characters = [...text]
  if (characters.length < SHORTEST) return 'too short'
  const folded = text.toLowerCase()
  if (isCommon(folded)) return 'among the most common'
  if (new Set(characters).size < 4) return 'too few different characters'
  if (isRepeated(folded)) return 'a short piece repeated'
  const rest = words(about).reduce((left, word) => left.replaceAll(word, ''), folded)
  // what is left of `sam.jansen2026!` without the person's own words and without digits and signs
  if (rest !== folded && rest.replace(/[^\p{L}]/gu, '').length < 4 && rest.length < SHORTEST)
    return 'made of the name or the organisation'
  return undefined
}

const withoutEnd = (text: string): string => text.replace(/[^\p{L}]+$/u, '')

/** `welcome` from `welcome1`: what guessers put years and signs behind. */
const STEMS: ReadonlySet<string> = new Set(
  [...COMMON_PASSWORDS].map(withoutEnd).filter((stem) => [...stem].length >= 4),
)

/** A common password, or one with up to six digits and signs behind it: `Welkom2026!!`. */
function isCommon(folded: string): boolean {
  if (COMMON_PASSWORDS.has(folded)) return true
  const stem = withoutEnd(folded)
  return STEMS.has(stem) && folded.length - stem.length <= 6
}

function isRepeated(text: string): boolean {
  for (let length = 1; length <= 4; length++) {
    const piece = text.slice(0, length)
    if (piece.repeat(Math.ceil(text.length / length)).slice(0, text.length) === text) return true
  }
  return false
}

const words = (about: readonly (string | undefined)[]): string[] =>
  about
    .flatMap((text) =>
      (text ?? '')
        .normalize('NFC')
        .toLowerCase()
        .split(/[^\p{L}\p{M}\p{N}]+/u),
    )
    .filter((word) => [...word].length >= 3)
    .sort((a, b) => b.length - a.length)
