/** What all steps of an upload work with. */
import { join } from 'node:path'
import { asFault } from '../../../shared/codes/fault.ts'
import type { Config } from '../../../shared/config/index.ts'
import { sleep } from '../../../shared/deadline.ts'
import type { Log } from '../../../shared/log.ts'
import { count } from '../../../shared/metric.ts'
import type { S3Call, S3Failure, S3Operation, S3Port, S3Result } from '../../../shared/s3-call.ts'
import { createTurns, type Turns } from '../../../shared/turns.ts'
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

/** More than there can be: every log has few. */
const mostWaiting = 1_000_000
/** Fewer may be the fault of one log. */
const outageFailures = 5

export class Work {
  readonly settings: Config['audit']['s3']
  readonly format: string
  readonly log: Log
  readonly pace: Pace
  readonly #ask: S3Port
  readonly #files: Files
  readonly #slots: Turns
  readonly #stop = new AbortController()
  readonly #end = new AbortController()
  /** Those who wait for a call, and have to hear of the end. */
  readonly #waiting = new Set<() => void>()
  readonly #lastTold = new Map<string, number>()
  #hasFailed = false
  /** Of all logs, since something went well. */
  #failuresInARow = 0
  #wake = new AbortController()

  constructor({ settings, format, log, ask, pace, files = realFiles }: WorkOptions) {
    this.settings = settings
    this.format = format
    this.log = log
    this.pace = { ...usualPace, ...pace }
    this.#ask = ask
    this.#files = files
    this.#slots = createTurns(settings.parallelUploads, mostWaiting)
  }

  /** A stop was asked for. */
  get isStopping(): boolean {
    return this.#stop.signal.aborted
  }
  /** Nothing may be begun any more. */
  get isOver(): boolean {
    return this.#end.signal.aborted
  }
  /** At shutdown the service is left alone once it has failed. */
  get hasFailed(): boolean {
    return this.#hasFailed
  }
  stop(): void {
    this.#stop.abort()
  }
  end(): void {
    this.#stop.abort()
    this.#end.abort()
    for (const tell of this.#waiting) tell()
  }

  pathOf(log: string): string {
    return join(this.settings.local, log)
  }
  keyOf(log: string): string {
    return this.settings.keyPrefix + log
  }

  /** One call, when it is its turn. Undefined: there is no more time for it. */
  async call<Op extends S3Operation>(entry: Entry, call: S3Call<Op>): Promise<Heard<Op> | undefined> {
    if (this.isOver || !(await this.#slots.enter(this.#end.signal))) return undefined
    try {
      const answer = await this.#untilEnd(this.#ask(call, this.#end.signal))
      if (answer === undefined) return undefined
      this.#weather(answer.ok)
      if (!answer.ok) {
        count('containerssh_audit_s3_failures_total', { operation: call.op })
      } else if (answer.closeProblem !== undefined) {
        entry.isKept = true
        this.log.emit('AUDIT_S3_CLOSE_FAILED', { log: entry.log }, { cause: answer.closeProblem })
      }
      return answer
    } finally {
      this.#slots.leave()
    }
  }

  /** When the service is back for one log, the others need not wait any longer. */
  #weather(isFair: boolean): void {
    if (!isFair) {
      this.#hasFailed ||= this.isStopping
      this.#failuresInARow++
      return
    }
    const wasOut = this.#failuresInARow >= outageFailures
    this.#failuresInARow = 0
    if (!wasOut) return
    this.#wake.abort()
    this.#wake = new AbortController()
  }

  /** Whoever answers may be too slow for the end. */
  #untilEnd<T>(answer: Promise<T>): Promise<T | undefined> {
    return new Promise((resolve, reject) => {
      const tell = (): void => resolve(undefined)
      this.#waiting.add(tell)
      answer.then(resolve, reject).finally(() => this.#waiting.delete(tell))
    })
  }

  /** Writes the file beside the log; false if that is not possible. Writes that are asked for meanwhile become one. */
  save(entry: Entry): Promise<boolean> {
    entry.isChanged = true
    entry.saving ??= this.#write(entry)
    return entry.saving
  }

  async #write(entry: Entry): Promise<boolean> {
    let isWritten = false
    while (entry.isChanged) {
      entry.isChanged = false
      const { log, facts, format, upload, remembered } = entry
      try {
        await writeMemory(this.pathOf(log), log, { facts, format, upload: upload ?? remembered }, this.#files)
        isWritten = true
      } catch (error) {
        this.log.fault(asFault(error))
        isWritten = false
      }
    }
    entry.saving = undefined
    return isWritten
  }

  /** Ends early when an outage is over, when a stop is asked for, or when there is no more time. */
  pause(ms: number): Promise<void> {
    const end = this.isStopping ? this.#end.signal : this.#stop.signal
    return sleep(ms, AbortSignal.any([end, this.#wake.signal]))
  }

  /** True once in `quietMs`. */
  isTold(what: string): boolean {
    const now = performance.now()
    if (now - (this.#lastTold.get(what) ?? Number.NEGATIVE_INFINITY) < this.pace.quietMs) return false
    this.#lastTold.set(what, now)
    return true
  }
}
