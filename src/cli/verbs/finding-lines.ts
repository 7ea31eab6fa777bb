/** What does not fit in the trail, in words. */
import { FINDINGS, type Finding } from '#audit/seals'

const NAMES = { event: 'event', receipt: 'receipt' } as const

/** `seal 12: event 4711: it is not what was sealed` */
export function findingLine({ what, seal, of, id }: Finding): string {
  const row =
    of === undefined
      ? []
      : what === 'row-gone'
        ? [id === undefined ? `the first ${NAMES[of]}` : `the ${NAMES[of]} after ${id}`]
        : [id === undefined ? `a ${NAMES[of]}` : `${NAMES[of]} ${id}`]
  return [...(seal > 0 ? [`seal ${seal}`] : []), ...row, FINDINGS[what]].join(': ')
}
