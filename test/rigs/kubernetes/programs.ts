/** How each program of the cluster is started. Everything listens on loopback. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Layout {
  readonly folder: string
  readonly kube: string
  readonly ports: { readonly etcd: number; readonly etcdPeer: number; readonly api: number; readonly kubelet: number }
  /** Name of the bridge that pods are on, and the first three bytes of their network. */
  readonly bridge: string
  readonly subnet: string
}
export type Command = readonly [name: string, program: string, ...args: string[]]

export const etcd = ({ folder, ports }: Layout): Command => {
  const client = `http://127.0.0.1:${ports.etcd}`
  const peer = `http://127.0.0.1:${ports.etcdPeer}`
  return [
    'etcd',
    'etcd',
    `--data-dir=${folder}/etcd`,
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=default=${peer}`,
    '--unsafe-no-fsync',
  ]
}

export const apiserver = ({ folder, kube, ports }: Layout): Command => [
  'apiserver',
  kube,
  'kube-apiserver',
  `--etcd-servers=http://127.0.0.1:${ports.etcd}`,
  `--secure-port=${ports.api}`,
  '--bind-address=127.0.0.1',
  '--endpoint-reconciler-type=none',
  `--tls-cert-file=${folder}/pki/apiserver.crt`,
  `--tls-private-key-file=${folder}/pki/apiserver.key`,
  `--cert-dir=${folder}/apiserver`,
  `--client-ca-file=${folder}/pki/ca.crt`,
  `--token-auth-file=${folder}/pki/tokens.csv`,
  `--service-account-key-file=${folder}/pki/accounts.pub`,
  `--service-account-signing-key-file=${folder}/pki/accounts.key`,
  '--service-account-issuer=https://kubernetes.default.svc',
  '--authorization-mode=Node,RBAC',
  '--service-cluster-ip-range=10.96.0.0/24',
  `--kubelet-client-certificate=${folder}/pki/apiserver-kubelet.crt`,
  `--kubelet-client-key=${folder}/pki/apiserver-kubelet.key`,
  `--kubelet-certificate-authority=${folder}/pki/ca.crt`,
  '--kubelet-preferred-address-types=Hostname',
  '--allow-privileged=true',
  '--profiling=false',
]

export const containerd = (layout: Layout): Command => {
  const { folder, bridge, subnet } = layout
  writeFileSync(
    join(folder, 'containerd.toml'),
    `version = 2
root = "${folder}/ctd/root"
state = "${folder}/ctd/state"
disabled_plugins = ["io.containerd.internal.v1.opt"]
[grpc]
  address = "${folder}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "registry.k8s.io/pause:3.6"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "${folder}/cni/net.d"
`,
  )
  const ipam = { type: 'host-local', subnet: `${subnet}.0/24`, dataDir: `${folder}/cni/ipam` }
  const plugin = { type: 'bridge', bridge, isGateway: true, ipMasq: false, hairpinMode: true, ipam }
  writeFileSync(
    join(folder, 'cni/net.d/10-rig.conflist'),
    JSON.stringify({ cniVersion: '0.4.0', name: bridge, plugins: [plugin] }),
  )
  return ['containerd', 'containerd', '--config', `${folder}/containerd.toml`, '--log-level', 'info']
}

export const kubelet = ({ folder, kube, ports }: Layout): Command => {
  writeFileSync(
    join(folder, 'kubelet.yaml'),
    JSON.stringify({
      apiVersion: 'kubelet.config.k8s.io/v1beta1',
      kind: 'KubeletConfiguration',
      address: '127.0.0.1',
      port: ports.kubelet,
      readOnlyPort: 0,
      healthzPort: 0,
      authentication: {
        anonymous: { enabled: false },
        webhook: { enabled: false },
        x509: { clientCAFile: `${folder}/pki/ca.crt` },
      },
      authorization: { mode: 'AlwaysAllow' },
      tlsCertFile: `${folder}/pki/kubelet.crt`,
      tlsPrivateKeyFile: `${folder}/pki/kubelet.key`,
      containerRuntimeEndpoint: `unix://${folder}/containerd.sock`,
      // Keeps out of cgroups and firewall rules that are not ours.
      cgroupDriver: 'cgroupfs',
      cgroupsPerQOS: false,
      enforceNodeAllocatable: [],
      failSwapOn: false,
      makeIPTablesUtilChains: false,
      podLogsDir: `${folder}/podlogs`,
      evictionHard: {
        'memory.available': '1Mi',
        'nodefs.available': '0%',
        'imagefs.available': '0%',
        'nodefs.inodesFree': '0%',
      },
      imageGCHighThresholdPercent: 100,
      imageGCLowThresholdPercent: 99,
      nodeStatusUpdateFrequency: '2s',
      syncFrequency: '5s',
      registerNode: true,
      volumePluginDir: `${folder}/volplugins`,
      oomScoreAdj: 0,
    }),
  )
  return [
    'kubelet',
    kube,
    'kubelet',
    `--config=${folder}/kubelet.yaml`,
    `--kubeconfig=${folder}/pki/kubelet.kubeconfig`,
    `--root-dir=${folder}/kubelet`,
    `--cert-dir=${folder}/kubelet/pki`,
    // A name, because the kubelet refuses a loopback address as its own.
    '--hostname-override=localhost',
  ]
}

export const controllers = ({ folder, kube }: Layout): Command => [
  'controllers',
  kube,
  'kube-controller-manager',
  `--kubeconfig=${folder}/pki/controllers.kubeconfig`,
  `--service-account-private-key-file=${folder}/pki/accounts.key`,
  `--root-ca-file=${folder}/pki/ca.crt`,
  '--use-service-account-credentials=true',
  '--leader-elect=false',
  '--secure-port=0',
  `--cert-dir=${folder}/controllers`,
]

export const scheduler = ({ folder, kube }: Layout): Command => [
  'scheduler',
  kube,
  'kube-scheduler',
  `--kubeconfig=${folder}/pki/scheduler.kubeconfig`,
  '--leader-elect=false',
  '--secure-port=0',
  '--authentication-kubeconfig=',
  '--authorization-kubeconfig=',
]
