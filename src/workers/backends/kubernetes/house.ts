/** One cluster with all that is made once for it. Users with pods of their own kind live in the same house, each kind in a room. */
import { fault } from '../../../shared/codes/fault.ts'
import type { Identity } from '../../../shared/identity.ts'
import type { Log } from '../../../shared/log.ts'
import { createTurns } from '../../../shared/turns.ts'
import { createPools } from '../pool/pools.ts'
import { createShares } from '../share/share.ts'
import { aheadOf } from './ahead.ts'
import { createApi } from './api.ts'
import { createCleanup } from './cleanup.ts'
import { type Client, connect } from './client.ts'
import { createEnds } from './ends.ts'
import { createGuests, type Guests } from './guest.ts'
import { label } from './labels.ts'
import { createLeases } from './lease.ts'
import { namespaceOf } from './pod.ts'
import { reap, reapLabels } from './reap.ts'
import { createRegister } from './register.ts'
import type { KubernetesSettings, Room } from './room.ts'

export interface House extends AsyncDisposable {
  readonly guests: Guests
  /** Pods for this room are made ahead from now on, if its settings say so. */
  warmUp(room: Room): void
  /** The same room for the same object. */
  room(settings: KubernetesSettings): Room
  /** The room as one user has it, whose calls are in a line of their own. */
  roomFor(settings: KubernetesSettings, username: string): Room
  /** Gives the number of pods removed. Never rejects for the cluster's sake. */
  reap(signal: AbortSignal): Promise<number>
  /** Nothing is made ahead any more; what was is removed. */
  retire(): void
}

/** Pods that wait for their turn to be made ahead: far more than any pool asks for. */
const mostWaiting = 10_000
const reapMs = 60_000

/** What makes a cluster another one. */
export const houseName = ({ connection, timeouts, leaseDuration }: KubernetesSettings): string =>
  JSON.stringify([connection, timeouts.http, leaseDuration])

/** `workers`: of the daemon, each of which has its portion. @throws Fault KUBERNETES_CONFIG_ERROR */
export function createHouse(settings: KubernetesSettings, identity: Identity, workers: number, log: Log): House {
  const client = clientOf(settings)
  if (settings.connection.insecure) log.emit('KUBERUN_INSECURE', { host: client.server })
  const api = createApi(client)
  const cleanup = createCleanup(createApi(client.inLine('removal')), settings.timeouts.podStop)
  const closing = new AbortController()
  const gone = (): void => cleanup.track(reapAll(AbortSignal.any([closing.signal, AbortSignal.timeout(reapMs)])))
  const leases = createLeases(client.inLine('lease'), identity, settings.leaseDuration, log, gone)
  const guests = createGuests()
  const ends = createEnds(api, `${label.owner}=${identity.owner}`, log)
  const starts = createTurns(Math.ceil(settings.pool.parallelStarts / workers), mostWaiting)
  const pools = createPools(aheadOf({ guests, ends, starts }, log), workers, log)
  /** By namespace: what is reaped. */
  const seen = new Map<string, Room>()
  const shares = createShares(createRegister({ api, cleanup, leases }, identity, () => seen.keys()))
  const common = { api, identity, cleanup, leases, pools, shares }
  const rooms = new WeakMap<KubernetesSettings, Room>()

  const make = (own: KubernetesSettings): Room => {
    const room = { ...common, settings: own }
    const namespace = namespaceOf(own.pod)
    // Persistent pods belong to nobody.
    if (own.pod.mode !== 'persistent') void leases.hold(namespace)
    if (!seen.has(namespace)) seen.set(namespace, room)
    return room
  }
  const tendShares = async (signal: AbortSignal): Promise<number> => {
    try {
      return await shares.tend(log, signal)
    } catch (error) {
      if (!signal.aborted) log.emit('KUBERNETES_REAP_FAILED', reapLabels(error))
      return 0
    }
  }
  const reapAll = async (signal: AbortSignal): Promise<number> => {
    const abandoned = cleanup.takeAbandoned()
    let removed = await tendShares(signal)
    for (const room of seen.values()) removed += await reap(room, abandoned, log, signal)
    return removed
  }
  const roomOf: House['room'] = (own) => {
    const room = rooms.get(own) ?? make(own)
    rooms.set(own, room)
    return room
  }
  return {
    guests,
    warmUp: (room) => pools.keep(room),
    room: roomOf,
    roomFor: (own, username) => ({ ...roomOf(own), api: createApi(client.inLine(`user ${username}`)) }),
    async reap(signal) {
      const [removed] = await Promise.all([reapAll(signal), pools.tend()])
      return removed
    },
    retire: () => cleanup.track(Promise.resolve(pools[Symbol.asyncDispose]())),
    async [Symbol.asyncDispose]() {
      await pools[Symbol.asyncDispose]()
      await shares[Symbol.asyncDispose]()
      closing.abort()
      // At once: a worker has not long for its end, and pods without a lease are as good as others for a whole duration.
      await Promise.all([cleanup[Symbol.asyncDispose](), leases[Symbol.asyncDispose]()])
      await ends[Symbol.asyncDispose]()
      await api.close()
    },
  }
}

function clientOf({ connection, timeouts }: KubernetesSettings): Client {
  try {
    return connect(connection, timeouts.http)
  } catch (cause) {
    throw fault('KUBERNETES_CONFIG_ERROR', { reason: (cause as Error).message }, { cause })
  }
}
