/**
 * Who is alive, for daemons on other machines: each worker renews an object of the API, and who has not for long enough is
 * taken for dead (https://kubernetes.io/docs/concepts/architecture/leases/).
 */
import type { Log } from '../../../shared/log.ts'
import type { Client } from './client.ts'
import { ApiError, asApiError } from './failure.ts'

export interface Leases extends AsyncDisposable {
  /** Begins to renew our own in this namespace. Idempotent; never rejects. */
  hold(namespace: string): void
  /** Whether the owner has had time enough to renew and did not; false when nobody can tell. */
  isOver(namespace: string, owner: string, signal: AbortSignal): Promise<boolean>
}

interface Lease {
  readonly metadata: { readonly resourceVersion?: string }
  readonly spec?: { readonly renewTime?: string; readonly leaseDurationSeconds?: number }
}

const group = '/apis/coordination.k8s.io/v1'
const renewMs = 10_000
const durationSeconds = 40
const callMs = 8000

export function createLeases(client: Client, owner: string, log: Log): Leases {
  const held = new Map<string, NodeJS.Timeout>()
  let complained = false
  const pathOf = (namespace: string, name = ''): string =>
    `/namespaces/${encodeURIComponent(namespace)}/leases${name === '' ? '' : `/${leaseName(name)}`}`
  const ask = (call: Parameters<Client['request']>[0], signal: AbortSignal): Promise<unknown> =>
    client.request({ group, ...call }, signal)

  const renew = async (namespace: string): Promise<void> => {
    const signal = AbortSignal.timeout(callMs)
    const spec = {
      holderIdentity: owner,
      leaseDurationSeconds: durationSeconds,
      renewTime: `${new Date().toISOString().slice(0, -1)}000Z`,
    }
    const body = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: leaseName(owner) }, spec }
    const patch = { method: 'PATCH' as const, path: pathOf(namespace, owner), body: { spec } }
    try {
      await ask({ ...patch, contentType: 'application/merge-patch+json' }, signal)
    } catch (error) {
      if (!(error instanceof ApiError) || error.statusCode !== 404) throw error
      await ask({ method: 'POST', path: pathOf(namespace), body }, signal)
    }
    complained = false
  }
  const renewOrTell = (namespace: string): void => {
    renew(namespace).catch((thrown: unknown) => {
      if (complained) return
      complained = true
      const { message, statusCode } = asApiError(thrown)
      log.emit('KUBERNETES_LEASE_FAILED', { reason: message, ...(statusCode !== 0 && { statusCode }) })
    })
  }
  return {
    hold(namespace) {
      if (held.has(namespace)) return
      held.set(namespace, setInterval(renewOrTell, renewMs, namespace).unref())
      renewOrTell(namespace)
    },
    async isOver(namespace, other, signal) {
      try {
        const lease = (await ask({ method: 'GET', path: pathOf(namespace, other) }, signal)) as Lease
        const { renewTime, leaseDurationSeconds = durationSeconds } = lease.spec ?? {}
        return renewTime !== undefined && Date.parse(renewTime) + leaseDurationSeconds * 1000 < Date.now()
      } catch {
        // Whoever makes pods makes a lease first: one that is not there was given back, or its owner may not have one.
        return false
      }
    },
    async [Symbol.asyncDispose]() {
      const namespaces = [...held.keys()]
      for (const timer of held.values()) clearInterval(timer)
      held.clear()
      const signal = AbortSignal.timeout(callMs)
      await Promise.all(
        namespaces.map((one) => ask({ method: 'DELETE', path: pathOf(one, owner) }, signal).catch(() => undefined)),
      )
    },
  }
}

const leaseName = (owner: string): string => `containerssh-${owner}`
