/**
 * What kube-proxy and the cluster's name server do elsewhere for the Service `kubernetes`: the API server, under the
 * name and the port that every pod knows. It listens on the address that pods have for their node.
 */
import { execFileSync } from 'node:child_process'
import { connect, createServer, type Socket } from 'node:net'
import type { OwnCluster } from './cluster.ts'

export interface ApiService extends AsyncDisposable {
  /** For `spec.hostAliases` of pods. */
  readonly hostAliases: readonly { readonly ip: string; readonly hostnames: readonly string[] }[]
  /** For their containers: the kubelet names an address there that only kube-proxy knows. */
  readonly env: readonly { readonly name: string; readonly value: string }[]
}

const name = 'kubernetes.default.svc'

/** To be disposed before the cluster is, which takes the bridge away. */
export async function apiService({ layout: { bridge, subnet, ports } }: OwnCluster): Promise<ApiService> {
  const ip = `${subnet}.1`
  // As the network plugin makes it for the first pod, which takes what is there.
  const link = (...args: string[]): void => void execFileSync('ip', args, { stdio: 'pipe' })
  link('link', 'add', 'name', bridge, 'type', 'bridge')
  link('address', 'add', `${ip}/24`, 'dev', bridge)
  link('link', 'set', bridge, 'up')
  const open = new Set<Socket>()
  const server = createServer((pod) => {
    const api = connect({ host: '127.0.0.1', port: ports.api })
    for (const [from, to] of [
      [pod, api],
      [api, pod],
    ] as const) {
      open.add(from)
      from.pipe(to)
      from.on('error', () => to.destroy()).on('close', () => open.delete(from))
    }
  })
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(443, ip, resolve))
  return {
    hostAliases: [{ ip, hostnames: [name] }],
    env: [{ name: 'KUBERNETES_SERVICE_HOST', value: name }],
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
