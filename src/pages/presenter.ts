/** A view in the person's language, on the operator's porch. One for the whole house, made by the composer. */
import type { Answer, PageRequest } from '#http'
import { type DocumentOptions, document } from './frame.ts'
import type { Messages } from './languages/en.ts'
import { chooseLanguage, isLanguage, type Language } from './languages/language.ts'
import type { View } from './views.ts'
import { messagesFor } from './words.ts'

export type PageOptions = Partial<
  Pick<DocumentOptions, 'status' | 'formTargets' | 'nav' | 'isolated' | 'retryAfter' | 'path'>
>

export interface Presenter {
  /** `view` gets the messages of the person's language. */
  page(request: PageRequest, view: (messages: Messages) => View, options?: PageOptions): Answer
  messages(request: PageRequest): Messages
}

const A_YEAR = 31_536_000

/** `support` is the operator's own sentence on where to get help, in whatever language they wrote it. */
export function createPresenter(porch: {
  organisation: string
  languages: readonly Language[]
  support?: string | undefined
}): Presenter {
  const messagesIn = (language: Language): Messages => {
    const messages = messagesFor(language)
    if (porch.support === undefined) return messages
    return { ...messages, error: { ...messages.error, next: `${messages.error.next} ${porch.support}` } }
  }
  const languageOf = (request: PageRequest): Language =>
    chooseLanguage(
      request.headers['accept-language'],
      request.query.get('lang') ?? request.cookies.get('lang'),
      porch.languages,
    )

  return {
    messages: (request) => messagesIn(languageOf(request)),
    page(request, view, options = {}) {
      const lang = languageOf(request)
      const messages = messagesIn(lang)
      const chosen = request.query.get('lang')
      const { path = request.path, ...rest } = options
      const answer = document({
        ...view(messages),
        lang,
        messages,
        nonce: request.nonce,
        organisation: porch.organisation,
        languages: porch.languages,
        path,
        ...rest,
      })
      return isLanguage(chosen)
        ? { ...answer, cookies: [{ name: 'lang', value: lang, maxAge: A_YEAR }, ...(answer.cookies ?? [])] }
        : answer
    },
  }
}
