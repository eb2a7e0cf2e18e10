/** A Kubernetes room with one occupant, in a cluster that is up already. */
import { asFault } from '../../../src/shared/codes/fault.ts'
import { schema } from '../../../src/shared/config/schema.ts'
import { newId } from '../../../src/shared/id.ts'
import { type Identity, ownerLabel } from '../../../src/shared/identity.ts'
import { formatLine } from '../../../src/shared/log/format.ts'
import { createLog, type LogRecord } from '../../../src/shared/log.ts'
import { rooms } from '../../../src/workers/backends/index.ts'
import { type Api, createApi } from '../../../src/workers/backends/kubernetes/api.ts'
import { connect } from '../../../src/workers/backends/kubernetes/client.ts'
import { createSession } from '../../../src/workers/backends/session.ts'
import type { ConnectionId, Member, Occupant, Session } from '../../../src/workers/ports.ts'
import { record, until } from '../../rigs/daemon.ts'
import type { Cluster } from '../../rigs/kubernetes/cluster.ts'
import { connectionTo } from '../../rigs/kubernetes/connection.ts'

export interface KubernetesOptions {
  readonly mode?: 'connection' | 'session' | 'persistent'
  readonly image?: string
  /** Over those of the rig. */
  readonly pod?: Readonly<Record<string, unknown>>
  readonly connection?: Readonly<Record<string, unknown>>
  readonly timeouts?: Readonly<Record<string, number>>
  readonly owner?: string
  readonly member?: Partial<Member>
}

export interface KubernetesRig extends AsyncDisposable {
  readonly api: Api
  readonly records: readonly LogRecord[]
  readonly identity: Identity
  readonly backend: Awaited<ReturnType<NonNullable<(typeof rooms)[string]>>>
  codes(): string[]
  logged(code: string, test?: (record: LogRecord) => boolean): Promise<LogRecord>
  enter(signal?: AbortSignal): Session
  /** Names of the pods of the occupant. */
  containers(): Promise<string[]>
}

export async function kubernetesRoom(cluster: Cluster, options: KubernetesOptions = {}): Promise<KubernetesRig> {
  const config = schema.parse({
    backend: 'kubernetes',
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
    },
  })
  const records: LogRecord[] = []
  const log = createLog({
    level: 'debug',
    write(line) {
      records.push(line)
      record(formatLine(line, 'ljson').trimEnd())
    },
  })
  const connectionId = newId() as ConnectionId
  const identity: Identity = { owner: options.owner ?? ownerLabel(), instance: 'conformance' }
  const factory = rooms['kubernetes']
  if (factory === undefined) throw new Error('there is no kubernetes room')
  const backend = await factory(config, identity, log).catch((error: unknown) => {
    log.fault(asFault(error)) // as a worker does, before it ends
    throw error
  })
  const peer = { connectionId, remoteAddress: '192.0.2.1', remotePort: 2, clientVersion: 'SSH-2.0-test', log }
  const member = {
    username: 'somebody',
    authenticatedUsername: 'somebody',
    metadata: new Map(),
    environment: new Map(),
    files: new Map(),
    ...options.member,
  }
  const occupant: Occupant = { peer, member }
  // Its connections end with the process: tests look for pods after the room has gone.
  const api = createApi(connect(connectionTo(cluster), 15_000))
  const codes = (): string[] => records.map(({ code }) => code)
  return {
    api,
    records,
    identity,
    backend,
    codes,
    logged: (code, test = () => true) =>
      until(`${code}; seen: ${codes().join(' ')}`, () => records.find((line) => line.code === code && test(line))),
    enter: (signal = new AbortController().signal) => createSession(backend, occupant, backend.open(occupant, signal)),
    async containers() {
      const found = await api.listPods(
        'default',
        `containerssh_connection_id=${connectionId}`,
        AbortSignal.timeout(5000),
      )
      return found
        .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
        .map(({ metadata }) => metadata.name)
    },
    async [Symbol.asyncDispose]() {
      await backend[Symbol.asyncDispose]()
    },
  }
}
