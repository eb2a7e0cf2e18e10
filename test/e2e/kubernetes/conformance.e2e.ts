import { before, describe } from 'node:test'
import { type Backend, tryIn } from '../../conformance/matrix.ts'
import { executionOf, type Row, rows } from '../../conformance/rows.ts'
import { helper } from '../../guest/program.ts'
import { type KubernetesOptions, kubernetesRoom, useCluster } from './rig.ts'

/** Where Kubernetes has another word. */
const codes: Readonly<Record<string, string>> = {
  CONTAINER_REMOVE_SUCCESSFUL: 'POD_REMOVE_SUCCESSFUL',
  SIGNAL_FAILED_NO_PID: 'SIGNAL_FAILED_EXITED',
}

let persistent = 0

/** An image without a shell gets our guest agent from another image, one with a shell by that. */
function optionsOf({ mode, image, guest, ...row }: Row): KubernetesOptions {
  const agentImage = guest === 'inject' && image === 'containerssh-test/noshell:1' ? 'containerssh-test/agent:1' : ''
  persistent += 1
  const pod = {
    ...executionOf({ mode, image, guest, ...row }),
    disableAgent: false,
    agentImage,
    ...(mode === 'persistent' && {
      createMissingPods: true,
      metadata: { namespace: 'default', name: `stays-${persistent}` },
    }),
  }
  return { mode, image, pod }
}

describe('kubernetes', { concurrency: 3 }, () => {
  before(helper)
  const cluster = useCluster()
  const backend: Backend = {
    open: (row) => kubernetesRoom(cluster, optionsOf(row)),
    code: (name) => `KUBERNETES_${codes[name] ?? name}`,
  }
  tryIn(
    rows.filter(({ engine }) => engine === 'kubernetes'),
    backend,
  )
})
