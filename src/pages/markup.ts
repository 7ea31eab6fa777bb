/** HTML that is already escaped. `hono/html` escapes every value put into a template; this narrows its types to what we use. */
import { raw as asIs, html as template } from 'hono/html'

/** Escaped HTML: put into another template as it is. */
export type Markup = ReturnType<typeof asIs>

/** What may stand in a template. `undefined` and booleans leave nothing. */
export type Slot = string | number | boolean | undefined | Markup | readonly Slot[]

/** INVARIANT: no promise gets in, so the result is never one. */
export const html = template as (strings: TemplateStringsArray, ...values: Slot[]) => Markup

/** ATTACK: a value from outside given here is script injection. Only for text that this room wrote itself. */
export const trusted = (text: string): Markup => asIs(text)

export const nothing: Markup = asIs('')

/**
 * ATTACK: `javascript:` and `data:` addresses run in our origin when they are clicked. Only paths of ours and http(s)
 * addresses pass; `//host` is an address on another host and must name its scheme.
 */
export function safeHref(href: string): string {
  // browsers drop tabs and line ends inside an address: `/\t/host` would become `//host`
  if (/[\t\n\r]/.test(href)) return '#'
  if (/^[?#]/.test(href) || /^\/(?![/\\])/.test(href)) return href
  return /^https?:\/\//i.test(href) && URL.canParse(href) ? href : '#'
}
