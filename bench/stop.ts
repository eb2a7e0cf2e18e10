/** How a run is stopped from outside. */
import { performance } from 'node:perf_hooks'

/** npm hands a signal on that the terminal has sent to all of its processes already: the same stop comes twice. */
const sameStopMs = 2000

/**
 * Aborted by the first SIGINT or SIGTERM: the question that is being asked ends its children, and what was answered is
 * written. Another one more than two seconds later ends the process at once.
 */
export function stopSignal(): AbortSignal {
  const stop = new AbortController()
  let since = Number.NaN
  const handle = (signal: NodeJS.Signals): void => {
    if (stop.signal.aborted) {
      if (performance.now() - since > sameStopMs) process.exit(1)
      return
    }
    since = performance.now()
    process.stderr.write(`\nbench: ${signal}: stopping\n`)
    stop.abort(new Error(`stopped by ${signal}`))
  }
  process.on('SIGINT', handle)
  process.on('SIGTERM', handle)
  return stop.signal
}
