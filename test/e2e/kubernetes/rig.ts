import assert from 'node:assert/strict'
import { after, before } from 'node:test'
import { type Config, schema } from '../../../src/shared/config/schema.ts'
import { type Api, createApi } from '../../../src/workers/backends/kubernetes/api.ts'
import { connect } from '../../../src/workers/backends/kubernetes/client.ts'
import type { Member, Session } from '../../../src/workers/ports.ts'
import { type Inhabited, inhabit } from '../../conformance/inhabited.ts'
import { exec, talk } from '../../conformance/rig.ts'
import { type Admin, adminOf } from '../../rigs/kubernetes/admin.ts'
import { type Cluster, type StartedCluster, startCluster } from '../../rigs/kubernetes/cluster.ts'
import { connectionTo } from '../../rigs/kubernetes/connection.ts'

export interface UsedCluster extends Cluster {
  /** Who may do everything in it. */
  readonly admin: Admin
}

/**
 * The cluster of a suite: there while its tests run, and in what the suite does `before` them from here on. `images`: makes
 * what pods may have besides the images of all tests.
 */
export function useCluster(images: () => Promise<readonly string[]> = async () => []): UsedCluster {
  const stack = new AsyncDisposableStack()
  let cluster: StartedCluster | undefined
  let admin: Admin | undefined
  const started = <T>(one: T | undefined): T => {
    assert.ok(one !== undefined, 'the cluster is there for tests, not before')
    return one
  }
  before(async () => {
    cluster = stack.use(await startCluster({ images: await images() }))
    admin = stack.use(adminOf(cluster))
  })
  after(() => stack[Symbol.asyncDispose]())
  return {
    get kubeconfig() {
      return started(cluster).kubeconfig
    },
    get own() {
      return started(cluster).own
    },
    get admin() {
      return started(admin)
    },
  }
}

export interface KubernetesOptions {
  readonly mode?: 'connection' | 'session' | 'persistent'
  readonly image?: string
  /** Over those of the rig. */
  readonly pod?: Readonly<Record<string, unknown>>
  readonly connection?: Readonly<Record<string, unknown>>
  readonly timeouts?: Readonly<Record<string, number>>
  /** Beside `pod`. */
  readonly kubernetes?: Readonly<Record<string, unknown>>
  readonly owner?: string
  readonly member?: Partial<Member>
}

export interface KubernetesRig extends Inhabited {
  readonly config: Config
  readonly api: Api
  /** Names of the pods of the occupant. */
  containers(): Promise<string[]>
}

export async function kubernetesRoom(cluster: Cluster, options: KubernetesOptions = {}): Promise<KubernetesRig> {
  const config = schema.parse({
    backend: 'kubernetes',
    workers: 1,
    kubernetes: {
      connection: { ...connectionTo(cluster), ...options.connection },
      timeouts: options.timeouts ?? {},
      pod: {
        mode: options.mode ?? 'connection',
        disableAgent: true,
        shellCommand: ['/bin/sh'],
        metadata: { namespace: 'default', generateName: 'room-' },
        spec: { containers: [{ name: 'shell', image: options.image ?? 'containerssh-test/busybox:1' }] },
        ...options.pod,
      },
      ...options.kubernetes,
    },
  })
  const inhabited = await inhabit('kubernetes', config, options)
  // Its connections end with the process: tests look for pods after the room has gone.
  const api = createApi(connect(connectionTo(cluster), 15_000))
  return {
    ...inhabited,
    config,
    api,
    async containers() {
      const found = await api.listPods(
        'default',
        `containerssh_connection_id=${inhabited.occupant.peer.connectionId}`,
        AbortSignal.timeout(60_000),
      )
      return found
        .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
        .map(({ metadata }) => metadata.name)
    },
  }
}

/** For `connection`: nothing of the cluster's own settings. */
export const nothing = { host: 'kubernetes.default.svc', cacertFile: '', certFile: '', keyFile: '' }

/** A room with a session in it, both gone at the end; nothing may be left then. */
export async function inRoom(
  cluster: Cluster,
  options: KubernetesOptions,
  task: (rig: KubernetesRig, session: Session) => Promise<void>,
): Promise<void> {
  const rig = await kubernetesRoom(cluster, options)
  const session = rig.enter()
  try {
    await task(rig, session)
  } finally {
    await session[Symbol.asyncDispose]()
    await rig[Symbol.asyncDispose]()
  }
  if (options.mode !== 'persistent') assert.deepEqual(await rig.containers(), [])
}

/** The code with which a program is refused. */
export async function refusal(session: Session, command = 'true'): Promise<string> {
  const channel = await talk(session)
  const verdict = await channel.ask(exec(command))
  return verdict.accepted ? 'accepted' : verdict.fault.code
}
