/** Answers what operators ask the worker, through the primary. */
import { setImmediate as turn } from 'node:timers/promises'
import type { Order, Report } from '../../shared/ipc/contract.ts'
import { type ControlOrder, controlOrders, MAX_LISTED } from '../../shared/ipc/control.ts'
import type { Link as Pipe } from '../../shared/ipc/link.ts'
import type { Link } from '../ssh/link.ts'
import { addWatcher, removeWatcher } from '../ssh/watchers.ts'
import { stateOf } from './state.ts'
import { Watch } from './watch.ts'

export interface ControlDesk {
  obey(order: ControlOrder): void
  /** Idleness is known as exactly as this is called often. */
  look(): void
}

export const isControl = (order: Order): order is ControlOrder => Object.hasOwn(controlOrders, order.kind)

/** `redacted`: of commands. */
export function createControlDesk(
  links: ReadonlySet<Link>,
  pipe: Pipe<Report>,
  redacted: (text: string) => string,
): ControlDesk {
  const watches = new Map<number, Watch>()
  const find = (ticket: number): Link | undefined => [...links].find((link) => link.ticket === ticket && !link.over)
  const done = (request: number, count: number): void => void pipe.send({ kind: 'done', request, count })

  /** In several turns of the event loop: there may be thousands. */
  const list = async (request: number): Promise<void> => {
    const all = [...links]
    for (let at = 0; at === 0 || at < all.length; at += MAX_LISTED) {
      const some = all.slice(at, at + MAX_LISTED).filter((link) => !link.over)
      const connections = some.map((link) => stateOf(link, redacted))
      const hasRoom = pipe.send({ kind: 'connections', request, last: at + MAX_LISTED >= all.length, connections })
      await (hasRoom ? turn() : pipe.drained())
    }
  }
  const watch = ({ request, ticket, watch: id, channel }: Extract<ControlOrder, { kind: 'watch' }>): void => {
    const link = find(ticket)
    done(request, link === undefined ? 0 : 1)
    if (link === undefined) return
    const watcher = new Watch(link, id, channel, pipe)
    watches.set(id, watcher)
    addWatcher(link, watcher)
  }
  const unwatch = (id: number): void => {
    const watcher = watches.get(id)
    if (watcher !== undefined) removeWatcher(watcher.link, watcher)
    watches.delete(id)
  }
  const expel = (ticket: number, text: string): number => {
    const link = find(ticket)
    link?.expel(text)
    return link === undefined ? 0 : 1
  }
  return {
    obey(order) {
      switch (order.kind) {
        case 'list':
          void list(order.request)
          return
        case 'tell':
          done(order.request, find(order.ticket)?.service?.tell(order.text, order.stderr) ?? 0)
          return
        case 'expel':
          done(order.request, expel(order.ticket, order.text))
          return
        case 'watch':
          watch(order)
          return
        case 'watch-more':
          watches.get(order.watch)?.more(order.bytes)
          return
        case 'unwatch':
          unwatch(order.watch)
          return
        default:
          order satisfies never
          throw new Error('unreachable: an order of an unknown kind')
      }
    },
    look() {
      for (const { service } of links) service?.traffic.idleMs(service.activity)
    },
  }
}
