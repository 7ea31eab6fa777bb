/**
 * People from a file, row by row: what is wrong with one row never stops another, and every row gets its answer.
 * Rows are judged and written in batches, one transaction each.
 * ATTACK: an import must not raise rights. Without `allowAdministrators` no row makes an administrator, and no row changes
 * one: a new password or mail address for an administrator would be the same thing by another way.
 */
import type { Audit } from '#audit'
import type { Clock } from '#core/clock'
import type { Log } from '#core/log'
import { Refusal } from '#core/refusal'
import type { Changes } from './changes.ts'
import { type Chunks, readCsv, readLines, type TextRow } from './csv.ts'
import type { Hashing } from './hashing.ts'
import { type Plan, planner } from './import-plan.ts'
import {
  cellsOfCsv,
  cellsOfJson,
  type Draft,
  draftOf,
  inputOf,
  type Reason,
  type RowInput,
  readHeader,
} from './import-row.ts'
import type { Store } from './store.ts'

export interface ImportOptions {
  readonly format: 'csv' | 'jsonl'
  /** Judges every row and writes nothing. */
  readonly dryRun?: boolean
  /** Let rows make and change administrators. */
  readonly allowAdministrators?: boolean
  /** A local directory; the first one by default. */
  readonly directory?: string
}

export interface ImportedRow {
  /** The line of the file where the row begins, from 1. */
  readonly row: number
  /** The row by columns; a password is given back empty. */
  readonly input: RowInput
  readonly result: 'added' | 'changed' | 'unchanged' | 'refused'
  /** `code: sentence`, for refused rows. */
  readonly reason?: Reason
  /** The person, except for refused rows and for new ones in a dry run. */
  readonly id?: string
  /** Not switched off, and without a password after this row. */
  readonly withoutPassword?: true
}

export type Import = (rows: Chunks, options: ImportOptions, by: string) => AsyncIterable<ImportedRow>

interface Parts {
  readonly store: Store
  readonly hashing: Hashing
  readonly changes: Changes
  readonly clock: Clock
  readonly log: Log
  readonly audit: Audit
}

type Judged = { row: number; input: RowInput } & ({ draft: Draft } | { refused: Reason })

/**
 * Rows in one transaction. Ids are random, so each batch touches pages all over the tables: larger batches write less in all.
 * Passwords are hashed before, for which a row with one counts as several.
 */
const BATCH = 2000
const ROW_WITH_PASSWORD = 20

export function createImport(parts: Parts): Import {
  const { changes, audit } = parts
  return async function* (rows, options, by) {
    const directory = changes.localDirectory(options.directory)
    const plans = planner({ ...parts, directory, allowAdministrators: options.allowAdministrators === true })
    let written = 0
    try {
      for await (const batch of batches(judge(rows, options.format, directory.organisation))) {
        const drafts = batch.filter((one) => 'draft' in one)
        const planned = await plans.plan(drafts.map(({ draft }) => draft))
        if (!options.dryRun) written += await plans.write(planned, by)
        const planOf = new Map<Judged, Plan>(drafts.map((one, i) => [one, planned[i]!]))
        const lacking = await withoutPassword(planned, parts.store)
        for (const one of batch) {
          const plan = planOf.get(one)
          const lacks = plan && 'id' in plan && lacking.has(plan.id)
          yield { ...answer(one, plan, options.dryRun === true), ...(lacks ? { withoutPassword: true as const } : {}) }
        }
      }
    } finally {
      if (!options.dryRun) await audit.record('people-imported', { actor: by, count: written })
    }
  }
}

/** The ids of those who have none after this batch, written or not. */
async function withoutPassword(plans: readonly Plan[], store: Store): Promise<ReadonlySet<string>> {
  const kept = plans.filter((plan) => plan.result !== 'refused')
  const stored = await store.standing(kept.map(({ id }) => id))
  const lacks = (plan: (typeof kept)[number]): boolean => {
    const before = stored.get(plan.id)
    const disabled = plan.result === 'unchanged' ? before?.disabled : plan.row.disabled === 1
    const given = plan.result !== 'unchanged' && plan.password !== undefined
    return !disabled && !given && before?.password !== true
  }
  return new Set(kept.filter(lacks).map(({ id }) => id))
}

function answer(one: Judged, plan: Plan | undefined, dryRun: boolean): ImportedRow {
  const { row, input } = one
  if ('refused' in one) return { row, input, result: 'refused', reason: one.refused }
  if (!plan) throw new Refusal('internal', 'import: a row without a plan')
  if (plan.result === 'refused') return { row, input, result: 'refused', reason: plan.reason }
  return { row, input, result: plan.result, ...(dryRun && plan.result === 'added' ? {} : { id: plan.id }) }
}

/** Everything that one row says about itself, and whether it is the second with its name. */
async function* judge(
  rows: Chunks,
  format: ImportOptions['format'],
  organisationRoot: string | undefined,
): AsyncGenerator<Judged> {
  const seen = new Map<string, number>()
  let header: readonly string[] | undefined
  for await (const text of format === 'csv' ? readCsv(rows) : readLines(rows)) {
    if (format === 'csv' && header === undefined) {
      const read = readHeader(text)
      if (typeof read === 'string') {
        yield { row: text.line, input: {}, refused: read }
        return
      }
      header = read
      continue
    }
    yield judgeRow(text, header, organisationRoot, seen)
  }
}

function judgeRow(
  text: TextRow,
  header: readonly string[] | undefined,
  organisationRoot: string | undefined,
  seen: Map<string, number>,
): Judged {
  const row = text.line
  const read = header ? cellsOfCsv(text, header) : cellsOfJson(text)
  if ('refused' in read) return { row, input: {}, refused: read.refused }
  const input = inputOf(read.cells)
  const draft = draftOf(read.cells, organisationRoot)
  if (typeof draft === 'string') return { row, input, refused: draft }
  const before = seen.get(draft.key)
  if (before !== undefined) return { row, input, refused: `duplicate-in-file: line ${before} has the same user name` }
  seen.set(draft.key, row)
  return { row, input, draft }
}

async function* batches(all: AsyncIterable<Judged>): AsyncGenerator<Judged[]> {
  let batch: Judged[] = []
  let size = 0
  for await (const one of all) {
    batch.push(one)
    size += 'draft' in one && one.draft.password !== undefined ? ROW_WITH_PASSWORD : 1
    if (size < BATCH) continue
    yield batch
    batch = []
    size = 0
  }
  if (batch.length > 0) yield batch
}
