/** What the views of `confirming.ts` are given. */
import type { Instant } from '#core/clock'
import type { Messages } from '../languages/en.ts'
import type { DetailWords, ScopeWords } from '../words.ts'

export interface AskedQuestion {
  readonly id: string
  readonly app: string
  /** What the app wants to be read and compared. */
  readonly message?: string
  readonly href: string
}

/** Those that wait, as part of another page. */
export interface AskedData {
  readonly questions: readonly AskedQuestion[]
  /** Changes with them: a page that is left open asks whether it still holds. */
  readonly mark: string
}

/** [confirm] `answer`: allow, deny, disown. */
export interface ConfirmData {
  readonly action: string
  readonly app: string
  /** Who uses the app, where it has shown that. */
  readonly asker?: string
  readonly message?: string
  readonly scopes: readonly (string | ScopeWords)[]
  readonly details?: readonly DetailWords[]
  readonly askedAt: Instant
  readonly until: Instant
  /** What stands before an approval: nothing, proof that was given, proof that is to come. */
  readonly proof?: 'given' | 'first'
  readonly back: string
}

/** What was answered, said on the page after it. */
export type AnsweredNotice = keyof Messages['confirming']['done']
