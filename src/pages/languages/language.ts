/** Which languages there are, and which one a person gets. */

export const LANGUAGES = Object.freeze(['en', 'nl', 'de', 'ru'] as const)
export type Language = (typeof LANGUAGES)[number]

/** Each language in itself, for those who cannot read the page they are on. */
export const LANGUAGE_NAMES: Readonly<Record<Language, string>> = Object.freeze({
  en: 'English',
  nl: 'Nederlands',
  de: 'Deutsch',
  ru: 'Русский',
})

export const isLanguage = (text: unknown): text is Language => LANGUAGES.includes(text as Language)

const MOST_RANGES = 32

/**
 * The language of the pages: what the person chose, else the first match of Accept-Language (RFC 9110 §12.5.4, basic
 * filtering by the primary subtag), else the first one available. Input that cannot be read counts as absent.
 */
export function chooseLanguage(
  acceptLanguage: string | undefined,
  chosen: string | undefined,
  available: readonly Language[] = LANGUAGES,
): Language {
  const fallback = available[0] ?? 'en'
  const named = available.find((language) => language === chosen)
  if (named) return named
  let best: { language: Language; weight: number } | undefined
  for (const range of (acceptLanguage ?? '').slice(0, 1024).split(',').slice(0, MOST_RANGES)) {
    const [tag = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase())
    const quality = parameters.find((parameter) => parameter.startsWith('q='))
    const weight =
      quality === undefined ? 1 : /^q=(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.test(quality) ? Number(quality.slice(2)) : 0
    const language = tag === '*' ? fallback : available.find((one) => one === tag.split('-')[0])
    // the first of equals wins, as browsers write them in order of liking
    if (language && weight > (best?.weight ?? 0)) best = { language, weight }
  }
  return best?.language ?? fallback
}
