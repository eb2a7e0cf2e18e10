/** How the service tells systemd what it does and that it lives. */
import type { Notify } from './notify.ts'

export interface Supervised {
  readonly connections: number
  /** Worker processes that take connections. */
  readonly serving: number
  /** Nobody else is let in. */
  readonly isDraining: boolean
  /** Every worker has shown within its time that its event loop turns. */
  readonly isLively: boolean
}

export interface Supervision {
  ready(): void
  reloading(): void
  reloaded(isApplied: boolean): void
  stopping(): void
  /** Another process is the service from now on. */
  handedOver(): void
}

const STATUS_MS = 5000

export function supervise(notify: Notify, service: Supervised): Supervision {
  let last = ''
  let remark = ''
  const tellStatus = (): void => {
    const { connections, serving, isDraining } = service
    const status = `${connections} connections, ${serving} workers${isDraining ? '; draining' : ''}${remark}`
    if (status !== last) notify.tell({ STATUS: status })
    last = status
  }
  const timers: NodeJS.Timeout[] = []
  const end = (): void => {
    for (const timer of timers.splice(0)) clearInterval(timer)
  }
  const feed = (): void => {
    if (service.isLively) notify.tell({ WATCHDOG: 1 })
  }
  return {
    ready() {
      notify.tell({ READY: 1, MAINPID: process.pid })
      tellStatus()
      timers.push(setInterval(tellStatus, STATUS_MS).unref())
      // sd_watchdog_enabled(3) recommends half the time; a third leaves room for a late one.
      if (notify.watchdogMs !== undefined) timers.push(setInterval(feed, notify.watchdogMs / 3).unref())
    },
    reloading() {
      last = ''
      const now = process.hrtime.bigint() / 1000n
      notify.tell({ RELOADING: 1, MONOTONIC_USEC: String(now), STATUS: 'Loading the configuration again' })
    },
    reloaded(isApplied) {
      remark = isApplied ? '' : '; the last reload failed'
      notify.tell({ READY: 1 })
      tellStatus()
    },
    stopping() {
      end()
      notify.tell({ STOPPING: 1, STATUS: `Ending ${service.connections} connections` })
    },
    handedOver() {
      end()
      notify.close()
    },
  }
}
