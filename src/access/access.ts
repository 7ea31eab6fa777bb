/**
 * Access: the question. Every door asks here, and nothing else may let anyone in.
 *
 *     door → ask() → gather facts → policy decides → record a receipt → verdict
 *
 * Deny is the default, and an error while deciding denies.
 *
 * - `question.ts` what a door asks, `ask.ts` how it is answered
 * - `facts.ts`    what is known, as the policy language sees it; `surroundings.ts` the part of it that has to be looked up
 * - `memory.ts`   what is kept of what happened, for rules on journeys and frequency
 * - `numbering.ts` a row's number as a reference        - `receipts.ts` one row for each decision         - `live.ts`     the policies in force, reloaded, never half
 */
export { type Access, type AccessOptions, openAccess, type Verdict } from './ask.ts'
export { gatherFacts } from './facts.ts'
export { type LivePolicies, openLivePolicies, PoliciesInvalid } from './live.ts'
export type { Memory } from './memory.ts'
export type { Question, Wanted } from './question.ts'
export { accessMigrations, createReceipts, RECEIPT_KEY, type Receipt, type Receipts } from './receipts.ts'
