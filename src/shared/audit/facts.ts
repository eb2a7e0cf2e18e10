/** Whose log it is, as the records tell. */
import type { AuditRecord } from './record.ts'

export interface LogFacts {
  /** Seconds since 1970, whole. */
  readonly startTime: number
  /** IP address. */
  readonly remoteAddr: string
  readonly authenticated: boolean
  /** Login name; empty until somebody has logged in. */
  readonly username: string
  /** ISO 3166-1 code, or XX. */
  readonly country: string
}

/** The same object if the record tells nothing new. */
export function learn(facts: LogFacts, { type, timestamp, payload }: AuditRecord): LogFacts {
  if (type === 'connect') {
    const { remoteAddr, country } = payload
    return { ...facts, startTime: Number(timestamp / 1_000_000_000n), remoteAddr, country }
  }
  // Not earlier: that a key would do is said before the client has shown that it has it.
  if (type === 'handshake_successful') return { ...facts, authenticated: true, username: payload.username }
  return facts
}
