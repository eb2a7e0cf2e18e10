/** The section `kubernetes.connection` for a cluster of the tests. */
import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { defaults } from '../../../src/shared/config/schema.ts'
import type { ConnectionSettings } from '../../../src/workers/backends/kubernetes/credentials.ts'
import type { Cluster } from './cluster.ts'

interface Kubeconfig {
  readonly clusters: readonly [{ readonly cluster: Readonly<Record<string, string>> }]
  readonly users: readonly [{ readonly user: Readonly<Record<string, string>> }]
}

/** Of a kubeconfig with client certificates in files, such as ours. */
export function connectionTo({ kubeconfig }: Cluster): ConnectionSettings {
  const { clusters, users } = parse(readFileSync(kubeconfig, 'utf8')) as Kubeconfig
  const { cluster } = clusters[0]
  const { user } = users[0]
  return {
    ...defaults().kubernetes.connection,
    host: cluster['server'] ?? '',
    cacertFile: cluster['certificate-authority'] ?? '',
    certFile: user['client-certificate'] ?? '',
    keyFile: user['client-key'] ?? '',
    qps: 100,
    burst: 100,
  }
}
