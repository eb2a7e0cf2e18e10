/** One cluster with all that is made once for it. Users with pods of their own kind live in the same house, each kind in a room. */
import { fault } from '../../../shared/codes/fault.ts'
import type { Identity } from '../../../shared/identity.ts'
import type { Log } from '../../../shared/log.ts'
import { createApi } from './api.ts'
import { createCleanup } from './cleanup.ts'
import { type Client, connect } from './client.ts'
import { createGuests, type Guests } from './guest.ts'
import { createLeases } from './lease.ts'
import { namespaceOf } from './pod.ts'
import { reap } from './reap.ts'
import type { KubernetesSettings, Room } from './room.ts'

export interface House extends AsyncDisposable {
  readonly guests: Guests
  /** The same room for the same object. */
  room(settings: KubernetesSettings): Room
  /** Gives the number of pods removed. Never rejects for the cluster's sake. */
  reap(signal: AbortSignal): Promise<number>
}

/** What makes a cluster another one. */
export const houseName = ({ connection, timeouts }: KubernetesSettings): string =>
  JSON.stringify([connection, timeouts.http])

/** @throws Fault KUBERNETES_CONFIG_ERROR */
export function createHouse(settings: KubernetesSettings, identity: Identity, log: Log): House {
  const client = clientOf(settings)
  if (settings.connection.insecure) log.emit('KUBERUN_INSECURE', { host: client.server })
  const api = createApi(client)
  const cleanup = createCleanup(api, settings.timeouts.podStop)
  const leases = createLeases(client, identity.owner, log)
  /** By namespace: what is reaped. */
  const seen = new Map<string, Room>()
  const rooms = new WeakMap<KubernetesSettings, Room>()
  const make = (own: KubernetesSettings): Room => {
    const room = { api, settings: own, identity, cleanup }
    const namespace = namespaceOf(own.pod)
    // Persistent pods belong to nobody.
    if (own.pod.mode !== 'persistent') leases.hold(namespace)
    if (!seen.has(namespace)) seen.set(namespace, room)
    return room
  }
  return {
    guests: createGuests(),
    room(own) {
      const room = rooms.get(own) ?? make(own)
      rooms.set(own, room)
      return room
    },
    async reap(signal) {
      let removed = 0
      for (const room of seen.values()) removed += await reap(room, leases, log, signal)
      return removed
    },
    async [Symbol.asyncDispose]() {
      await cleanup[Symbol.asyncDispose]()
      await leases[Symbol.asyncDispose]()
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
