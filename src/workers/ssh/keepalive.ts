/**
 * Is the client still there? A request it has to answer, every `ssh.clientAliveInterval`; after
 * `ssh.clientAliveCountMax` of them without any message from the client the connection is cut.
 */
import type { Link } from './link.ts'
import { globalRequest } from './messages.ts'
import { disconnect } from './numbers.ts'

const request = globalRequest('keepalive@openssh.com', true)

export class Keepalive {
  readonly #link: Link
  readonly #mostMissed: number
  readonly #timer: NodeJS.Timeout
  #waiting = false
  #missed = 0

  constructor(link: Link, intervalMs: number, mostMissed: number) {
    this.#link = link
    this.#mostMissed = mostMissed
    this.#timer = setInterval(tick, intervalMs, this).unref()
  }

  /** Any message: a client that uploads answers late, but it is there. */
  heard(): void {
    this.#waiting = false
    this.#missed = 0
  }

  tick(): void {
    // As long as we do not read, the client cannot be blamed.
    if (this.#link.over || this.#link.reading.paused) return
    if (this.#waiting) {
      this.#missed++
      this.#link.log.emit('SSH_KEEPALIVE_NORESP', { missed: this.#missed })
      if (this.#missed >= this.#mostMissed) {
        this.#link.disconnect(disconnect.connectionLost, 'the client does not answer')
        return
      }
    }
    this.#waiting = true
    this.#link.wire.send(request)
  }

  stop(): void {
    clearInterval(this.#timer)
  }
}

const tick = (keepalive: Keepalive): void => keepalive.tick()
