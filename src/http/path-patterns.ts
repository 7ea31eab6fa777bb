/** Paths in an app's rules: one path, or everything below one. Compared with a path that has been decoded once and cut clean. */

// a path that is written down needs nothing of what could be read in two ways; a wildcard stands at the end only
const PATTERN = /^(?:\/\*|(?:\/[^\s/*?#%;\\\p{Cc}\p{Cn}]+)+(?:\/|\/\*)?|\/)$/u
const DOTS = /\/\.{1,2}(?:\/|$)/

/** What a rule may name: `/`, `/login`, `/static/*`, or `/*` for all. */
export const isPathPattern = (text: string): boolean => text.length <= 500 && PATTERN.test(text) && !DOTS.test(text)

/**
 * Whether the pattern names the path. `exactly`: this very spelling. Otherwise letters are compared without case and a
 * slash at the end is no difference, because apps differ in both: for rules that close.
 */
export function namesPath(pattern: string, path: string, exactly: boolean): boolean {
  const wanted = exactly ? pattern : lenient(pattern)
  const seen = exactly ? path : lenient(path)
  if (!wanted.endsWith('/*')) return seen === wanted
  const above = wanted.slice(0, -2)
  return seen === above || seen.startsWith(`${above}/`)
}

/** Whether all that `inner` names is named by `outer` as well. */
export function coversPattern(outer: string, inner: string, exactly: boolean): boolean {
  if (!inner.endsWith('/*')) return namesPath(outer, inner, exactly)
  return outer.endsWith('/*') && namesPath(outer, inner.slice(0, -2) || '/', exactly)
}

const lenient = (path: string): string => {
  const lower = path.toLowerCase()
  return lower.length > 1 && lower.endsWith('/') ? lower.slice(0, -1) : lower
}
