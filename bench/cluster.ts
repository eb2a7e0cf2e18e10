/** A cluster of our own, and kubectl: what a pod costs without us. */
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { buildPrograms } from '../test/rigs/kubernetes/binary.ts'
import { startCluster } from '../test/rigs/kubernetes/cluster.ts'
import { connectionTo } from '../test/rigs/kubernetes/connection.ts'
import { operator } from '../test/rigs/kubernetes/operator.ts'
import { buildTools, type Tools } from '../test/rigs/kubernetes/tools.ts'

const idle = ['/bin/sh', '-c', "trap 'exit 0' INT TERM; while :; do sleep 3600 & wait $!; done"]
const image = 'containerssh-test/busybox:1'
const needed = ['etcd', 'containerd', 'runc', 'iptables'] as const

export interface BareCluster extends AsyncDisposable {
  /** Command line of `kubectl exec` in a pod. */
  exec(pod: string, command: string, withInput: boolean): readonly string[]
  /** Creates a pod that waits; resolves to its name once it is ready. */
  create(): Promise<string>
  remove(pod: string): Promise<void>
  /** Pods with this label (`name` or `name=value`) that are not about to go. */
  count(label: string): Promise<number>
  /** The configuration of our daemon for the same image and the same cluster. */
  config(more?: object, labels?: object): object
}

/** Builds the programs. Throws an Error that says why this machine cannot have a cluster. */
export async function prepareCluster(): Promise<Tools> {
  const { KUBECONFIG = '' } = process.env
  if (KUBECONFIG === '') {
    if (process.getuid?.() !== 0) throw new Error('a cluster of our own needs root, and KUBECONFIG names no other one')
    const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin']
    const missing = needed.filter((program) => !folders.some((folder) => existsSync(join(folder, program))))
    if (missing.length > 0) throw new Error(`a cluster of our own needs ${missing.join(', ')}`)
    await buildPrograms()
  }
  return await buildTools()
}

/** Throws an Error when this machine cannot have a cluster. */
export async function bareCluster(): Promise<BareCluster> {
  const { kubectl } = await prepareCluster()
  const cluster = await startCluster()
  const admin = await operator(cluster.kubeconfig)
  let made = 0
  return {
    exec: (pod, command, withInput) => [
      ...[kubectl, '--kubeconfig', cluster.kubeconfig, 'exec', ...(withInput ? ['-i'] : []), pod],
      ...['--', '/bin/sh', '-c', command],
    ],
    async create() {
      made += 1
      const name = `bench-${process.pid}-${made}`
      await admin.kubectl(
        'run',
        name,
        '--image',
        image,
        '--restart=Never',
        '--grace-period=1',
        '--command',
        '--',
        ...idle,
      )
      await admin.kubectl('wait', `pod/${name}`, '--for=condition=Ready', '--timeout=60s')
      return name
    },
    remove: async (pod) => void (await admin.kubectl('delete', 'pod', pod, '--now')),
    async count(label) {
      const pods = await admin.objects('pods', '-l', label)
      return pods.filter(({ metadata }) => metadata.deletionTimestamp === undefined).length
    },
    config: (more = {}, labels = {}) => ({
      kubernetes: {
        ...more,
        connection: { ...connectionTo(cluster), qps: 1000, burst: 1000 },
        pod: {
          metadata: { namespace: 'default', generateName: 'bench-ours-', labels },
          spec: { containers: [{ name: 'shell', image, imagePullPolicy: 'Never' }] },
          disableAgent: true,
          shellCommand: ['/bin/sh'],
          idleCommand: idle,
        },
      },
    }),
    [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose](),
  }
}
