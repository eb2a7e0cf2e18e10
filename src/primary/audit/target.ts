import type { LogFacts } from '../../shared/audit/facts.ts'

export type { LogFacts } from '../../shared/audit/facts.ts'

/** A place where audit logs are kept. The pool writes their files into its directory; what then becomes of them is its business. */
export interface Target {
  readonly name: 'file' | 's3'
  readonly directory: string
  /**
   * Makes sure that logs can be kept. Never waits for anything outside of this machine.
   * @throws Fault
   */
  start(): Promise<void>
  /** A file of this name exists in the directory and grows from now on. */
  opened(log: string, facts: LogFacts): void
  /** More is known about the connection. */
  described(log: string, facts: LogFacts): void
  /** So many bytes are in the file now. */
  grown(log: string, bytes: number): void
  /** The file is complete and flushed to the disk. */
  closed(log: string, bytes: number): void
  /** Complete logs that have not gone where they go from here; undefined: they stay. */
  readonly queue?: () => { readonly logs: number; readonly bytes: number }
  /** Resolves when all that can be done before the abort has been done. */
  stop(deadline: AbortSignal): Promise<void>
}
