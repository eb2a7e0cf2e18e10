/** Whether a socket is read: not while the layer above pauses it, nor while the client does not take our answers. */
import type { Duplex } from 'node:stream'
import type { Reader } from './incoming.ts'

export class Inflow {
  readonly #socket: Duplex
  #open = false
  #paused = false
  #blocked = false
  /** Reads so far. */
  heard = 0

  /** What somebody read from the socket before, and has left for `open`. */
  #early: Buffer | undefined

  constructor(socket: Duplex, early?: Buffer) {
    this.#socket = socket
    this.#early = early
  }

  /** From now on; the reader may close it at once. */
  open(reader: Reader): void {
    this.#open = true
    const early = this.#early
    this.#early = undefined
    if (early !== undefined && early.length > 0) reader.receive(early)
    this.#go()
  }

  /** No more of this: how the end of the socket is read is somebody else's business. */
  close(): void {
    this.#open = false
  }

  pause(): void {
    this.#paused = true
    if (this.#open) this.#socket.pause()
  }

  resume(): void {
    this.#paused = false
    this.#go()
  }

  /** While paused: one read. */
  peek(): void {
    if (this.#open && this.#paused && !this.#blocked) this.#socket.resume()
  }

  /** After each read. */
  took(): void {
    this.heard++
    if (this.#open && this.#paused) this.#socket.pause()
  }

  block(): void {
    this.#blocked = true
    if (this.#open) this.#socket.pause()
  }

  unblock(): void {
    if (!this.#blocked) return
    this.#blocked = false
    this.#go()
  }

  #go(): void {
    if (this.#open && !this.#paused && !this.#blocked) this.#socket.resume()
  }
}
