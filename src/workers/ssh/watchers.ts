/** Those who see what the session channels of one connection put out. Exists only while there are any. */
import type { WindowSize } from '../ports.ts'
import type { ChannelEnd } from './channel-end.ts'
import type { Link } from './link.ts'

export interface Watcher {
  /** `stream` 1: standard output, 2: standard error. The bytes are lent. */
  take(channel: number, stream: 1 | 2, bytes: Uint8Array): void
  sized(channel: number, size: WindowSize): void
}

export class Watchers {
  readonly #watchers = new Set<Watcher>()

  get size(): number {
    return this.#watchers.size
  }

  opened({ id, type, output }: ChannelEnd): void {
    if (type !== 'session') return
    output.tap = (stream, bytes) => {
      for (const watcher of this.#watchers) watcher.take(id, stream, bytes)
    }
  }

  sized(channel: number, size: WindowSize): void {
    for (const watcher of this.#watchers) watcher.sized(channel, size)
  }

  add(watcher: Watcher): void {
    this.#watchers.add(watcher)
  }
  remove(watcher: Watcher): void {
    this.#watchers.delete(watcher)
  }
}

/** The watcher hears of the terminals that there are at once. */
export function addWatcher(link: Link, watcher: Watcher): void {
  const channels = [...(link.service?.channels.values() ?? [])]
  if (link.watchers === undefined) {
    link.watchers = new Watchers()
    for (const channel of channels) link.watchers.opened(channel)
  }
  link.watchers.add(watcher)
  for (const { id, doing } of channels) if (doing.size !== undefined) watcher.sized(id, doing.size)
}

export function removeWatcher(link: Link, watcher: Watcher): void {
  link.watchers?.remove(watcher)
  if (link.watchers?.size !== 0) return
  link.watchers = undefined
  for (const { output } of link.service?.channels.values() ?? []) output.tap = undefined
}
