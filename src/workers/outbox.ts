/**
 * What one socket has to send. All packets of a tick lie side by side in one piece of memory (a slab) and leave in
 * one write; a slab that the kernel took at once is used again, so that an idle connection owns none.
 */
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { PacketTarget } from './ssh/ssh2.ts'

/** Four full packets of channel data, whose MACs are made two at a time; twice as much was not faster. */
const slabBytes = 132 * 1024
const sparesMax = 16
const spares: Buffer[] = []

interface Chunk {
  readonly slab: Buffer
  readonly used: number
}

/**
 * More than this is no keystroke, and is written when a turn of the event loop has brought nothing more: an engine's
 * stream comes in pieces of 4 KiB, and a write and the client's wake-up cost more than what is in them. Twice as much
 * then leaves in one write.
 */
const patientBytes = 2048

/** Outboxes with something to write at the end of this tick. */
let due: Outbox[] = []
/** Outboxes that wait for more to write. */
let patient: Outbox[] = []
/**
 * Outboxes that were filled because there was room: their turn comes after the event loop has looked at everybody else,
 * or one producer with a fast reader would starve all other connections.
 */
let refilled: Outbox[] = []
let makingRoom = false

function flushDue(): void {
  const now = due
  due = []
  for (const outbox of now) {
    if (outbox.bytes > patientBytes) waitForMore(outbox)
    else outbox.flush()
  }
}
function waitForMore(outbox: Outbox): void {
  if (patient.push(outbox) === 1) setImmediate(flushPatient)
}
function flushPatient(): void {
  const now = patient
  patient = []
  for (const outbox of now) {
    if (outbox.grew) waitForMore(outbox)
    else outbox.flush()
  }
}
function flushRefilled(): void {
  const now = refilled
  refilled = []
  for (const outbox of now) outbox.flush()
}

export class Outbox implements PacketTarget {
  readonly #socket: Duplex
  /** A TCP socket is finished with the bytes when its `writableLength` is 0; other streams may keep them. */
  readonly #direct: boolean
  readonly #onRoom: () => void
  /** Writes what is missing into what was put last; called before anything leaves. */
  complete: (() => void) | undefined
  #slab: Buffer | undefined
  #used = 0
  /** Filled slabs before the current one, oldest first. */
  #full: Chunk[] = []
  #flying: Chunk | undefined
  /** Calls of `#written` to come for writes that the kernel took at once. */
  #settled = 0
  #bytes = 0
  /** What `bytes` was when `grew` was asked. */
  #seenBytes = 0
  #due = false
  #ending = false
  #closed = false

  /** `onRoom` is called after bytes have left, never from inside of `put`. */
  constructor(socket: Duplex, onRoom: () => void) {
    this.#socket = socket
    this.#direct = socket instanceof Socket
    this.#onRoom = onRoom
  }

  /** Bytes that the kernel has not taken. */
  get bytes(): number {
    return this.#bytes
  }

  /** Whether there is more since the last time, or since the last flush. */
  get grew(): boolean {
    const grew = this.#bytes > this.#seenBytes
    this.#seenBytes = this.#bytes
    return grew
  }

  /** Memory for one packet, which `put` makes part of the output. Nothing else may be taken or put in between. */
  take(bytes: number): Buffer {
    if (this.#slab === undefined || this.#used + bytes > this.#slab.length) this.#turn(bytes)
    const slab = this.#slab ?? Buffer.alloc(0)
    return slab.subarray(this.#used, this.#used + bytes)
  }

  put(data: Uint8Array): void {
    if (this.#closed || this.#ending) return
    const slab = this.#slab
    const inPlace =
      slab !== undefined && data.buffer === slab.buffer && data.byteOffset === slab.byteOffset + this.#used
    if (!inPlace) this.take(data.length).set(data)
    this.#used += data.length
    this.#bytes += data.length
    this.#schedule()
  }

  flush(): void {
    this.#due = false
    this.#seenBytes = 0
    this.#send()
    if (this.#bytes === 0 && this.#slab !== undefined && this.#used === 0) this.#giveBack()
    if (this.#ending && this.#bytes === 0) this.#socket.end()
    makingRoom = true
    this.#onRoom()
    makingRoom = false
  }

  /** Ends the socket once everything before is written; what comes after is dropped. */
  end(): void {
    this.#ending = true
    this.#schedule()
  }

  /** Forgets everything. Memory that the kernel may still read is not used again. */
  close(): void {
    this.#closed = true
    this.#slab = undefined
    this.#full = []
    this.#flying = undefined
    this.#used = 0
    this.#bytes = 0
  }

  #schedule(): void {
    if (this.#due || this.#closed) return
    this.#due = true
    if (makingRoom) {
      if (refilled.push(this) === 1) setImmediate(flushRefilled)
    } else if (due.push(this) === 1) {
      process.nextTick(flushDue)
    }
  }

  /** Makes room for `bytes` at the end of the current slab, a new one if need be. */
  #turn(bytes: number): void {
    if (this.#slab !== undefined && this.#used > 0) {
      this.#full.push({ slab: this.#slab, used: this.#used })
      this.#slab = undefined
      this.#used = 0
      this.#send()
    }
    if (this.#slab !== undefined) this.#giveBack()
    this.#slab =
      bytes <= slabBytes ? (spares.pop() ?? Buffer.allocUnsafeSlow(slabBytes)) : Buffer.allocUnsafeSlow(bytes)
  }

  #giveBack(): void {
    if (this.#slab !== undefined) keep(this.#slab)
    this.#slab = undefined
  }

  /** Writes until one write has to wait: there is never more than one under way. */
  #send(): void {
    if (this.#flying === undefined && !this.#closed) this.complete?.()
    while (this.#flying === undefined && !this.#closed) {
      const chunk = this.#full.shift() ?? this.#current()
      if (chunk === undefined) return
      this.#flying = chunk
      const bytes = chunk.slab.subarray(0, chunk.used)
      this.#socket.write(this.#direct ? bytes : Buffer.from(bytes), this.#written)
      if (this.#direct && this.#socket.writableLength === 0 && !this.#socket.destroyed) {
        this.#settled++
        this.#landed()
      }
    }
  }

  #current(): Chunk | undefined {
    if (this.#slab === undefined || this.#used === 0) return undefined
    const chunk = { slab: this.#slab, used: this.#used }
    this.#slab = undefined
    this.#used = 0
    return chunk
  }

  #landed(): void {
    if (this.#flying === undefined) return
    this.#bytes -= this.#flying.used
    keep(this.#flying.slab)
    this.#flying = undefined
  }

  readonly #written = (error?: Error | null): void => {
    if (this.#settled > 0) {
      this.#settled--
      return
    }
    // The socket's own 'error' event tells the wire.
    if (error || this.#closed) return
    this.#landed()
    // Otherwise its turn comes anyway.
    if (!this.#due) this.flush()
  }
}

function keep(slab: Buffer): void {
  if (slab.length === slabBytes && spares.length < sparesMax) spares.push(slab)
}
