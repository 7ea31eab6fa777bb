/** Three-valued logic (Kleene): what cannot be established is unknown, and never counts as no. */
export type Truth = boolean | 'unknown'

export const not = (truth: Truth): Truth => (truth === 'unknown' ? 'unknown' : !truth)
