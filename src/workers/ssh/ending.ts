/** How one of our sides ends a connection in good order: programs are asked to end, and the client is told why. */
import { formatDuration } from '../../shared/config/duration.ts'

export interface Ending {
  /** What programs get, without SIG. */
  readonly signal: string
  /** Of the DISCONNECT at the end, and of channels that are refused meanwhile. */
  readonly text: string
  /** What people at a terminal read at once; empty: nothing. */
  readonly notice: string
}

/** A duration for people: `10 seconds`, `1 minute`, otherwise Go's form. */
export function spoken(ms: number): string {
  for (const [unit, unitMs] of [
    ['hour', 3_600_000],
    ['minute', 60_000],
    ['second', 1000],
  ] as const) {
    if (ms < unitMs || ms % unitMs !== 0) continue
    return ms === unitMs ? `1 ${unit}` : `${ms / unitMs} ${unit}s`
  }
  return formatDuration(ms)
}

/** `withinMs`: until whoever is left is cut. */
export const shutdown = (withinMs: number | undefined): Ending => ({
  signal: 'TERM',
  text: 'server is shutting down',
  notice:
    withinMs === undefined
      ? 'The server is shutting down.'
      : `The server is shutting down: this connection ends within ${spoken(withinMs)}.`,
})
