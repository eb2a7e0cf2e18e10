/** How long a session may take for what a client waits for. */
import { asFault, type Fault } from '../../shared/codes/fault.ts'
import { DeadlineError, within } from '../../shared/deadline.ts'
import type { Verdict } from '../ports.ts'

export interface Errand<T> {
  readonly limitMs: number
  /** The connection's. */
  readonly signal: AbortSignal
  ask(signal: AbortSignal): Promise<Verdict<T>>
  /** For what is made when nobody waits for it any more. */
  discard(late: T): void
  /** The refusal when the time is over. */
  tooLate(cause: DeadlineError): Fault
}

/** Never rejects. */
export async function patiently<T>({ limitMs, signal, ask, discard, tooLate }: Errand<T>): Promise<Verdict<T>> {
  try {
    return await within('the answer', limitMs, signal, async (own) => {
      const verdict = await ask(own)
      if (own.aborted && verdict.accepted) discard(verdict.value)
      return verdict
    })
  } catch (error) {
    return { accepted: false, fault: error instanceof DeadlineError ? tooLate(error) : asFault(error) }
  }
}
