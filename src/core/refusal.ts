/**
 * A refusal is thrown where something must not go on. Its status and public sentence stand in the table of
 * `refusals.ts`, never at the throw site; `detail` and `cause` go to the log only.
 */
import { REFUSALS, type RefusalCode } from './refusals.ts'

/**
 * `Retry-After` of an answer with that status, in seconds (RFC 9110 §10.2.3). Nobody knows when a store or a directory is back;
 * whoever is told nothing asks again at once, and all of them do.
 */
export const retryAfterOf = (status: number, known: number | undefined): number | undefined =>
  known ?? (status === 503 ? 5 : undefined)

export class Refusal extends Error {
  readonly code: RefusalCode
  /** For the operator's log: lower case, no full stop, the place first. Never shown to the person. */
  readonly detail: string | undefined
  /** Seconds until trying again can succeed, for `Retry-After`. */
  readonly retryAfter: number | undefined
  /** Under which an administrator finds more: for the page, instead of the request's id. */
  readonly reference: string | undefined
  /** The id of the person it is about, for the log and the trail: an administrator looks for them. */
  readonly subject: string | undefined

  constructor(
    code: RefusalCode,
    detail?: string,
    options: {
      cause?: unknown
      retryAfter?: number
      reference?: string | undefined
      subject?: string | undefined
    } = {},
  ) {
    super(detail ? `${code}: ${detail}` : code, options.cause === undefined ? {} : { cause: options.cause })
    this.code = code
    this.detail = detail
    this.retryAfter = options.retryAfter
    this.reference = options.reference
    this.subject = options.subject
  }

  get status(): number {
    return REFUSALS[this.code].status
  }

  /** One sentence in English that any stranger may read; pages translate it by the code. */
  get say(): string {
    return REFUSALS[this.code].say
  }
}
