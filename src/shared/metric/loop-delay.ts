/** How late timers of this process are. A timer of our own, ten times a second: what it costs cannot be measured. */
import { observe, secondsSince } from '../metric.ts'

const EVERY_MS = 100

/** Until the returned function is called. */
export function watchLoopDelay(): () => void {
  let dueMs = performance.now() + EVERY_MS
  const look = (): void => {
    observe('containerssh_event_loop_delay_seconds', {}, Math.max(0, secondsSince(dueMs)))
    dueMs = performance.now() + EVERY_MS
  }
  const timer = setInterval(look, EVERY_MS).unref()
  return () => clearInterval(timer)
}
