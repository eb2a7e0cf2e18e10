/** Whether a socket is read: not while the layer above pauses it, nor while the client does not take our answers. */
import type { Duplex } from 'node:stream'

export class Inflow {
  readonly #socket: Duplex
  #open = false
  #paused = false
  #blocked = false
  /** Reads so far. */
  heard = 0

  constructor(socket: Duplex) {
    this.#socket = socket
  }

  /** From now on. */
  open(): void {
    this.#open = true
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
