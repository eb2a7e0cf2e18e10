/**
 * One audit log: batches in their order, one task at a time; what arrives meanwhile is one member of the file later. It
 * ends when the worker says so or is dead, and then it is closed whatever happens.
 */
import { chainStart } from '../../shared/audit/chain.ts'
import type { LogFacts } from '../../shared/audit/facts.ts'
import {
  type CopyFailure,
  type LogFile,
  type LogState,
  type LogStored,
  type LogWork,
  newLogFile,
} from '../../shared/audit/log-task.ts'
import { type Complaint, closeCopies, createCopies, syncCopies } from './copies.ts'
import { createGathered } from './gather.ts'
import type { Loads, Passenger } from './loads.ts'
import type { Place } from './place.ts'
import type { Target } from './target.ts'

/** The same for all logs. */
export interface StreamShared {
  readonly isChained: boolean
  /** PEM texts. */
  readonly hostKeys: readonly string[]
  readonly places: readonly Place[]
  /** `end`: a copy that cannot be written ends the log. */
  readonly onFailure: 'end' | 'continue'
  readonly loads: Loads
  readonly complain: Complaint
}
/** Of a worker: what all its logs keep here until it is stored. */
export interface Account {
  bytes: number
}
/** Who hears of it. */
export interface StreamEvents {
  /** So many bytes are in the file; 0: the log exists. */
  stored(bytes: number): void
  /** Nothing more is taken. Once. */
  failed(reason: string): void
  /** The worker sent what is no batch. */
  offended(what: string): void
}

export class LogStream implements Passenger {
  readonly #gathered = createGathered()
  readonly #ended = Promise.withResolvers<void>()
  /** Of each file, what is on the disk. */
  readonly #synced = new Map<string, number>()
  readonly #shared: StreamShared
  readonly #account: Account
  readonly #events: StreamEvents
  #state: LogState
  #hasFailed = false
  #isEnding = false
  /** Of the worker's last record. */
  #disconnect: bigint | undefined
  /** Files are being made or written; then these bytes are. */
  #isBusy = true
  #inTask = 0
  /** The task under way is the last. */
  #isLast = false
  #syncing: Promise<void> | undefined
  #lastClose: Promise<unknown> = Promise.resolve()
  /** The disk did not take what was written before. */
  #isBroken = false

  constructor(connectionId: string, facts: LogFacts, account: Account, shared: StreamShared, events: StreamEvents) {
    this.#shared = shared
    this.#account = account
    this.#events = events
    const folders = shared.places.map(({ folder }) => folder.path)
    const chain = shared.isChained ? chainStart : undefined
    this.#state = { connectionId, folders, files: [], fileCount: 1, chain, latest: 0n, facts }
    void this.#open(connectionId)
  }

  /** Keeps a copy until it is stored. After a failure nothing happens, after `end` nothing may come. */
  push(batch: Uint8Array): void {
    if (this.#hasFailed) return
    this.#gathered.add(batch)
    this.#account.bytes += batch.length
    this.#advance()
  }

  /** There will be no more. Resolves when the log is closed; never rejects. Idempotent. */
  end(): Promise<void> {
    if (!this.#isEnding) {
      this.#isEnding = true
      this.#advance()
    }
    return this.#ended.promise
  }

  /** Flushes to the disk what is new. Never rejects. */
  sync(): Promise<void> {
    this.#syncing ??= this.#sync().finally(() => {
      this.#syncing = undefined
    })
    return this.#syncing
  }

  get hasFailed(): boolean {
    return this.#hasFailed
  }
  /** Of the connection, as kept here. */
  get waitingBytes(): number {
    return this.#gathered.bytes + this.#inTask
  }

  async #open(name: string): Promise<void> {
    const { places, complain, onFailure } = this.#shared
    const file = await createCopies(name, places, complain)
    this.#state = { ...this.#state, files: [file], folders: file.copies.map(({ folder }) => folder) }
    this.#announce(file)
    if (file.copies.length === 0 || (file.copies.length < places.length && onFailure === 'end')) {
      this.#fail('the log cannot be created', Promise.resolve())
    } else this.#events.stored(0)
    this.#isBusy = false
    this.#advance()
  }

  #advance(): void {
    if (this.#isBusy) return
    if (this.#isBroken && !this.#hasFailed) this.#fail('flushing to the disk failed', Promise.resolve())
    if (this.#hasFailed) {
      if (this.#isEnding) void this.#lastClose.then(() => this.#ended.resolve())
    } else if (this.#gathered.bytes > 0 || this.#isEnding) {
      this.#isBusy = true
      this.#shared.loads.add(this)
    }
  }

  board(): LogWork {
    const { hostKeys } = this.#shared
    const before = this.#gathered.bytes
    const batches = this.#gathered.take()
    this.#inTask = before - this.#gathered.bytes
    this.#isLast = this.#isEnding && this.#gathered.bytes === 0
    const timestamp = this.#disconnect ?? BigInt(Date.now()) * 1_000_000n
    return { state: this.#state, batches, end: this.#isLast ? { timestamp, hostKeys } : undefined }
  }

  stored(stored: LogStored): void {
    this.#settle(stored, this.#inTask)
    this.#arrive()
  }

  lost(reason: string, idle: Promise<unknown>): void {
    for (const { name } of this.#state.files) this.#shared.complain('write', name, undefined, reason)
    this.#fail(reason, idle)
    this.#arrive()
  }

  #arrive(): void {
    this.#account.bytes -= this.#inTask
    this.#inTask = 0
    this.#isBusy = false
    if (this.#isLast && !this.#hasFailed) void this.#lastClose.then(() => this.#ended.resolve())
    else this.#advance()
  }

  #settle(stored: LogStored, bytes: number): void {
    const before = this.#state
    const { state, finished, failures, disconnect, offence } = stored
    this.#state = state
    this.#disconnect ??= disconnect
    for (const file of [...state.files, ...finished]) this.#tell(file, before)
    for (const failure of failures) this.#drop(failure, before)
    this.#close(finished, Promise.resolve())
    const isLost = failures.length > 0 && (this.#shared.onFailure === 'end' || this.#state.folders.length === 0)
    if (isLost) this.#fail(failures[0]?.reason ?? 'unknown', Promise.resolve())
    else if (bytes > 0) this.#events.stored(bytes)
    if (offence !== undefined) this.#events.offended(offence)
  }

  /** Nothing more is written. What is in the files stays, without an end: it is not all that happened. */
  #fail(reason: string, idle: Promise<unknown>): void {
    this.#hasFailed = true
    this.#account.bytes -= this.#gathered.bytes
    this.#gathered.clear()
    const { files } = this.#state
    this.#state = { ...this.#state, files: [] }
    this.#events.failed(reason)
    this.#close(files, idle)
  }

  /** Once `idle` has settled: nobody writes to them. */
  #close(files: readonly LogFile[], idle: Promise<unknown>): void {
    if (files.length === 0) return
    const { places, complain } = this.#shared
    const close = async (): Promise<void> => {
      await idle.catch(() => undefined)
      await this.#syncing
      await Promise.all(files.map((file) => closeCopies(file, places, complain)))
      for (const { name } of files) this.#synced.delete(name)
    }
    this.#lastClose = Promise.all([this.#lastClose, close()])
  }

  /** A copy that cannot be written keeps what it has. */
  #drop({ name, folder, descriptor, reason }: CopyFailure, before: LogState): void {
    this.#shared.complain(descriptor === undefined ? 'open' : 'write', name, folder, reason)
    this.#state = { ...this.#state, folders: this.#state.folders.filter((one) => one !== folder) }
    if (descriptor === undefined) return
    const bytes = before.files.find((file) => file.name === name)?.bytes ?? 0
    this.#close([{ ...newLogFile(name, [{ folder, descriptor }]), bytes }], Promise.resolve())
  }

  /** What the targets have not heard of a file. */
  #tell(file: LogFile, before: LogState): void {
    if (!this.#synced.has(file.name)) this.#announce(file)
    const { facts } = this.#state
    const isNews = facts !== before.facts
    const had = before.files.find(({ name }) => name === file.name)?.bytes ?? 0
    for (const target of this.#targets(file)) {
      if (isNews) target.described(file.name, facts)
      if (file.bytes > had) target.grown(file.name, file.bytes)
    }
  }

  #announce(file: LogFile): void {
    this.#synced.set(file.name, 0)
    for (const target of this.#targets(file)) target.opened(file.name, this.#state.facts)
  }

  #targets({ copies }: LogFile): Target[] {
    return this.#shared.places
      .filter(({ folder }) => copies.some((copy) => copy.folder === folder.path))
      .map(({ target }) => target)
  }

  async #sync(): Promise<void> {
    const { places, complain } = this.#shared
    for (const file of this.#state.files) {
      if (file.bytes === this.#synced.get(file.name)) continue
      if (await syncCopies(file, places, complain)) this.#synced.set(file.name, file.bytes)
      else this.#isBroken = this.#shared.onFailure === 'end'
    }
    if (this.#isBroken) this.#advance()
  }
}
