/** Series by the name of their metric and the values of its labels. */
export class SeriesMap<N extends string, S> {
  /** Two maps, and not one with joined texts as keys: these would be made and hashed anew for every look. */
  readonly #named = new Map<N, Map<string, S>>()
  readonly #make: (name: N, values: readonly string[]) => S

  constructor(make: (name: N, values: readonly string[]) => S) {
    this.#make = make
  }

  /** Makes it if there is none. */
  get(name: N, values: readonly string[]): S {
    let own = this.#named.get(name)
    if (own === undefined) {
      own = new Map()
      this.#named.set(name, own)
    }
    const key = values.length === 1 ? (values[0] ?? '') : values.join(' ')
    let series = own.get(key)
    if (series === undefined) {
      series = this.#make(name, values)
      own.set(key, series)
    }
    return series
  }

  /** Names, and the series of each, in the order of their first use. */
  all(): S[] {
    return [...this.#named.values()].flatMap((own) => [...own.values()])
  }

  forget(isOver: (series: S) => boolean): void {
    for (const own of this.#named.values()) {
      for (const [key, series] of own) if (isOver(series)) own.delete(key)
    }
  }

  clear(): void {
    this.#named.clear()
  }
}
