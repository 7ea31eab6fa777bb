/** The porch around every page: one HTML document with everything in it. */
import { retryAfterOf } from '#core/refusal'
import type { Answer, Sending } from '#http'
import { scripts, stylesheet } from './assets.ts'
import { pageHeaders } from './headers.ts'
import type { Messages } from './languages/en.ts'
import { LANGUAGE_NAMES, LANGUAGES, type Language } from './languages/language.ts'
import { html, type Markup, safeHref, trusted } from './markup.ts'
import { buttonForm, hiddenFields } from './parts.ts'
import type { View } from './views.ts'
import { fill } from './words.ts'

export interface DocumentOptions extends View {
  readonly lang: Language
  readonly nonce: string
  /** Whose porch this is: the name above the columns. */
  readonly organisation: string
  readonly messages: Messages
  /** Path and query under which a GET shows this page again: the language switch leads there with `lang` added. */
  readonly path: string
  readonly status?: number
  /** Addresses to which a form of this page may lead in the end, such as the app's redirect URI. */
  readonly formTargets?: readonly string[]
  /** Those offered; all by default. */
  readonly languages?: readonly Language[]
  /** Only on pages of somebody who is signed in. */
  readonly nav?: Nav
  /** The page is never opened by an app in a popup: its window is cut off from others. */
  readonly isolated?: boolean
  /** Seconds, for `Retry-After`. */
  readonly retryAfter?: number
}

export interface Nav {
  readonly apps: string
  readonly account: string
  /** A GET: it asks first. */
  readonly signOut: string
  readonly current?: 'apps' | 'account'
  readonly more?: readonly { readonly href: string; readonly name: string }[]
}

const ICON = trusted(
  `<link rel="icon" href="data:image/svg+xml,${encodeURIComponent(
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="6" fill="#1d5c4f"/><path d="M16 5 4 12h24zM6 14h4v10H6zm8 0h4v10h-4zm8 0h4v10h-4zM4 25h24v2H4z" fill="#fbf8f2"/></svg>',
  )}">`,
)
/** The gable over the columns. */
const PEDIMENT = trusted(
  '<svg class="pediment" viewBox="0 0 440 58" preserveAspectRatio="none" aria-hidden="true" focusable="false"><path class="roof" d="M220 1 439 57H1z"/><path class="hollow" d="M220 13 392 57H48z"/></svg>',
)
// elements of their own, not backgrounds of the text's: what lies behind a text then has one colour, which tests can measure
const TEETH = trusted('<i class="teeth" aria-hidden="true"></i>')
const COLUMN = trusted('<i class="column" aria-hidden="true"></i>')
const SMALL_MARK = trusted(
  '<svg class="logo" viewBox="0 0 32 28" aria-hidden="true" focusable="false"><path d="M16 1 1 9.5h30zM3.500 11.500h4v11h-4zm10.500 0h4v11h-4zm10.500 0h4v11h-4zM1 24.500h30v2.500H1z"/></svg>',
)

/** `path` with the language put in; never an address on another host. */
function inLanguage(path: string, language: Language): string {
  const here = new URL(safeHref(path.startsWith('/') ? path : '/'), 'http://portico.invalid')
  here.searchParams.set('lang', language)
  return here.pathname + here.search
}

function languageSwitch(options: DocumentOptions): Markup {
  const { languages = LANGUAGES, lang, messages, path } = options
  if (languages.length < 2) return html``
  return html`<nav class="languages" aria-label="${messages.frame.languages}"><ul>${languages.map(
    (one) =>
      html`<li><a href="${inLanguage(path, one)}" lang="${one}" hreflang="${one}" ${one === lang && trusted('aria-current="true"')}>${LANGUAGE_NAMES[one]}</a></li>`,
  )}</ul></nav>`
}

function pagesNav(nav: Nav, messages: Messages): Markup {
  const link = (href: string, text: string, current = false) =>
    html`<li><a href="${safeHref(href)}" ${current && trusted('aria-current="page"')}>${text}</a></li>`
  return html`<nav class="pages" aria-label="${messages.frame.pages}"><ul>${link(nav.apps, messages.frame.apps, nav.current === 'apps')}${link(
    nav.account,
    messages.frame.account,
    nav.current === 'account',
  )}${nav.more?.map((one) => link(one.href, one.name))}${link(nav.signOut, messages.frame.signOut)}</ul></nav>`
}

/**
 * ATTACK: what an app shows there must not open windows, take the page away or ask for anything. Scripts, forms and its own
 * cookies it needs to sign somebody out. It never has our origin (`signin/sign-out.ts`).
 */
const outOfSight = ({ url, fields }: Sending, index: number): Markup => {
  const name = `told-${index}`
  const frame = (where: Markup) =>
    html`<iframe hidden aria-hidden="true" tabindex="-1" title="" sandbox="allow-scripts allow-same-origin allow-forms" referrerpolicy="no-referrer" allow="" ${where}></iframe>`
  if (!fields) return frame(html`src="${safeHref(url)}"`)
  return html`${frame(html`name="${name}"`)}<div hidden data-post><form method="post" action="${safeHref(url)}" target="${name}">${hiddenFields(fields)}</form></div>`
}

/** From here on with a form: by itself where there are scripts. */
const goingOn = ({ url, fields, after }: NonNullable<View['postOn']>, messages: Messages): Markup =>
  html`<div data-post="${after}">${buttonForm(url, fields, messages.common.continue, 'plain')}</div>`

/** The page as an answer. Pure: the same options give the same bytes. */
export function document(options: DocumentOptions): Answer {
  const { lang, nonce, organisation, messages, nav, layout = 'narrow' } = options
  const title = options.problem ? fill(messages.frame.problem, { title: options.title }) : options.title
  const posts = options.postOn !== undefined || options.frames?.some(({ fields }) => fields !== undefined)
  const script = [scripts.page, options.script && scripts[options.script], posts && scripts.post]
    .filter(Boolean)
    .map((text) => `{${text}\n}`)
    .join('\n')
  const body = html`<!doctype html>
<html lang="${lang}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>${title} – ${organisation}</title>${ICON}
${options.goOn !== undefined && html`<meta http-equiv="refresh" content="0;url=${safeHref(options.goOn)}">`}<style nonce="${nonce}">${trusted(stylesheet)}</style></head>
<body class="${layout}"><a class="skip" href="#main">${messages.frame.skip}</a>
<div class="porch">${layout === 'narrow' && PEDIMENT}<header>${layout === 'wide' && SMALL_MARK}<p class="inscription"><bdi>${organisation}</bdi></p>${nav && pagesNav(nav, messages)}</header>${TEETH}
<div class="room">${COLUMN}<main id="main" tabindex="-1">${options.body}${options.postOn && goingOn(options.postOn, messages)}</main>${COLUMN}</div></div>
<footer>${languageSwitch(options)}</footer>
${options.frames?.map(outOfSight)}<script nonce="${nonce}" type="module">${trusted(script)}</script></body></html>`
  const status = options.status ?? 200
  const wait = retryAfterOf(status, options.retryAfter)
  return {
    status,
    headers: {
      ...pageHeaders(nonce, lang, options.formTargets ?? [], options.isolated ?? false, options),
      ...(wait === undefined ? {} : { 'retry-after': String(Math.max(1, Math.ceil(wait))) }),
    },
    body: body.toString(),
  }
}
