/**
 * Life cycle of the services of a process, and the pool that runs them together. A member that ends, however, ends the
 * others; stopping works in every phase and is in reverse order, so that the health check tells to the last that we stop.
 */
import type { Log } from '../shared/log.ts'

export interface Service {
  /** As in the log. */
  readonly name: string
  /** Runs until it ends by itself or is told to by `life.stop`. A rejection is a crash. */
  run(life: Life): Promise<void>
  /** For a process that is to listen on the same socket. */
  readonly descriptor?: number | undefined
  /** What it reads from files is read again. Never rejects. */
  renew?(): Promise<void>
  /** Another process listens on the same socket: no new clients. Ends by itself, if the service is of no use without them. */
  handOver?(): void
}
export interface Life {
  /** Aborted when the service has to stop. */
  readonly stop: AbortSignal
  /** Tells that the service is ready. To be called once; later calls do nothing. */
  running(): void
}

export type PoolState = 'stopped' | 'starting' | 'running' | 'stopping' | 'crashed'

export interface Pool {
  readonly state: PoolState
  /**
   * Runs all services until the last has ended. Resolves to the first crash, or to undefined.
   * @param running called once, when all of them run
   */
  run(running?: () => void): Promise<{ readonly error: unknown } | undefined>
  /** Begins to stop; in every phase, and as often as one likes. */
  stop(): void
}

interface Member {
  readonly service: Service
  readonly controller: AbortController
  isRunning: boolean
  ended: Promise<void>
}

export function createPool(services: readonly Service[], parentLog: Log): Pool {
  const log = parentLog.with({ module: 'service' })
  let state: PoolState = 'stopped'
  let crash: { readonly error: unknown } | undefined
  let members: readonly Member[] = []
  let stopping: Promise<void> | undefined
  let tell = (): void => undefined

  const runs = (member: Member): void => {
    if (member.isRunning) return
    member.isRunning = true
    log.emit('SERVICE_RUNNING', { service: member.service.name })
    if (state !== 'starting' || !members.every((other) => other.isRunning)) return
    state = 'running'
    log.emit('SERVICE_POOL_RUNNING', {})
    tell()
  }
  const stopInOrder = async (): Promise<void> => {
    log.emit('SERVICE_POOL_STOPPING', {})
    state = 'stopping'
    for (const member of members.toReversed()) {
      member.controller.abort()
      await member.ended
    }
  }
  const stop = (): void => {
    if (state === 'stopped' || state === 'crashed') return
    stopping ??= stopInOrder()
  }
  const follow = async (member: Member): Promise<void> => {
    const { service, controller } = member
    log.emit('SERVICE_STARTING', { service: service.name })
    const stops = (): void => log.emit('SERVICE_STOPPING', { service: service.name })
    controller.signal.addEventListener('abort', stops, { once: true })
    try {
      await service.run({ stop: controller.signal, running: () => runs(member) })
      controller.signal.removeEventListener('abort', stops)
      log.emit('SERVICE_STOPPED', { service: service.name })
    } catch (error) {
      controller.signal.removeEventListener('abort', stops)
      crash ??= { error }
      log.emit('SERVICE_CRASHED', { service: service.name })
    }
    // Not within this promise, which stopping waits for.
    queueMicrotask(stop)
  }
  return {
    get state() {
      return state
    },
    async run(running = () => undefined) {
      if (state !== 'stopped' || stopping !== undefined) throw new Error('the pool runs already')
      state = 'starting'
      tell = running
      log.emit('SERVICE_POOL_STARTING', {})
      members = services.map((service) => ({
        service,
        controller: new AbortController(),
        isRunning: false,
        ended: Promise.resolve(),
      }))
      for (const member of members) member.ended = follow(member)
      await Promise.all(members.map((member) => member.ended))
      await Promise.resolve().then(() => stopping)
      state = crash === undefined ? 'stopped' : 'crashed'
      log.emit('SERVICE_POOL_STOPPED', {})
      return crash
    },
    stop,
  }
}
