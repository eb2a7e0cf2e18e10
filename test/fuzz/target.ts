/** What is fuzzed: a function of bytes that throws only what it says it throws. */
import assert from 'node:assert/strict'

export interface Target {
  /** Rejects, or throws, for a bug only. */
  run(bytes: Buffer): void | Promise<void>
  /** Of one input; more would only be more of the same. */
  readonly mostBytes: number
}

type ErrorClass = abstract new (...parts: never[]) => Error

/** The result, or undefined when it threw what it may throw. Anything else that is thrown goes on: a bug. */
export function allowing<T>(allowed: readonly ErrorClass[], work: () => T): T | undefined {
  try {
    return work()
  } catch (error) {
    if (!(error instanceof Error)) throw error
    // `Error` itself is allowed by name only: a TypeError is one too, and always a bug.
    if (!allowed.some((one) => (one === Error ? error.constructor === Error : error instanceof one))) throw error
    assert.ok(error.message !== '', 'an error without a message')
    return undefined
  }
}

/** Two decodings of the same bytes, the second from memory that is then overwritten, as the transport does. */
export function survivesReuse(bytes: Buffer, decode: (bytes: Buffer) => unknown): void {
  const before = JSON.stringify(decode(bytes))
  const lent = Buffer.from(bytes)
  const kept = decode(lent)
  lent.fill(0xdd)
  assert.equal(JSON.stringify(kept), before)
}
