/**
 * Receipts looked at in bulk: decided again by other policies, and what people were asked for. A door of its own,
 * `#access/reports`: only commands use it, and a server need not load it at each start.
 */
export { type Board, boardOf } from './board.ts'
export { createFriction, type Friction } from './replay/friction.ts'
export { createReplay, type Replayed } from './replay/replay.ts'
export { createReported, type ReportedRule } from './replay/reported.ts'
export { CHANGES, DIMENSIONS, type Tally } from './replay/tally.ts'
export type { By } from './replay/units.ts'
