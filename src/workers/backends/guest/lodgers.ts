/** Session mode, in every room: each program lives in a place of its own, and all of them end with their connection. */
import type { Running, Sandbox } from '../../ports.ts'
import { createSessionForwarding, type SessionForwarding } from './forward-session.ts'

export interface Lodgers {
  readonly forwarding: SessionForwarding
  /** Aborted when the connection ends. */
  readonly closing: AbortSignal
  /** `leave` clears the place when its program has ended; the end of the connection waits for it. */
  add(running: Running, leave: () => Promise<void>): void
  /** That runs programs in this way. */
  sandbox(run: Sandbox['run']): Sandbox
}

/** `left` is what a program is refused with that comes after the end. */
export function createLodgers(left: () => Error): Lodgers {
  const forwarding = createSessionForwarding()
  const closing = new AbortController()
  const programs = new Set<Promise<void>>()
  return {
    forwarding,
    closing: closing.signal,
    add(running, leave) {
      const settled: Promise<void> = running.exit.then(leave, leave).finally(() => programs.delete(settled))
      programs.add(settled)
    },
    sandbox: (run) => ({
      async run(program, stdio, signal) {
        if (closing.signal.aborted) throw left()
        return run(program, stdio, signal)
      },
      dial: forwarding.dial,
      listen: forwarding.listen,
      async [Symbol.asyncDispose]() {
        closing.abort()
        await Promise.all(programs)
      },
    }),
  }
}
