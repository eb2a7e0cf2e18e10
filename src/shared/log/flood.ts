/** Keeps one source from filling the log: so many records of a code in a time, and then their number. */
import { netBlockOf } from '../address.ts'
import type { Code, LogRecord } from '../log.ts'
import { type Level, levels } from './level.ts'

/** Sources and codes told apart in one interval; more of them share their code's count. */
const MOST_COUNTS = 10_000
/** One subscriber's network is one source. */
const SOURCE = { ipv4: 32, ipv6: 64 } as const
/** What is counted from the log, by operators and by programs that ban, is complete: penalties limit it at its root. */
const COUNTED = /^(SSH_)?AUTH_/

export interface Suppressed {
  readonly level: Level
  readonly code: Code
  readonly source: string
  readonly count: number
}

export interface FloodGate {
  /** Whether the record is to be written. */
  admits(record: LogRecord): boolean
  /** Tells at once what would be told at the end of the interval. */
  close(): void
}

export interface FloodOptions {
  /** Of a code and a source in one interval; 0: no limit. */
  readonly records: number
  readonly intervalMs: number
  /** Called at the end of an interval, once for each code and source that had more. */
  tell(suppressed: Suppressed): void
}

interface Count {
  readonly level: Level
  readonly code: Code
  readonly source: string
  seen: number
}

export function floodGate({ records, intervalMs, tell }: FloodOptions): FloodGate {
  let counts = new Map<string, Count>()
  let timer: NodeJS.Timeout | undefined

  const over = (): void => {
    clearTimeout(timer)
    timer = undefined
    const past = counts
    counts = new Map()
    for (const { seen, ...of } of past.values()) if (seen > records) tell({ ...of, count: seen - records })
  }
  const countOf = ({ code, level }: LogRecord, address: string): Count => {
    const network = netBlockOf(address, SOURCE)
    const key = `${code} ${network}`
    const known = counts.get(key)
    if (known !== undefined) return known
    const source = counts.size < MOST_COUNTS ? network : 'many sources'
    const fresh = counts.get(`${code} ${source}`) ?? { level, code, source, seen: 0 }
    counts.set(`${code} ${source}`, fresh)
    return fresh
  }

  return {
    admits(record) {
      const { remoteAddr } = record.labels
      if (records === 0 || typeof remoteAddr !== 'string') return true
      if (levels[record.level] <= levels.error || COUNTED.test(record.code)) return true
      timer ??= setTimeout(over, intervalMs).unref()
      return ++countOf(record, remoteAddr).seen <= records
    },
    close: over,
  }
}
