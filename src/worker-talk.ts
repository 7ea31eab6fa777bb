/** What a supervisor and its workers say to each other, over the channel between the processes. */
import type { Settings } from '#config'
import type { Condition } from './condition.ts'
import type { Numbers } from './metrics.ts'
import type { Worker } from './server.ts'

/**
 * `start` has the settings as they were when the supervisor read them: whoever takes the place of a worker that died must
 * not depend on a file that somebody is writing just now.
 */
export type ToWorker =
  | { readonly do: 'start'; readonly worker: Worker; readonly settings: Settings; readonly folder: string }
  | { readonly do: 'reload' }
  /** `hurry`: no waiting for others to look elsewhere. */
  | { readonly do: 'stop'; readonly hurry: boolean }
  | { readonly do: 'tell'; readonly question: number; readonly what: keyof Told }

export interface Told {
  readonly condition: Condition
  readonly numbers: Numbers
}

export type FromWorker =
  /** It listens to what it is told. */
  | { readonly said: 'here' }
  | { readonly said: 'serving'; readonly claimUrl: string | undefined; readonly claimTooLate: boolean }
  /** It cannot start, and why in a sentence. */
  | { readonly said: 'refused'; readonly why: string }
  | { readonly said: 'told'; readonly question: number; readonly answer: Told[keyof Told] | undefined }
