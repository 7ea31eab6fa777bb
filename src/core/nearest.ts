/** "Did you mean …?": the nearest known name by edit distance, for errors that a stranger can fix. */

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const substitution = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      row.push(Math.min(previous[j]! + 1, row[j - 1]! + 1, substitution))
    }
    previous = row
  }
  return previous[b.length]!
}

/** The known name that differs least from `name`, or undefined when none is near. */
export function nearest(name: string, known: Iterable<string>): string | undefined {
  let best: string | undefined
  const length = Math.min(name.length, 64)
  // a name of which every letter would be another one is no slip of the finger
  let least = Math.min(Math.max(2, Math.floor(length / 3)), length - 1) + 1
  for (const candidate of known) {
    // so many letters at least are added or left out
    if (Math.abs(Math.min(candidate.length, 64) - length) >= least) continue
    const distance = editDistance(name.slice(0, 64).toLowerCase(), candidate.slice(0, 64).toLowerCase())
    if (distance < least) [best, least] = [candidate, distance]
  }
  return best
}
