/**
 * Who is alive, for daemons on other machines: each worker renews an object of the API
 * (https://kubernetes.io/docs/concepts/architecture/leases/), and looks at those of others: see lease-watch.ts. While the
 * API server is away nobody looks, and nobody is taken for dead.
 */
import { type Identity, ownerState } from '../../../shared/identity.ts'
import type { Level } from '../../../shared/log/level.ts'
import type { Log } from '../../../shared/log.ts'
import type { FailureLabels } from '../persist.ts'
import type { Client } from './client.ts'
import { ApiError, asApiError, persist } from './failure.ts'
import { label } from './labels.ts'
import { createLeaseWatch, type LeaseWatch, type Seen } from './lease-watch.ts'

export interface Leases extends AsyncDisposable {
  /** Renews our own in this namespace from now on. False: others may not see that we are alive. Never rejects. */
  hold(namespace: string): Promise<boolean>
  /**
   * The process that a label names is gone. False when nobody can tell, and for those about whom too little has been seen
   * yet. `isLeased`: it held a lease when it left the label.
   */
  isDead(namespace: string, owner: string, isLeased: boolean): boolean
}

interface Lease {
  readonly metadata: { readonly resourceVersion: string; readonly labels?: Readonly<Record<string, string>> }
  readonly spec?: { readonly leaseDurationSeconds?: number }
}

interface Held {
  readonly timer: NodeJS.Timeout
  readonly watch: LeaseWatch
  /** The first round is over. */
  readonly tried: Promise<void>
  running: Promise<void> | undefined
  isOurs: boolean
}

const group = '/apis/coordination.k8s.io/v1'
const callMs = 8000
/** For the removal of our own, after the last round: within what the primary leaves a worker for its end. */
const endMs = 8000
const roundsInLease = 4

/** `gone`: somebody has been found to be. */
export function createLeases(
  client: Client,
  { owner }: Identity,
  durationMs: number,
  log: Log,
  gone: () => void,
): Leases {
  const namespaces = new Map<string, Held>()
  const closing = new AbortController()
  const roundMs = durationMs / roundsInLease
  let complained = false
  const pathOf = (namespace: string, name = ''): string =>
    `/namespaces/${encodeURIComponent(namespace)}/leases${name === '' ? '' : `/${leaseName(name)}`}`
  const ask = (call: Parameters<Client['request']>[0], signal: AbortSignal): Promise<unknown> =>
    client.request({ group, ...call }, signal)
  const drop = (namespace: string, who: string, signal: AbortSignal): Promise<unknown> =>
    ask({ method: 'DELETE', path: pathOf(namespace, who) }, signal)
  /** Nobody else will, if this daemon was the last. */
  const dropOurs = async (namespace: string, isThere: boolean): Promise<void> => {
    const signal = AbortSignal.timeout(endMs)
    const failed = ({ reason, statusCode }: FailureLabels, level: Level): void =>
      log.emit('KUBERNETES_LEASE_FAILED', { reason, ...(statusCode !== undefined && { statusCode }) }, { level })
    await persist(() => drop(namespace, owner, signal), {
      signal,
      retrying: (labels) => failed(labels, 'debug'),
      failed(labels, error) {
        if (error.statusCode !== 404) failed(labels, isThere ? 'warning' : 'debug')
        return error
      },
    }).catch(() => undefined) // told
  }

  const renew = async (namespace: string, signal: AbortSignal): Promise<void> => {
    const labels = { [label.owner]: owner }
    const spec = {
      holderIdentity: owner,
      leaseDurationSeconds: Math.ceil(durationMs / 1000),
      renewTime: `${new Date().toISOString().slice(0, -1)}000Z`,
    }
    const body = { metadata: { labels }, spec }
    const patch = { method: 'PATCH' as const, path: pathOf(namespace, owner), body }
    try {
      await ask({ ...patch, contentType: 'application/merge-patch+json' }, signal)
    } catch (error) {
      if (!(error instanceof ApiError) || error.statusCode !== 404) throw error
      await ask({ method: 'POST', path: pathOf(namespace), body: newLease(leaseName(owner), body) }, signal)
    }
  }
  const look = async (namespace: string, { watch }: Held, signal: AbortSignal): Promise<void> => {
    const query = { labelSelector: label.owner }
    const { items } = (await ask({ method: 'GET', path: pathOf(namespace), query }, signal)) as { items: Lease[] }
    const others = new Map(items.map((one) => [one.metadata.labels?.[label.owner] ?? '', seenIn(one)]))
    others.delete(owner)
    const isNews = watch.look(others)
    const over = [...others.keys()].filter((who) => watch.isOver(who, false) || ownerState(who) === 'dead')
    for (const who of over) await drop(namespace, who, signal).catch(() => undefined) // others look too
    if (isNews) gone()
  }
  const round = async (namespace: string, held: Held): Promise<void> => {
    try {
      const signal = AbortSignal.timeout(callMs)
      // Not given up at the end: a creation that is under way would come after the removal.
      await renew(namespace, signal)
      held.isOurs = true
      await look(namespace, held, AbortSignal.any([signal, closing.signal]))
      complained = false
    } catch (thrown) {
      if (complained || !namespaces.has(namespace)) return
      complained = true
      const { message, statusCode } = asApiError(thrown)
      log.emit('KUBERNETES_LEASE_FAILED', { reason: message, ...(statusCode !== 0 && { statusCode }) })
    }
  }
  return {
    async hold(namespace) {
      const held = namespaces.get(namespace) ?? begin(namespace)
      await held.tried
      return held.isOurs
    },
    isDead(namespace, who, isLeased) {
      const state = ownerState(who)
      if (state !== 'foreign') return state === 'dead'
      return namespaces.get(namespace)?.watch.isOver(who, isLeased) === true
    },
    async [Symbol.asyncDispose]() {
      const ended = [...namespaces]
      namespaces.clear()
      closing.abort()
      for (const [, { timer }] of ended) clearInterval(timer)
      await Promise.all(
        ended.map(async ([namespace, held]) => {
          await held.running
          await dropOurs(namespace, held.isOurs)
        }),
      )
    },
  }

  function begin(namespace: string): Held {
    const tried = Promise.withResolvers<void>()
    const again = (): void => {
      held.running ??= round(namespace, held).finally(() => {
        held.running = undefined
        tried.resolve()
      })
    }
    const timer = setInterval(again, roundMs).unref()
    const watch = createLeaseWatch(roundMs, durationMs)
    const held: Held = { timer, watch, tried: tried.promise, running: undefined, isOurs: false }
    namespaces.set(namespace, held)
    again()
    return held
  }
}

const seenIn = ({ metadata, spec }: Lease): Seen => ({
  version: metadata.resourceVersion,
  durationMs: spec?.leaseDurationSeconds === undefined ? undefined : spec.leaseDurationSeconds * 1000,
})

const leaseName = (owner: string): string => `containerssh-${owner}`

const newLease = (name: string, { metadata, spec }: { metadata: object; spec: object }): object => ({
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  metadata: { name, ...metadata },
  spec,
})
