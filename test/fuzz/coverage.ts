/** Which blocks of our source have run, from V8 itself: nothing is instrumented, so types are stripped as in production. */
import { Session } from 'node:inspector'

interface Range {
  readonly startOffset: number
  readonly endOffset: number
  readonly count: number
}
interface Script {
  readonly scriptId: string
  readonly url: string
  readonly functions: readonly { readonly ranges: readonly Range[] }[]
}

export interface Coverage {
  /**
   * How many blocks have run since the last call that no call has kept before.
   * A look takes milliseconds, whatever has run.
   */
  fresh(keep: boolean): number
  readonly seen: number
}

export function startCoverage(ours: (url: string) => boolean): Coverage {
  const session = new Session()
  session.connect()
  const post = <T>(method: string, parameters: object = {}): T => {
    let result: T | undefined
    // The session is in this thread: the answer is there when the call returns.
    session.post(method, parameters, (error, value) => {
      if (error !== null) throw error
      result = value as T
    })
    return result as T
  }
  post('Profiler.enable')
  post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
  const seen = new Set<string>()
  return {
    get seen() {
      return seen.size
    },
    fresh(keep) {
      const found = new Set<string>()
      for (const { scriptId, url, functions } of post<{ result: Script[] }>('Profiler.takePreciseCoverage').result) {
        if (!ours(url)) continue
        for (const { ranges } of functions) {
          for (const { startOffset, endOffset, count } of ranges)
            if (count > 0) found.add(`${scriptId}:${startOffset}:${endOffset}`)
        }
      }
      const fresh = found.difference(seen)
      if (keep) for (const mark of fresh) seen.add(mark)
      return fresh.size
    },
  }
}
