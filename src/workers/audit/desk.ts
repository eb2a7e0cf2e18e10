/**
 * The audit records of all connections of a worker on their way to the primary: what is sent and not stored yet is
 * bounded, for each connection (`audit.connectionBytes`) and for all (`audit.workerBytes`). Above that, whoever moves
 * bytes waits; records of what has happened always go, and stop the reading from their client instead.
 */
import type { Config } from '../../shared/config/index.ts'
import type { Order, Report } from '../../shared/ipc/contract.ts'
import { replacerOf } from '../../shared/pattern.ts'
import { giveSpare } from '../../shared/spare-memory.ts'
import { createAges } from './ages.ts'
import type { Recorder } from './recorder.ts'

export type AuditConfig = Config['audit']

/** The link to the primary, as far as it matters here. */
export interface Courier {
  /** Copies. False: the other side is behind, until `drained` resolves. */
  send(report: Extract<Report, { kind: 'audit-open' | 'audit' | 'audit-close' }>): boolean
  drained(): Promise<void>
}

export type AuditAnswer = Extract<Order, { kind: 'audit-stored' | 'audit-failed' }>

export class Desk {
  readonly config: AuditConfig
  /** `audit.redact`. */
  readonly redacted: (text: string) => string
  readonly ages = createAges()
  readonly #courier: Courier
  readonly #recorders = new Map<number, Recorder>()
  /** Whose connections wait. */
  readonly #blocked = new Set<Recorder>()
  /** Whose batch is held back, because the link is behind. */
  readonly #held = new Set<Recorder>()
  #congested = false
  #waitingBytes = 0

  constructor(config: AuditConfig, courier: Courier) {
    this.config = config
    this.redacted = replacerOf(config.redact, '***')
    this.#courier = courier
  }

  /** Bytes that are not stored yet. */
  get waitingBytes(): number {
    return this.#waitingBytes
  }
  get full(): boolean {
    return this.#congested || this.#waitingBytes > this.config.workerBytes
  }
  get congested(): boolean {
    return this.#congested
  }

  begin(recorder: Recorder): void {
    this.#recorders.set(recorder.ticket, recorder)
    const { ticket, connectionId } = recorder
    this.#send({ kind: 'audit-open', ticket, connectionId })
  }

  answered(answer: AuditAnswer): void {
    // Of a log that nobody waits for any more.
    const recorder = this.#recorders.get(answer.ticket)
    if (recorder === undefined) return
    if (answer.kind === 'audit-failed') recorder.failed(answer.reason)
    else recorder.stored(answer.bytes)
  }

  add(bytes: number): void {
    this.#waitingBytes += bytes
  }
  settle(bytes: number): void {
    const wasFull = this.full
    this.#waitingBytes -= bytes
    if (wasFull) this.#relieve()
  }

  sendBatch(ticket: number, batch: Uint8Array): void {
    this.#send({ kind: 'audit', ticket, batch })
    giveSpare(batch)
  }
  sendEnd(ticket: number): void {
    this.#send({ kind: 'audit-close', ticket })
  }
  forget(recorder: Recorder): void {
    this.#recorders.delete(recorder.ticket)
    this.#blocked.delete(recorder)
    this.#held.delete(recorder)
  }

  block(recorder: Recorder): void {
    this.#blocked.add(recorder)
  }
  unblock(recorder: Recorder): void {
    this.#blocked.delete(recorder)
  }
  /** Until the link has caught up. */
  hold(recorder: Recorder): void {
    this.#held.add(recorder)
  }

  #send(report: Parameters<Courier['send']>[0]): void {
    if (this.#courier.send(report) || this.#congested) return
    this.#congested = true
    void this.#courier.drained().then(() => this.#caughtUp())
  }

  #caughtUp(): void {
    this.#congested = false
    const held = [...this.#held]
    this.#held.clear()
    for (const recorder of held) recorder.flush()
    this.#relieve()
  }

  /** One after the other, as long as there is room. */
  #relieve(): void {
    for (const recorder of this.#blocked) {
      if (this.full) return
      recorder.relieve()
    }
  }
}
