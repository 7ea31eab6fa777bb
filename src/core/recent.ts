/** What was noted last: at least `size` things and at most twice as many, without bookkeeping when one is found. */
export interface Recent<K, V> {
  get(key: K): V | undefined
  set(key: K, value: V): void
  delete(key: K): void
}

export function createRecent<K, V>(size: number): Recent<K, V> {
  let young = new Map<K, V>()
  let old = new Map<K, V>()
  const set = (key: K, value: V) => {
    young.set(key, value)
    if (young.size < size) return
    old = young
    young = new Map()
  }
  return {
    get(key) {
      const found = young.get(key)
      if (found !== undefined) return found
      const older = old.get(key)
      if (older !== undefined) set(key, older)
      return older
    },
    set,
    delete(key) {
      young.delete(key)
      old.delete(key)
    },
  }
}
