/** What the primary and its threads have in common: a task is a function from data to data. */
import type { MessagePort } from 'node:worker_threads'

/** The signal is aborted when nobody wants the result any more. */
export type Task = (data: never, signal: AbortSignal) => unknown

/** What really goes to the thread. */
export interface TaskMessage<D> {
  readonly data: D
  /** A message on it is the abort. */
  readonly cancel: MessagePort | undefined
}
