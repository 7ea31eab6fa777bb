/**
 * From the groups of a provider to ours.
 * ATTACK: a partner that may name its groups as it likes would call one like ours; so only what the settings map counts.
 */
export function ourGroups(
  theirs: readonly string[],
  {
    map,
    everybody,
  }: { readonly map: Readonly<Record<string, readonly string[]>>; readonly everybody: readonly string[] },
): string[] {
  const mapped = theirs.flatMap((name) => (Object.hasOwn(map, name) ? map[name]! : []))
  return [...new Set([...everybody, ...mapped])].sort()
}
