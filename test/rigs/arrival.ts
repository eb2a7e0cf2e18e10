import { type Arrival, monotonicMs, type Remote } from '../../src/shared/ipc/handle.ts'

/** A connection that the primary has just accepted. */
export const arrivalOf = (remote: Remote): Arrival => ({ ...remote, country: 'XX', acceptedMs: monotonicMs() })
