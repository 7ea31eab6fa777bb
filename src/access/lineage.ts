/** Which publications led to the one in force, and which were rolled back: what a rollback walks back along. */

/** What lineage needs of a publication. */
export interface Step {
  readonly number: number
  readonly version: string
  readonly rollback: boolean
  /** The publication that a rollback put in force again; null for others, and for rollbacks of before 2026-12. */
  readonly restores: number | null
}

/**
 * The numbers of the publications that were put in force one after the other to arrive at `head`, the first of all first.
 * A rollback continues where the publication that it restored was, so what it rolled back is not among them, and no rollback is:
 * whoever goes back along it never meets what was rolled back.
 */
export function lineageOf(publications: readonly Step[], head: number): number[] {
  const byNumber = new Map(publications.map((one) => [one.number, one]))
  const line: number[] = []
  let number = head
  while (number > 0) {
    const at = byNumber.get(number)
    if (!at) break
    const restored = at.rollback ? (at.restores ?? restoredBefore(publications, at)) : undefined
    if (restored === undefined) line.push(number)
    // INVARIANT: smaller with every turn, whatever a row says, so that it ends
    number = restored === undefined ? number - 1 : Math.min(restored, number - 1)
  }
  return line.reverse()
}

/** Of a rollback that does not tell: the last publication with the same files before it that was none itself. */
const restoredBefore = (publications: readonly Step[], { number, version }: Step): number | undefined =>
  publications
    .filter((one) => one.number < number && one.version === version && !one.rollback)
    .reduce<number | undefined>((last, one) => Math.max(last ?? 0, one.number), undefined)
