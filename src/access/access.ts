/**
 * Access: the question. Every door asks here, and nothing else may let anyone in.
 *
 *     door → ask() → gather facts → policy decides → record a receipt → verdict
 *
 * Deny is the default, and an error while deciding denies.
 *
 * - `question.ts` what a door asks, `ask.ts` how it is answered
 * - `facts.ts`    what is known, as the policy language sees it; `surroundings.ts` the part of it that has to be looked up
 * - `enrolled.ts` as what a browser is enrolled; `outages.ts` what is known while a person's directory is down
 * - `memory.ts`   what is kept of what happened, for rules on journeys and frequency
 * - `live.ts`     the policies in force, never half; `versions.ts` what was published, `publish.ts` how, `checks.ts` what may be,
 *   `lineage.ts` what a rollback walks back along;
 *   `then.ts` the policies that decided a receipt, and what those of now say to it
 * - `console-reach.ts` whether somebody could still get in, `administrators.ts` whether one of the administrators could
 * - `receipts.ts` one compact row for each decision: `receipt-parts.ts` what rows share, `receipt-recording.ts` writing,
 *   `receipt-reading.ts` reading, `receipt-retention.ts` removing, `numbering.ts` a row's number as a reference, `receipt-ledger.ts`
 *   receipts as what is sealed
 * - `app-uses.ts`, `board.ts` which apps people opened, and how far each has come
 * - `replay/`     receipts decided again by other policies, and what people were asked for: behind `#access/reports`
 */
import { receiptMigrations } from './receipt-tables.ts'
import { versionMigrations } from './versions.ts'

export const accessMigrations = [...receiptMigrations, ...versionMigrations]
export { type Access, type AccessOptions, openAccess, type Verdict } from './ask.ts'
export { gatherFacts } from './facts.ts'
export { type LivePolicies, openLivePolicies, PoliciesInvalid, readGood } from './live.ts'
export type { Memory } from './memory.ts'
export { type Published, type PublishRooms, publish, rollBack } from './publish.ts'
export type { Question, Wanted } from './question.ts'
export type { Page, Receipt } from './receipt.ts'
export { createReceiptLedger } from './receipt-ledger.ts'
export { createReceipts, RECEIPT_KEY, type Receipts } from './receipts.ts'
export { createPoliciesThen, nowOf } from './then.ts'
export { openVersions, type Publication, policiesOf, type Versions } from './versions.ts'
