/** What a template may ask an administrator for. To add a kind: one row in `INPUT_KINDS`. */
import { isHost } from '#http'
import { addressProblem } from './addresses.ts'

export interface InputKind {
  /** Completes "expected …". */
  readonly expects: string
  /**
   * Where in an address of the template it may stand: as its beginning, as a host, as one label or path segment, as
   * one path segment or query value, as the whole address, or in no address at all.
   */
  readonly place: 'start' | 'host' | 'label' | 'segment' | 'whole' | 'never'
  /** The value in its stored spelling, or undefined when it is none. Must accept its own result. */
  read(text: string): string | undefined
}

const matching = (pattern: RegExp) => (text: string) => (pattern.test(text) ? text : undefined)
const address = (use: 'redirect' | 'page') => (text: string) => (addressProblem(text, use) ? undefined : text)

/**
 * INVARIANT: no value can end a quoted string or a line of a configuration file, because `settings` are rendered with
 * them: no kind accepts quotes, backslashes, dollars, backticks or control characters.
 */
const quiet = (read: InputKind['read']) => (text: string) =>
  /['"\\$`<>\p{Cc}\u2028\u2029]/u.test(text) ? undefined : read(text)

export const INPUT_KINDS = Object.freeze({
  'https-url': {
    expects: 'an `https` address without query, like `https://app.example.com`',
    place: 'start',
    read: quiet((text) => (text.includes('?') ? undefined : address('page')(text.replace(/\/$/, '')))),
  },
  host: {
    expects: 'a host name, like `app.example.com`',
    place: 'host',
    read: (text) => (isHost(text) ? text : undefined),
  },
  slug: {
    expects: 'lower-case letters, digits and hyphens',
    place: 'label',
    read: matching(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/),
  },
  segment: {
    expects: 'letters, digits, `-`, `_`, `.` and `~`, not beginning with a dot',
    place: 'segment',
    read: matching(/^(?!\.)[A-Za-z0-9._~-]{1,128}$/),
  },
  'redirect-uri': {
    expects: 'a redirect URI, like `https://app.example.com/callback`',
    place: 'whole',
    read: quiet(address('redirect')),
  },
  text: { expects: 'a line of text without quotes', place: 'never', read: quiet(matching(/^\S(?:.{0,198}\S)?$/)) },
} as const satisfies Record<string, InputKind>)

export type InputKindName = keyof typeof INPUT_KINDS
export const INPUT_KIND_NAMES = Object.keys(INPUT_KINDS) as [InputKindName, ...InputKindName[]]

/** A value in its stored spelling, or what was expected. */
export function readInput(
  { kind }: { readonly kind: InputKindName },
  text: string,
): { readonly value: string } | { readonly expected: string } {
  const { read, expects } = INPUT_KINDS[kind]
  const value = read(text)
  return value === undefined ? { expected: expects } : { value }
}

/** Whether a placeholder of this kind may stand between these two parts of an address. */
export function mayStand(place: InputKind['place'], before: string, after: string): boolean {
  const inPath = /^(?:\{[a-z][a-z0-9_]*\}|[a-z][a-z0-9+.-]*:\/\/[^/]+)[/?]/.test(before)
  switch (place) {
    case 'start':
      return before === '' && /^(?:$|[/?])/.test(after)
    case 'whole':
      return before === '' && after === ''
    case 'host':
      return before.endsWith('://') && /^(?:$|[/:?])/.test(after)
    case 'label':
      return before.includes('://') || inPath
    case 'segment':
      return inPath
    case 'never':
      return false
  }
}
