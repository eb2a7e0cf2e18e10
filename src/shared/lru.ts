/** A map that forgets what has not been looked up for the longest time. */
export interface Lru<K, V> {
  get(key: K): V | undefined
  set(key: K, value: V): void
  delete(key: K): void
  readonly size: number
}

export function createLru<K, V>(most: number): Lru<K, V> {
  const entries = new Map<K, V>()
  /** It is where it belongs: to move it again would have the map rehashed now and then. */
  let newest: K | undefined
  const put = (key: K, value: V): void => {
    if (key !== newest) entries.delete(key)
    entries.set(key, value)
    newest = key
  }
  return {
    get(key) {
      const value = entries.get(key)
      if (value !== undefined && key !== newest) put(key, value)
      return value
    },
    set(key, value) {
      put(key, value)
      if (entries.size <= most) return
      const [oldest] = entries.keys()
      if (oldest !== undefined) entries.delete(oldest)
    },
    delete: (key) => void entries.delete(key),
    get size() {
      return entries.size
    },
  }
}
