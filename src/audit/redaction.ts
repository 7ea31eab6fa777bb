/**
 * What may stand in a log line or in the trail. Everything that leaves the house for a log passes here.
 *
 * INVARIANT: the message of an error that is not ours is never printed: libraries quote what they were given, and that is
 * user names, mail addresses and tokens. Name, code and stack frames say enough to find the place.
 */
import { Refusal } from '#core/refusal'

/** Ids, codes, versions, file names and urls; no blanks, no `@`. */
const LOOKS_LIKE_AN_ID = /^[\w.:/~%+=-]{1,200}$/
const LONGEST_TEXT = 500
const MOST_FRAMES = 12
const DEEPEST_CAUSE = 4
/** `at name (file:1:2)` and `at file:1:2`, with files as Node writes them. */
const FRAME =
  /^ {4}at (?:async )?(?:[\w.$<>#[\]: ]{1,120} \()?(?:file:\/\/|node:|\/)[^\s()@]*(?:@[^\s()@/]*\/[^\s()@]*)*:\d+:\d+\)?$/
const NAME = /^[A-Za-z]\w{0,63}$/
const CODE = /^[\w.-]{1,64}$/

/** In the order in which they are taken out of a text. */
const PERSONAL: readonly (readonly [RegExp, string])[] = [
  [/\beyJ[\w-]+\.[\w.-]*/g, '[token]'],
  [/(\b[a-z][\w+.-]*:\/\/)[^\s/?#@]*@/gi, '$1'],
  [/(\bhttps?:\/\/[^\s?#`]*)[?#][^\s`]*/gi, '$1?[redacted]'],
  [/[^\s@/`"'<>(),;:]+@[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}\b/gi, '[mail]'],
  [/\+\d[\d ()./-]{6,}\d/g, '[number]'],
]
/** Fields that nobody should hand over, and that would be secret or personal if somebody did. */
const FORBIDDEN_FIELD =
  /password|passwd|secret|cookie|authorization|token|username|user_name|given_?name|family_?name|^name$|mail|phone|address$|assertion|private/i

/** The value where it looks like an id or a code, else `(unfit)`. */
export const idOnly = (value: string): string => (LOOKS_LIKE_AN_ID.test(value) ? value : '(unfit)')

/** A text of ours without mail addresses, telephone numbers, tokens, query strings and passwords of urls. */
export function cleanText(text: string): string {
  let clean = text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)}…` : text
  for (const [pattern, instead] of PERSONAL) clean = clean.replace(pattern, instead)
  return clean
}

/** Fields of a log line: text, numbers and truth values; anything else is left out, whatever the types said. */
export function cleanFields(fields: Readonly<Record<string, unknown>>): Record<string, string | number | boolean> {
  const clean: Record<string, string | number | boolean> = {}
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined || value === null) continue
    if (FORBIDDEN_FIELD.test(name)) clean[name] = '[redacted]'
    else if (typeof value === 'string') clean[name] = cleanText(value)
    else if (typeof value === 'number' || typeof value === 'boolean') clean[name] = value
  }
  return clean
}

export interface CleanError {
  readonly name: string
  readonly code?: string | number
  readonly errcode?: number
  readonly syscall?: string
  /** Only of a `Refusal`: we write it ourselves, without personal data. */
  readonly detail?: string
  readonly stack?: readonly string[]
  readonly cause?: CleanError
  readonly errors?: readonly CleanError[]
}

/** What was thrown, without what it says. */
export function cleanError(thrown: unknown, depth = 0): CleanError {
  if (!(thrown instanceof Error)) return { name: `(${typeof thrown})` }
  const fields = thrown as Error & Record<'code' | 'errcode' | 'syscall' | 'errors', unknown>
  const deeper = depth < DEEPEST_CAUSE
  return {
    name: thrown instanceof Refusal ? 'Refusal' : NAME.test(thrown.name) ? thrown.name : 'Error',
    ...(isCode(fields.code) ? { code: fields.code } : {}),
    ...(typeof fields.errcode === 'number' ? { errcode: fields.errcode } : {}),
    ...(typeof fields.syscall === 'string' && NAME.test(fields.syscall) ? { syscall: fields.syscall } : {}),
    ...(thrown instanceof Refusal && thrown.detail ? { detail: cleanText(thrown.detail) } : {}),
    stack: frames(thrown),
    ...(deeper && thrown.cause !== undefined ? { cause: cleanError(thrown.cause, depth + 1) } : {}),
    ...(deeper && Array.isArray(fields.errors)
      ? { errors: fields.errors.slice(0, 3).map((error) => cleanError(error, depth + 1)) }
      : {}),
  }
}

function isCode(value: unknown): value is string | number {
  return typeof value === 'number' || (typeof value === 'string' && CODE.test(value))
}

/** ATTACK: a message may contain lines that look like frames, so it is cut out before the lines are looked at. */
function frames(error: Error): string[] {
  const stack = String(error.stack ?? '')
  const start = stack.indexOf(error.message)
  const rest = error.message === '' || start < 0 ? stack : stack.slice(start + error.message.length)
  return rest
    .split('\n')
    .filter((line) => FRAME.test(line))
    .slice(0, MOST_FRAMES)
    .map((line) => line.trim())
}
