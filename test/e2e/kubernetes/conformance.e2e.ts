import { after, before, describe } from 'node:test'
import { type Backend, tryIn } from '../../conformance/matrix.ts'
import { rows } from '../../conformance/rows.ts'
import { type Cluster, startCluster } from '../../rigs/kubernetes/cluster.ts'
import { kubernetesRoom } from './rig.ts'

/** Where Kubernetes has another word. */
const codes: Readonly<Record<string, string>> = {
  CONTAINER_REMOVE_SUCCESSFUL: 'POD_REMOVE_SUCCESSFUL',
  SIGNAL_FAILED_NO_PID: 'SIGNAL_FAILED_EXITED',
}

describe('kubernetes', { concurrency: 1 }, () => {
  let cluster: Cluster
  before(async () => {
    cluster = await startCluster()
  })
  after(async () => cluster?.[Symbol.asyncDispose]())
  const backend: Backend = {
    open: ({ mode, image }) => kubernetesRoom(cluster, { mode, image }),
    code: (name) => `KUBERNETES_${codes[name] ?? name}`,
  }
  tryIn(
    rows.filter(({ engine }) => engine === 'kubernetes'),
    backend,
  )
})
