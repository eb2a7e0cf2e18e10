/** What all steps of an upload work with. */
import { join } from 'node:path'
import type { Config } from '../../../shared/config/index.ts'
import { sleep } from '../../../shared/deadline.ts'
import type { Log } from '../../../shared/log.ts'
import { count } from '../../../shared/metric.ts'
import type { S3Call, S3Failure, S3Operation, S3Port, S3Result } from '../../../shared/s3-call.ts'
import { createTurns } from '../../../shared/turns.ts'
import type { Entry } from './entry.ts'
import { type Files, realFiles, writeMemory } from './metadata.ts'
import { type Pace, usualPace } from './retry.ts'

export interface WorkOptions {
  readonly settings: Config['audit']['s3']
  /** Of the logs. */
  readonly format: string
  readonly log: Log
  readonly ask: S3Port
  readonly pace?: Partial<Pace>
  readonly files?: Files
}

export type Heard<Op extends S3Operation> =
  | { readonly ok: true; readonly result: S3Result<Op> }
  | { readonly ok: false; readonly failure: S3Failure }

export interface Work {
  readonly settings: Config['audit']['s3']
  readonly format: string
  readonly log: Log
  readonly pace: Pace
  /** Aborted when a stop was asked for. */
  readonly stopping: AbortSignal
  /** Aborted when nothing may be begun any more. */
  readonly ended: AbortSignal
  stop(): void
  end(): void
  /** At shutdown the service is left alone once it has failed. */
  hasFailed(): boolean
  pathOf(log: string): string
  keyOf(log: string): string
  /** One call, when it is its turn. Undefined: there is no more time for it. */
  call<Op extends S3Operation>(entry: Entry, call: S3Call<Op>): Promise<Heard<Op> | undefined>
  /** Writes the file beside the log; false if that is not possible. Writes that are asked for meanwhile become one. */
  save(entry: Entry): Promise<boolean>
  /** Ends early when a stop is asked for, or when there is no more time. */
  pause(ms: number): Promise<void>
  /** True once in `quietMs`. */
  isTold(what: string): boolean
}

/** More than there can be: every log has few. */
const mostWaiting = 1_000_000

export function createWork({ settings, format, log, ask, pace: given, files = realFiles }: WorkOptions): Work {
  const pace = { ...usualPace, ...given }
  const [stop, end] = [new AbortController(), new AbortController()]
  const slots = createTurns(settings.parallelUploads, mostWaiting)
  const over = Promise.withResolvers<undefined>()
  end.signal.addEventListener('abort', () => over.resolve(undefined), { once: true })
  let failedAtStop = false
  const lastTold = new Map<string, number>()
  const pathOf = (name: string): string => join(settings.local, name)
  const put = async (entry: Entry): Promise<boolean> => {
    let isWritten = false
    while (entry.isChanged) {
      entry.isChanged = false
      const { facts, format: itsFormat, upload } = entry
      const memory = { facts, format: itsFormat, upload: upload ?? entry.remembered }
      isWritten = await writeMemory(pathOf(entry.log), entry.log, memory, files).then(
        () => true,
        (error) => {
          log.fault(error)
          return false
        },
      )
    }
    entry.saving = undefined
    return isWritten
  }
  return {
    settings,
    format,
    log,
    pace,
    stopping: stop.signal,
    ended: end.signal,
    stop: () => stop.abort(),
    hasFailed: () => failedAtStop,
    end: () => {
      stop.abort()
      end.abort()
    },
    pathOf,
    keyOf: (name) => settings.keyPrefix + name,
    async call(entry, call) {
      if (end.signal.aborted || !(await slots.enter(end.signal))) return undefined
      try {
        const answer = await Promise.race([ask(call, end.signal), over.promise])
        if (answer === undefined) return undefined
        if (!answer.ok) {
          failedAtStop ||= stop.signal.aborted
          count('containerssh_audit_s3_failures_total', { operation: call.op })
          return answer
        }
        if (answer.closeProblem !== undefined) {
          entry.isKept = true
          log.emit('AUDIT_S3_CLOSE_FAILED', { log: entry.log }, { cause: answer.closeProblem })
        }
        return answer
      } finally {
        slots.leave()
      }
    },
    save(entry) {
      entry.isChanged = true
      entry.saving ??= put(entry)
      return entry.saving
    },
    pause: (ms) => sleep(ms, stop.signal.aborted ? end.signal : stop.signal),
    isTold(what) {
      const now = performance.now()
      if (now - (lastTold.get(what) ?? Number.NEGATIVE_INFINITY) < pace.quietMs) return false
      lastTold.set(what, now)
      return true
    },
  }
}
