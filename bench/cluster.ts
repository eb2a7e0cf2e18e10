/** A cluster of our own, and kubectl: what a pod costs without us. */
import { startCluster } from '../test/rigs/kubernetes/cluster.ts'
import { connectionTo } from '../test/rigs/kubernetes/connection.ts'
import { operator } from '../test/rigs/kubernetes/operator.ts'
import { buildTools } from '../test/rigs/kubernetes/tools.ts'

const idle = ['/bin/sh', '-c', "trap 'exit 0' INT TERM; while :; do sleep 3600 & wait $!; done"]
const image = 'containerssh-test/busybox:1'

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

/** Throws an Error when this machine cannot have a cluster. */
export async function bareCluster(): Promise<BareCluster> {
  const { kubectl } = await buildTools()
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
