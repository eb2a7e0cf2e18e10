/** Things that many share by name: made for the first, disposed some time after the last has given his back. */
export interface Lease<T> {
  readonly value: T
  /** Idempotent. */
  release(): void
}

export interface Leases<T> extends AsyncDisposable {
  /** @throws what `make` throws */
  take(name: string, make: () => T): Lease<T>
  /** All that are alive, in use or not. */
  values(): T[]
}

export interface LeaseOptions {
  /** Kept so long without a use, milliseconds. */
  readonly idleMs: number
  /** Kept without a use at a time; the oldest goes first. */
  readonly mostIdle: number
  /** What a disposal threw. */
  failed(error: unknown): void
}

interface Entry<T> {
  readonly name: string
  readonly value: T
  uses: number
  timer: NodeJS.Timeout | undefined
}

export function createLeases<T extends AsyncDisposable>({ idleMs, mostIdle, failed }: LeaseOptions): Leases<T> {
  const entries = new Map<string, Entry<T>>()
  /** In the order in which they came out of use. */
  const idle = new Set<Entry<T>>()
  const ending = new Set<Promise<void>>()

  const end = (entry: Entry<T>): void => {
    clearTimeout(entry.timer)
    idle.delete(entry)
    entries.delete(entry.name)
    const ended = Promise.resolve(entry.value[Symbol.asyncDispose]())
      .catch(failed)
      .then(() => void ending.delete(ended))
    ending.add(ended)
  }
  const rest = (entry: Entry<T>): void => {
    idle.add(entry)
    entry.timer = setTimeout(end, idleMs, entry).unref()
    const [oldest] = idle
    if (idle.size > mostIdle && oldest !== undefined) end(oldest)
  }
  return {
    take(name, make) {
      const entry = entries.get(name) ?? { name, value: make(), uses: 0, timer: undefined }
      entries.set(name, entry)
      clearTimeout(entry.timer)
      idle.delete(entry)
      entry.uses += 1
      let isMine = true
      return {
        value: entry.value,
        release() {
          if (!isMine) return
          isMine = false
          entry.uses -= 1
          if (entry.uses === 0) rest(entry)
        },
      }
    },
    values: () => [...entries.values()].map(({ value }) => value),
    async [Symbol.asyncDispose]() {
      for (const entry of [...entries.values()]) end(entry)
      await Promise.all(ending)
    },
  }
}
