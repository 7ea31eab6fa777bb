/** Three-valued logic (Kleene): what cannot be established is unknown, and never counts as no. */
export type Truth = boolean | 'unknown'

export const not = (truth: Truth): Truth => (truth === 'unknown' ? 'unknown' : !truth)

/** True as soon as one is, unknown where none is and one may be. */
export function some<T>(list: readonly T[], judge: (one: T) => Truth): Truth {
  let result: Truth = false
  for (const one of list) {
    const truth = judge(one)
    if (truth === true) return true
    if (truth === 'unknown') result = 'unknown'
  }
  return result
}

/** False as soon as one is, unknown where none is and one may be. */
export function every(list: readonly Truth[]): Truth {
  if (list.includes(false)) return false
  return list.includes('unknown') ? 'unknown' : true
}
