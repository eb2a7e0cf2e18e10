/**
 * The records of one connection: gathered in batches, sent by size and by age, counted until they are stored. What they
 * say is up to the others in this folder.
 */
import { type Batch, createBatch } from '../../shared/audit/batch.ts'
import type { MessageType } from '../../shared/audit/catalogue.ts'
import type { AuditRecord, Facts, RecordOfType } from '../../shared/audit/record.ts'
import { type Fault, fault } from '../../shared/codes/fault.ts'
import { MAX_BATCH_BYTES } from '../../shared/ipc/contract.ts'
import { count } from '../../shared/metric.ts'
import type { Peer } from '../ports.ts'
import { pause } from '../ssh/reading.ts'
import type { StreamNumber, Subject } from '../ssh/witness.ts'
import type { Group } from './ages.ts'
import { nowNs } from './clock.ts'
import type { AuditConfig, Desk } from './desk.ts'

const batchBytes = 64 * 1024
/**
 * A batch that is held back because the link is behind goes at this size all the same, so that with the largest record, a
 * public key in base64 that fills an SSH packet, it stays below MAX_BATCH_BYTES.
 */
const heldBytes = 128 * 1024
/** Of one record of I/O. */
const blockBytes = 64 * 1024
/** How long a connection may wait for its records to be stored before it is ended, and how long for its log to begin. */
const stallMs = 60_000
const beginMs = 15_000

export interface Limits {
  readonly stallMs: number
  readonly beginMs: number
}

type Payload<Type extends MessageType> = RecordOfType<Type>['payload']

/** `lost`: nothing is recorded any more, and the connection ends; `abandoned`: it goes on. */
type Phase = 'open' | 'lost' | 'abandoned' | 'ended'

export class Recorder {
  readonly ticket: number
  readonly peer: Peer
  readonly #desk: Desk
  readonly #subject: Subject
  readonly #limits: Limits
  readonly #batch: Batch = createBatch()
  readonly #begun = Promise.withResolvers<Fault | undefined>()
  /** Sent or gathered, and not stored. */
  #waitingBytes = 0
  #phase: Phase = 'open'
  #age: Group | undefined
  #stall: NodeJS.Timeout | undefined
  /** Those who want to move bytes again. */
  #blocked: Set<() => void> | undefined
  #readingPaused = false

  constructor(desk: Desk, ticket: number, peer: Peer, subject: Subject, limits: Limits = { stallMs, beginMs }) {
    this.#desk = desk
    this.ticket = ticket
    this.peer = peer
    this.#subject = subject
    this.#limits = limits
    desk.begin(this)
  }

  get connectionId(): string {
    return this.peer.connectionId
  }
  get config(): AuditConfig {
    return this.#desk.config
  }
  get redacted(): (text: string) => string {
    return this.#desk.redacted
  }
  /** No byte may move any more. */
  get lost(): boolean {
    return this.#phase === 'lost'
  }
  /** Whoever moves bytes is to wait. */
  get full(): boolean {
    if (this.#phase !== 'open') return false
    return this.#waitingBytes > this.config.connectionBytes || this.#desk.full
  }

  /** Copies what the payload refers to. */
  add<Type extends MessageType>(type: Type, channelId: number | null, payload: Payload<Type>, facts?: Facts): void {
    if (this.#phase !== 'open') return
    if (this.#batch.length >= heldBytes) this.#send()
    const before = this.#batch.length
    // The parts fit together: `payload` is that of `type`.
    const record = { connectionId: this.connectionId, timestamp: nowNs(), type, channelId, payload, facts }
    this.#batch.add(record as unknown as AuditRecord)
    this.#grown(before)
    if (!this.full || this.#readingPaused) return
    this.#readingPaused = true
    this.#subject.reading.pause(pause.audit)
    this.whenRoom(this.#resumeReading)
  }

  io(channelId: number, stream: StreamNumber, bytes: Uint8Array): void {
    if (this.#phase !== 'open' || bytes.length === 0) return
    const timestamp = nowNs()
    for (let at = 0; at < bytes.length; at += blockBytes) {
      if (this.#batch.length >= heldBytes) this.#send()
      const before = this.#batch.length
      const block = bytes.length <= blockBytes ? bytes : bytes.subarray(at, at + blockBytes)
      this.#batch.addIo(timestamp, channelId, stream, block)
      this.#grown(before)
    }
  }

  #grown(before: number): void {
    const { length } = this.#batch
    this.#waitingBytes += length - before
    this.#desk.add(length - before)
    // Nothing that we know of makes such a record; the primary would take it for an attack, and the worker would be lost.
    if (length > MAX_BATCH_BYTES) this.failed(`a record of ${length - before} bytes`)
    else if (length >= batchBytes) this.flush()
    else this.#age ??= this.#desk.ages.join(this)
  }

  /** Sends what was gathered. */
  flush(): void {
    const { length } = this.#batch
    if (this.#desk.congested && length < heldBytes && this.#phase === 'open') this.#desk.hold(this)
    else if (length > 0) this.#send()
    this.#forgetAge()
  }

  #forgetAge(): void {
    this.#age?.delete(this)
    this.#age = undefined
  }

  #send(): void {
    this.#desk.sendBatch(this.ticket, this.#batch.take())
  }

  /** Calls the listener once, when there is room again. */
  whenRoom(listener: () => void): void {
    if (this.#blocked !== undefined) {
      this.#blocked.add(listener)
      return
    }
    this.#blocked = new Set([listener])
    const limit = this.#desk.full ? 'worker' : 'connection'
    count('containerssh_audit_waits_total', { limit })
    this.#stall = setTimeout(stalled, this.#limits.stallMs, this).unref()
    this.#desk.block(this)
  }

  relieve(): void {
    if (this.full || this.#blocked === undefined) return
    clearTimeout(this.#stall)
    this.#stall = undefined
    this.#desk.unblock(this)
    const listeners = this.#blocked
    this.#blocked = undefined
    for (const listener of listeners) listener()
  }

  readonly #resumeReading = (): void => {
    this.#readingPaused = false
    this.#subject.reading.resume(pause.audit)
  }

  /** Resolves when the log exists, or with why the session must not begin. */
  async begun(signal: AbortSignal): Promise<Fault | undefined> {
    const timer = setTimeout(neverBegan, this.#limits.beginMs, this).unref()
    const gone = (): void => this.#begun.resolve(this.#failure('the client has gone'))
    signal.addEventListener('abort', gone, { once: true })
    if (signal.aborted) gone()
    const why = await this.#begun.promise
    clearTimeout(timer)
    signal.removeEventListener('abort', gone)
    return why
  }

  #failure(reason: string): Fault {
    return fault('AUDIT_RECORDING_FAILED', { log: this.connectionId, reason })
  }

  stored(bytes: number): void {
    this.#begun.resolve(undefined)
    // What the primary says it has stored is never more than what it was sent.
    const settled = Math.min(bytes, this.#waitingBytes)
    this.#waitingBytes -= settled
    this.#desk.settle(settled)
    if (this.#phase === 'ended' && this.#waitingBytes === 0) this.#desk.forget(this)
    this.#stall?.refresh()
    this.relieve()
  }

  /** Nothing is recorded from now on, and the connection ends, or goes on like this. */
  failed(reason: string): void {
    this.#give()
    if (this.#phase !== 'open') return
    if (this.config.onFailure === 'continue') {
      this.#phase = 'abandoned'
      this.peer.log.emit('AUDIT_RECORDING_ABANDONED', { log: this.connectionId, reason })
      count('containerssh_audit_failures_total', { outcome: 'continued' })
      this.#begun.resolve(undefined)
      this.relieve()
    } else {
      this.#phase = 'lost'
      this.#endConnection(this.#failure(reason))
    }
  }

  /** Whoever waits for room goes on waiting. */
  #endConnection(why: Fault): void {
    this.peer.log.fault(why)
    count('containerssh_audit_failures_total', { outcome: 'ended' })
    this.#begun.resolve(why)
    this.#subject.endUnrecorded(why)
  }

  stalled(): void {
    const { stallMs: afterMs } = this.#limits
    if (this.#phase !== 'open') return
    if (this.config.onFailure === 'continue') this.failed(`nothing was stored for ${afterMs} ms`)
    else {
      const labels = { log: this.connectionId, waitingBytes: this.#waitingBytes, afterMs }
      this.#endConnection(fault('AUDIT_RECORDING_STALLED', labels))
    }
  }

  neverBegan(): void {
    if (this.#phase === 'open') this.failed(`the log did not begin within ${this.#limits.beginMs} ms`)
  }

  /** Nothing that was gathered or sent is waited for any more. */
  #give(): void {
    this.#forgetAge()
    this.#batch.take()
    this.#desk.settle(this.#waitingBytes)
    this.#waitingBytes = 0
    this.#desk.forget(this)
  }

  /** Everything was recorded. */
  end(): void {
    clearTimeout(this.#stall)
    this.#stall = undefined
    this.#blocked = undefined
    this.#desk.unblock(this)
    if (this.#phase !== 'open') return
    this.#phase = 'ended'
    this.flush()
    this.#desk.sendEnd(this.ticket)
    if (this.#waitingBytes === 0) this.#desk.forget(this)
  }
}

const stalled = (recorder: Recorder): void => recorder.stalled()
const neverBegan = (recorder: Recorder): void => recorder.neverBegan()
