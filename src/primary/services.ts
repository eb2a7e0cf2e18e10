/**
 * Life cycle of the services of a process, and the pool that runs them together. A member that ends, however, ends the
 * others, and so does one that is not ready in time; stopping works in every phase and is in reverse order, so that the
 * health check tells to the last that we stop. One that does not end in time is left behind.
 */
import { type Fault, fault } from '../shared/codes/fault.ts'
import type { Log } from '../shared/log.ts'

/** Workers have half of it to start. */
const START_MS = 60_000
/** Nothing but the services with limits of their own has anything to wait for. */
const STOP_MS = 10_000

export interface Service {
  /** As in the log. */
  readonly name: string
  /** From the start of the pool until it is ready; `START_MS` by default. */
  readonly startMs?: number
  /** To end once it was told to, its own grace included; `STOP_MS` by default. */
  readonly stopMs?: number
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
  /** Tells when it is not ready in time. */
  late: NodeJS.Timeout | undefined
  isRunning: boolean
  /** It was told to end, did not, and nobody waits for it any more. */
  isLeft: boolean
  ended: Promise<void>
}

export function createPool(services: readonly Service[], parentLog: Log): Pool {
  const log = parentLog.with({ module: 'service' })
  let state: PoolState = 'stopped'
  let crash: { readonly error: unknown } | undefined
  let members: readonly Member[] = []
  let stopping: Promise<void> | undefined
  const over = Promise.withResolvers<void>()
  let tell = (): void => undefined

  const fail = (error: Fault): void => {
    log.fault(error)
    crash ??= { error }
  }
  const runs = (member: Member): void => {
    if (member.isRunning || member.isLeft) return
    clearTimeout(member.late)
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
      clearTimeout(member.late)
      member.controller.abort()
      await endOf(member)
    }
  }
  const endOf = async (member: Member): Promise<void> => {
    const { name: service, stopMs: limitMs = STOP_MS } = member.service
    const late = Promise.withResolvers<void>()
    const timer = setTimeout(() => {
      member.isLeft = true
      fail(fault('SERVICE_STOP_TIMEOUT', { service, limitMs }))
      late.resolve()
    }, limitMs)
    await Promise.race([member.ended, late.promise])
    clearTimeout(timer)
  }
  const stop = (): void => {
    if (state === 'stopped' || state === 'crashed') return
    stopping ??= stopInOrder()
    over.resolve(stopping)
  }
  const follow = async (member: Member): Promise<void> => {
    const { service, controller } = member
    log.emit('SERVICE_STARTING', { service: service.name })
    const stops = (): void => log.emit('SERVICE_STOPPING', { service: service.name })
    controller.signal.addEventListener('abort', stops, { once: true })
    const { startMs: limitMs = START_MS } = service
    member.late = setTimeout(() => {
      fail(fault('SERVICE_START_TIMEOUT', { service: service.name, limitMs }))
      stop()
    }, limitMs)
    try {
      await service.run({ stop: controller.signal, running: () => runs(member) })
      if (!member.isLeft) log.emit('SERVICE_STOPPED', { service: service.name })
    } catch (error) {
      crash ??= { error }
      if (!member.isLeft) log.emit('SERVICE_CRASHED', { service: service.name })
    } finally {
      clearTimeout(member.late)
      controller.signal.removeEventListener('abort', stops)
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
        late: undefined,
        isRunning: false,
        isLeft: false,
        ended: Promise.resolve(),
      }))
      for (const member of members) member.ended = follow(member)
      // The first that ends stops the others.
      if (members.length > 0) await over.promise
      state = crash === undefined ? 'stopped' : 'crashed'
      log.emit('SERVICE_POOL_STOPPED', {})
      return crash
    },
    stop,
  }
}
