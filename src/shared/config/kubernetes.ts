/** `kubernetes`: the Kubernetes backend. */
import { idleCommand, sftpServer } from './docker.ts'
import {
  choice,
  decimal,
  duration,
  flag,
  integer,
  name,
  ours,
  podObject,
  secret,
  section,
  text,
  textMap,
  texts,
  traits,
} from './fields.ts'
import { presetMetadata, presetSpec } from './pod-presets.ts'
import { poolFields, shareFields } from './shared-fields.ts'

const connection = section({
  host: name('kubernetes.default.svc').describe('API server: host, host and port, or URL.'),
  hosts: texts([]).meta(ours('Further API servers of the same cluster, asked in turn when `host` cannot be reached.')),
  kubeconfig: text().meta(ours('Kubeconfig file, in place of all other options for the server and our credentials.')),
  context: text().meta(ours('Which context of the kubeconfig; empty: its current one.')),
  path: name('/api').describe('Path of the API.'),
  username: text().describe('Name for HTTP basic authentication.'),
  password: secret().describe('Password for HTTP basic authentication.'),
  serverName: text().describe("Name in the server's certificate, if it is not the host."),
  certFile: text().describe('File with the client certificate.'),
  keyFile: text().describe('File with its private key.'),
  cacertFile: text().describe('File with the CA certificates that the server is checked against.'),
  cert: text().describe('Client certificate as PEM text; wins over the file.'),
  key: secret().describe('Its private key as PEM text; wins over the file.'),
  cacert: text().describe('CA certificates as PEM text; win over the file.'),
  bearerToken: secret().describe('Bearer token.'),
  bearerTokenFile: text().describe('File with the bearer token, read again when it changes.'),
  insecure: flag().meta(ours("The server's certificate is not verified. For what was written for `kuberun`.")),
  qps: decimal(5).describe('Requests per second.'),
  burst: integer(10, 1).describe('Requests at once beyond that.'),
})

const pod = section({
  agentBinary: section({
    amd64: text().meta(
      ours('For nodes of this architecture; empty: the one that was built with this program, if any.'),
    ),
    arm64: text().meta(
      ours('For nodes of this architecture; empty: the one that was built with this program, if any.'),
    ),
  }).meta(ours('Files of the guest agent that a shell of the image puts into pods, when there is no `agentImage`.')),
  agentImage: text().meta(
    ours(
      'Image with our guest agent at `/usr/bin/containerssh-agent`, from which an init container copies it into pods.',
    ),
  ),
  agentMode: choice(['auto', 'image', 'inject', 'shell', 'none'], 'auto').meta(
    ours(
      'Who helps with programs in the pod: the guest agent of the `image`, ours by `inject`, the `shell` of the image, or `none`. `auto`: the first that there is.',
    ),
  ),
  agentPath: text('/usr/bin/containerssh-agent').describe('The guest agent in the image.'),
  consoleContainerNumber: integer(0, 0).describe('Which container of the pod runs programs, counted from 0.'),
  createMissingPods: flag().describe('`persistent` mode: makes the pod if there is none.'),
  disableAgent: flag().describe('The image has no guest agent: `agentMode: auto` does not look for it.'),
  disableCommand: flag().meta(ours('Only shells. For what was written for `kuberun`; today `security` says it.')),
  exposeAuthMetadataAsAnnotations: textMap().describe('Metadata of the login to annotations: key to name.'),
  exposeAuthMetadataAsEnv: textMap().describe('Metadata of the login to environment variables: key to name.'),
  exposeAuthMetadataAsLabels: textMap().describe('Metadata of the login to labels: key to name.'),
  idleCommand: texts(idleCommand).describe('Keeps the pod of a connection alive.'),
  metadata: podObject('ObjectMeta').default(presetMetadata).describe('ObjectMeta of the Kubernetes API.'),
  mode: choice(['connection', 'session', 'persistent'], 'connection').describe(
    '`connection`: one pod per connection; `session`: one per session channel; `persistent`: one that stays.',
  ),
  sftp: section({
    root: text().meta(ours('Folder of the container that is the whole of it for SFTP; needs the injected agent.')),
    readOnly: flag().meta(ours('Nothing can be written by SFTP; needs the injected agent.')),
  }).meta(ours('Bounds of the subsystem `sftp`, for clients that may not run commands.')),
  shellCommand: texts(['/bin/bash']).describe('Runs for a shell.'),
  spec: podObject('PodSpec').default(presetSpec).describe('PodSpec of the Kubernetes API.'),
  subsystems: textMap(sftpServer).describe(
    'Name to the path of one program. `sftp` may be `internal-sftp`, which is also taken if the image does not have the path.',
  ),
})

// As the Kubernetes library of the Go program read it.
traits.add(pod.unwrap(), { anyCase: true })

const perStep = () => duration(60_000, 1)
export const kubernetes = section({
  connection: connection.describe('The API server.'),
  pod: pod.describe('Pods.'),
  pool: section({
    ...poolFields('Pods'),
    parallelStarts: integer(8, 1, 1000).meta(
      ours('Pods that may be starting ahead at a time, by all workers together. Logins do not wait for them.'),
    ),
  }).meta(ours('Pods that are made ahead, so that a login finds one that runs.')),
  share: section(shareFields('pod')).meta(ours('Pods that several connections live in. Connection mode only.')),
  leaseDuration: duration(40_000, 2000).meta(
    ours('So long a worker that nobody hears of is thought alive; then other daemons remove its pods.'),
  ),
  timeouts: section({
    podStart: perStep().describe('From the login to a running pod.'),
    podStop: perStep().describe('Removing the pod.'),
    commandStart: perStep().describe('Starting a program.'),
    signal: perStep().describe('Delivering a signal.'),
    window: perStep().describe('Resizing a terminal.'),
    http: duration(15_000, 1).describe('One call.'),
  }).describe('Time limits.'),
})
