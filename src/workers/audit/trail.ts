/** What has to be remembered about a channel to write it down. */
import type { ChannelId } from '../ports.ts'
import type { Echo } from './echo/index.ts'

export class Trail {
  readonly id: ChannelId
  /** Nothing moves on the channel any more. */
  closed = false
  /** Of a channel with a terminal, unless what is typed unseen is recorded, too. */
  echo: Echo | undefined
  #requests = 0

  constructor(id: ChannelId) {
    this.id = id
  }

  /** The label of the next request: each one has one, also those that nobody understands. */
  nextRequest(): number {
    return this.#requests++
  }
}

/** Of one connection. */
export class Trails {
  readonly #byId = new Map<ChannelId, Trail>()

  of(id: ChannelId): Trail {
    let trail = this.#byId.get(id)
    if (trail === undefined) {
      trail = new Trail(id)
      this.#byId.set(id, trail)
    }
    return trail
  }
  close(id: ChannelId): void {
    const trail = this.#byId.get(id)
    if (trail === undefined) return
    trail.echo?.end()
    trail.closed = true
    this.#byId.delete(id)
  }
}
