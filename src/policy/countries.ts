/** Countries as ISO 3166-1 alpha-2 codes, as the runtime knows them. */
import type { z } from 'zod'
import { nearest } from '#core/nearest'

/** Regions that the runtime has names for and that are no country; databases use `EU` for addresses of several. */
const NO_COUNTRY = new Set(['EU', 'EZ', 'QO', 'UN', 'XA', 'XB', 'ZZ'])
/** Made when first asked: it takes part of a start, and most policies name no country. */
let made: Intl.DisplayNames | undefined
const names = (): Intl.DisplayNames => (made ??= new Intl.DisplayNames('en', { type: 'region', fallback: 'none' }))

/** Codes that were given up or never were lead to the one in force: `UK` to `GB`, `DD` to `DE`. */
const inForce = (code: string): string | undefined => new Intl.Locale('und', { region: code }).region

/** True for the one code of a country: not for `nl`, not for `UK`, which is `GB`. */
export const isCountry = (code: string): boolean =>
  /^[A-Z]{2}$/.test(code) && !NO_COUNTRY.has(code) && names().of(code) !== undefined && inForce(code) === code

const LETTERS = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ']
let all: readonly string[] | undefined

/** Every country; found when first asked for, because to look through all pairs of letters takes part of a start. */
export function countries(): readonly string[] {
  all ??= LETTERS.flatMap((first) => LETTERS.map((second) => first + second)).filter(isCountry)
  return all
}

/** A sentence on a text that is no country, with what may have been meant. `also` are words that may stand there too. */
export function notACountry(text: string, also: readonly string[] = []): string {
  const code = text.toUpperCase()
  const meant = /^[A-Z]{2}$/.test(code) ? inForce(code) : undefined
  const near = meant !== undefined && isCountry(meant) ? meant : nearest(text, also)
  const said = `names \`${text.slice(0, 40)}\`, which is no country`
  return near ? `${said}; did you mean \`${near}\`?` : `${said}; expected ISO 3166-1 codes like \`NL\``
}

/** Complains about each text of a list that is no country. */
export function checkCountries(
  list: readonly string[],
  ctx: z.RefinementCtx,
  path: readonly string[] = [],
  also: readonly string[] = [],
): void {
  for (const text of list) {
    if (isCountry(text) || also.includes(text)) continue
    const message = notACountry(text, also)
    ctx.addIssue({ code: 'custom', path: [...path], message, params: { code: 'unknown-country' } })
  }
}
