/** Bytes that may be promised at most: of one connection, and within those of its worker. */
export class Budget {
  readonly #limitBytes: number
  readonly #parent: Budget | undefined
  #usedBytes = 0

  constructor(limitBytes: number, parent?: Budget) {
    this.#limitBytes = limitBytes
    this.#parent = parent
  }

  get usedBytes(): number {
    return this.#usedBytes
  }

  /** All or nothing. */
  take(bytes: number): boolean {
    if (this.#usedBytes + bytes > this.#limitBytes || this.#parent?.take(bytes) === false) return false
    this.#usedBytes += bytes
    return true
  }

  give(bytes: number): void {
    this.#usedBytes -= bytes
    this.#parent?.give(bytes)
  }
}
