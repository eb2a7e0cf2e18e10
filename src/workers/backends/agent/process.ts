/** A guest agent that forwards connections, as a room starts it in a container. */
import type { Duplex } from 'node:stream'

export interface AgentProcess {
  /** Its standard output and input. */
  readonly stream: Duplex
  /** Settles when it has ended; undefined when nobody knows with what. Never rejects. */
  readonly exitCode: Promise<number | undefined>
  /** Ends it, whatever it is doing; does not wait. */
  kill(): void
}
/** @throws Fault */
export type Launch = (signal: AbortSignal) => Promise<AgentProcess>
