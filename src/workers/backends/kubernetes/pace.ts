/**
 * How fast we may ask: `qps` calls a second, `burst` at once beyond that, for all connections with the same client. Who has
 * to wait stands in the line of whoever he asks for, and the lines take turns: however much one asks for, the others wait for
 * one of his calls each time and not for all.
 */
import { ApiError } from './failure.ts'

export interface Pace {
  /** Waits for its turn; within a line first come, first served. @throws ApiError when too many wait; the signal's reason */
  turn(line: string, signal: AbortSignal): Promise<void>
}

/** Each is somebody's operation with a time limit: at any rate that is set, the last of so many would not live to see its turn. */
const mostWaiting = 10_000

export function createPace(qps: number, burst: number): Pace {
  const intervalMs = 1000 / qps
  /** Of `performance.now()`: when the next call would be due if they came one after the other. */
  let due = Number.NEGATIVE_INFINITY
  /** The first is next. */
  const lines = new Map<string, Set<() => void>>()
  let waiting = 0
  let timer: NodeJS.Timeout | undefined

  const take = (): boolean => {
    const now = performance.now()
    const next = Math.max(due, now - burst * intervalMs) + intervalMs
    if (next > now) return false
    due = next
    return true
  }
  const leave = (line: string, go: () => void): void => {
    const members = lines.get(line)
    if (members?.delete(go) !== true) return
    waiting -= 1
    if (members.size === 0) lines.delete(line)
    if (lines.size > 0) return
    clearTimeout(timer)
    timer = undefined
  }
  const serve = (): void => {
    timer = undefined
    for (const [line, members] of lines) {
      if (!take()) break
      const [go] = members
      if (go === undefined) throw new Error('unreachable: a line without members')
      leave(line, go)
      // To the end of all lines; the iteration comes by there again.
      if (lines.delete(line)) lines.set(line, members)
      go()
    }
    wake()
  }
  const wake = (): void => {
    if (lines.size > 0) timer ??= setTimeout(serve, Math.max(0, due + intervalMs - performance.now()))
  }
  return {
    async turn(line, signal) {
      signal.throwIfAborted()
      if (lines.size === 0 && take()) return
      if (waiting >= mostWaiting)
        throw new ApiError(429, `${waiting} calls wait for their turn: kubernetes.connection.qps`)
      await new Promise<void>((resolve, reject) => {
        const go = (): void => {
          signal.removeEventListener('abort', cancel)
          resolve()
        }
        // Whoever gives up takes nobody's turn.
        const cancel = (): void => {
          leave(line, go)
          reject(signal.reason)
        }
        signal.addEventListener('abort', cancel, { once: true })
        const members = lines.get(line) ?? new Set()
        members.add(go)
        lines.set(line, members)
        waiting += 1
        wake()
      })
    },
  }
}
