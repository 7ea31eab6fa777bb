/** What the settings of a directory say about believing it. */
import type { AssuranceRule } from './assurance.ts'

/** Every kind of directory has a part of it. */
export interface Belief {
  readonly id: string
  readonly domains?: readonly string[] | undefined
  readonly link?: { readonly mail: boolean; readonly attribute?: string | undefined } | undefined
  readonly usernames?: 'qualified' | 'plain'
  readonly newcomers?: 'ask' | 'create' | 'prove' | 'refuse'
  readonly assurance?: readonly AssuranceRule[]
  readonly step_up?: 'here' | 'there'
}
