/**
 * Is the client still there? A request it has to answer, every `ssh.clientAliveInterval`; after
 * `ssh.clientAliveCountMax` of them without a sign of life the connection is cut. Its clock is its own: it also runs
 * while the client's windows are closed, during a key exchange (in which nothing is answered, but KEXINIT is), and while
 * we do not read.
 */
import { count } from '../../shared/metric.ts'
import type { Link } from './link.ts'
import { globalRequest } from './messages.ts'
import { disconnect } from './numbers.ts'

const request = globalRequest('keepalive@openssh.com', true)

export class Keepalive {
  readonly #link: Link
  readonly #mostMissed: number
  readonly #timer: NodeJS.Timeout
  /** What `wire.heard` was at the last request. */
  #heard = 0
  #waiting = false
  #answered = false
  /** We did not read then, and looked whether there is an answer: what else there was may be older than the request. */
  #peeked = false
  #missed = 0

  constructor(link: Link, intervalMs: number, mostMissed: number) {
    this.#link = link
    this.#mostMissed = mostMissed
    this.#timer = setInterval(tick, intervalMs, this).unref()
  }

  /** The client answered one of our requests. */
  answered(): void {
    this.#answered = true
  }

  tick(): void {
    const { over, wire, reading, log } = this.#link
    if (over) return
    // Anything that came: a client that uploads answers late, but it is there.
    const alive = this.#answered || (wire.heard !== this.#heard && !this.#peeked)
    if (alive) this.#missed = 0
    else if (this.#waiting) log.emit('SSH_KEEPALIVE_NORESP', { missed: ++this.#missed })
    if (this.#missed >= this.#mostMissed) {
      count('containerssh_ssh_limits_total', { limit: 'keepalive' })
      this.#link.disconnect(disconnect.connectionLost, 'the client does not answer')
      return
    }
    this.#heard = wire.heard
    this.#answered = false
    this.#waiting = true
    this.#peeked = reading.paused
    wire.send(request)
    if (this.#peeked) wire.peek()
  }

  stop(): void {
    clearInterval(this.#timer)
  }
}

const tick = (keepalive: Keepalive): void => keepalive.tick()
