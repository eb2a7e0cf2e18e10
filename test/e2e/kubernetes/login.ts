/** A daemon whose users get pods, one user with a key, and the OpenSSH client. */
import { type Daemon, startDaemon, until } from '../../rigs/daemon.ts'
import { adminOf } from '../../rigs/kubernetes/admin.ts'
import type { Cluster } from '../../rigs/kubernetes/cluster.ts'
import { connectionTo } from '../../rigs/kubernetes/connection.ts'
import { uniqueUser } from '../../rigs/login.ts'
import { type Client, client, makeKey } from '../../rigs/ssh.ts'

export interface KubernetesLogin extends AsyncDisposable {
  readonly daemon: Daemon
  readonly client: Client
  readonly user: string
  /** Names of the user's pods that are not being removed. */
  pods(): Promise<string[]>
  /** Waits until the user has no pod left, not even one that is being removed. */
  noPods(): Promise<void>
}
export interface KubernetesLoginOptions {
  readonly pod?: Readonly<Record<string, unknown>>
  readonly connection?: Readonly<Record<string, unknown>>
  readonly timeouts?: Readonly<Record<string, string>>
  /** Beside or in place of what is here; a `kubernetes` section is not made when there is a `backend`. */
  readonly config?: Readonly<Record<string, unknown>>
}

export async function kubernetesLogin(
  cluster: Cluster,
  options: KubernetesLoginOptions = {},
): Promise<KubernetesLogin> {
  const user = uniqueUser()
  const key = makeKey()
  const kubernetes = {
    connection: { ...connectionTo(cluster), ...options.connection },
    timeouts: options.timeouts ?? {},
    pod: {
      metadata: { namespace: 'default', generateName: 'login-' },
      spec: { containers: [{ name: 'shell', image: 'containerssh-test/busybox:1' }] },
      disableAgent: true,
      shellCommand: ['/bin/sh'],
      ...options.pod,
    },
  }
  const daemon = await startDaemon({
    workers: 1,
    // All clients come from one address, and many fail on purpose.
    ssh: { listen: '127.0.0.1:0', penalties: { enable: false } },
    auth: { users: [{ name: user, authorizedKeys: [key.line] }] },
    ...(options.config?.['backend'] === undefined && { backend: 'kubernetes', kubernetes }),
    ...options.config,
  })
  const admin = adminOf(cluster)
  const list = async (): Promise<{ metadata: { name: string; deletionTimestamp?: string } }[]> => {
    const query = `labelSelector=containerssh_username%3D${user}`
    return (await admin.ask('GET', `/api/v1/pods?${query}`)).items
  }
  return {
    daemon,
    user,
    client: client(daemon.port, key, user),
    pods: async () =>
      (await list()).flatMap(({ metadata }) => (metadata.deletionTimestamp === undefined ? [metadata.name] : [])),
    noPods: async () => void (await until(`no pod of ${user}`, async () => (await list()).length === 0, 60_000)),
    async [Symbol.asyncDispose]() {
      await daemon[Symbol.asyncDispose]()
      await admin[Symbol.asyncDispose]()
      key[Symbol.dispose]()
    },
  }
}
