/**
 * Sources that are refused for a while because of what their connections did: sshd_config(5), PerSourcePenalties. Memory
 * is bounded by `maxSources4` and `maxSources6`; what has expired is swept out when somebody asks, at most once a second.
 */
import { isIPv4 } from 'node:net'
import { type NetBlocks, netBlockOf, networks } from '../shared/address.ts'
import type { Config } from '../shared/config/index.ts'
import type { Offence } from '../shared/ipc/outcome.ts'

export interface Penalty {
  readonly offence: Offence | 'overflow'
  /** Until the source is welcome again; 0 if nobody knows. */
  readonly leftMs: number
}
/** A source that is refused from now on. */
export interface Sentence {
  readonly source: string
  readonly durationMs: number
}

export interface Penalties {
  /** Why this canonical address is refused now. */
  penaltyOf(address: string): Penalty | undefined
  /** A sentence if it was this offence that made the source refused. */
  punish(address: string, offence: Offence): Sentence | undefined
  /** What is remembered stays as it is. */
  configure(config: PenaltySettings, blocks: NetBlocks): void
  /** Sources remembered. */
  readonly size: number
}
type PenaltySettings = Config['ssh']['penalties']

const SWEEP_MS = 1000

export function createPenalties(
  settings: PenaltySettings,
  netBlocks: NetBlocks,
  now: () => number = () => performance.now(),
): Penalties {
  let { config, blocks, durations, exempt, deniesAll } = derive(settings, netBlocks)
  const books = [new Book(config.maxSources4), new Book(config.maxSources6)] as const
  const bookOf = (address: string): Book => (isIPv4(address) ? books[0] : books[1])
  return {
    penaltyOf(address) {
      if (!config.enable || exempt(address)) return undefined
      const book = bookOf(address)
      const time = now()
      book.sweep(time)
      if (deniesAll && book.isFull) return { offence: 'overflow', leftMs: 0 }
      const entry = book.entries.get(netBlockOf(address, blocks))
      if (entry === undefined || !entry.active || entry.expiry <= time) return undefined
      return { offence: entry.offence, leftMs: entry.expiry - time }
    },
    punish(address, offence) {
      const durationMs = durations[offence]
      if (!config.enable || durationMs <= 0 || exempt(address)) return undefined
      const book = bookOf(address)
      const time = now()
      book.sweep(time)
      if (deniesAll && book.isFull) return undefined
      const source = netBlockOf(address, blocks)
      const left = Math.max(0, (book.entries.get(source)?.expiry ?? time) - time)
      const sum = Math.min(left + durationMs, config.max)
      const wasActive = left > 0 && book.entries.get(source)?.active === true
      book.write(source, { offence, expiry: time + sum, active: wasActive || sum > config.min })
      return !wasActive && sum > config.min ? { source, durationMs: sum } : undefined
    },
    configure(next, nextBlocks) {
      ;({ config, blocks, durations, exempt, deniesAll } = derive(next, nextBlocks))
      books[0].most = config.maxSources4
      books[1].most = config.maxSources6
    },
    get size() {
      return books[0].entries.size + books[1].entries.size
    },
  }
}

function derive(config: PenaltySettings, blocks: NetBlocks) {
  const durations: Readonly<Record<Offence, number>> = {
    'auth-failed': config.authFail,
    'no-auth': config.noAuth,
    'grace-exceeded': config.graceExceeded,
    'protocol-error': config.protocolError,
    refused: config.refuseConnection,
  }
  return { config, blocks, durations, exempt: networks(config.exempt), deniesAll: config.overflow === 'deny-all' }
}

interface Entry {
  /** The last one: it is what the client is told. */
  readonly offence: Offence
  readonly expiry: number
  /** Refused; stays so until the expiry. */
  readonly active: boolean
}

/** The sources of one address family. */
class Book {
  readonly entries = new Map<string, Entry>()
  /** Entries. */
  most: number
  /** Nothing expires before this. */
  #due = Number.POSITIVE_INFINITY
  #swept = Number.NEGATIVE_INFINITY

  constructor(most: number) {
    this.most = most
  }
  get isFull(): boolean {
    return this.entries.size >= this.most
  }
  write(source: string, entry: Entry): void {
    this.entries.set(source, entry)
    this.#due = Math.min(this.#due, entry.expiry)
    if (this.entries.size > this.most) this.#makeRoom()
  }
  sweep(now: number): void {
    if (now < this.#due || now - this.#swept < SWEEP_MS) return
    this.#swept = now
    this.#due = Number.POSITIVE_INFINITY
    for (const [source, { expiry }] of this.entries) {
      if (expiry <= now) this.entries.delete(source)
      else this.#due = Math.min(this.#due, expiry)
    }
  }
  /** Forgets those that would expire first: a sixteenth at once, since they have to be sorted for it. */
  #makeRoom(): void {
    const sorted = [...this.entries].sort(([, a], [, b]) => a.expiry - b.expiry)
    const room = this.entries.size - this.most + (this.most >> 4)
    for (const [source] of sorted.slice(0, room)) this.entries.delete(source)
  }
}
