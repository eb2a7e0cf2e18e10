/** `docker`: the Docker backend. */

import { containerConfig, hostConfig, networkingConfig, platform, registryAuth } from './docker-objects.ts'
import { choice, duration, flag, integer, name, ours, secret, section, text, textMap, texts, traits } from './fields.ts'
import { poolFields, shareFields } from './shared-fields.ts'

export const guestImage = 'containerssh/containerssh-guest-image'
export const idleCommand = ['/usr/bin/containerssh-agent', 'wait-signal', '--signal', 'INT', '--signal', 'TERM']
export const sftpServer = { sftp: '/usr/lib/openssh/sftp-server' }

const execution = section({
  container: containerConfig
    .default({ Image: guestImage })
    .describe(
      'Container of the Docker Engine API. Given at all, it is the whole object: without its image the default one does not come back.',
    ),
  host: hostConfig.optional().describe('HostConfig of the Docker Engine API.'),
  network: networkingConfig.optional().describe('NetworkingConfig of the Docker Engine API.'),
  platform: platform.optional().describe('Platform of the image.'),
  containername: text().describe('Name of the container. Two of the same name cannot exist at a time.'),
  auth: registryAuth.optional().describe('Credentials for the registry of the image.'),
  mode: choice(['connection', 'session'], 'connection').describe(
    '`connection`: one container per connection; `session`: one per session channel.',
  ),
  idleCommand: texts(idleCommand).describe('Keeps the container of a connection alive.'),
  shellCommand: texts(['/bin/bash']).describe('Runs for a shell.'),
  agentPath: text('/usr/bin/containerssh-agent').describe('The guest agent in the image.'),
  disableAgent: flag().describe('The image has no guest agent: `agentMode: auto` does not look for it.'),
  agentMode: choice(['auto', 'image', 'inject', 'shell', 'none'], 'auto').meta(
    ours(
      'Who helps with programs in the container: the guest agent of the `image`, ours by `inject`, the `shell` of the image, or `none`. `auto`: the first that there is.',
    ),
  ),
  agentBinary: section({
    amd64: text().meta(
      ours('For images of this architecture; empty: the one that was built with this program, if any.'),
    ),
    arm64: text().meta(
      ours('For images of this architecture; empty: the one that was built with this program, if any.'),
    ),
  }).meta(ours('Files of the guest agent that is put into containers, read-only, at `/.containerssh/agent`.')),
  directStreams: flag(true).meta(
    ours(
      'Where the engine is on this machine, the streams of programs without a terminal go past it, through a folder that containers have mounted at `/.containerssh-streams`. Connection mode only.',
    ),
  ),
  subsystems: textMap(sftpServer).describe(
    'Name to the path of one program. A given map replaces the default. `sftp` may be `internal-sftp`, which is also taken if the image does not have the path.',
  ),
  sftp: section({
    root: text().meta(
      ours('Folder of the container that is the whole of it for SFTP and `scp -O`; needs `agentBinary`.'),
    ),
    readOnly: flag().meta(ours('Nothing can be written by SFTP and `scp -O`; needs `agentBinary`.')),
  }).meta(ours('Bounds of the subsystem `sftp`, for clients that may not run commands.')),
  disableCommand: flag().meta(ours('Only shells. For what was written for `dockerrun`; today `security` says it.')),
  imagePullPolicy: choice(['Always', 'IfNotPresent', 'Never'], 'IfNotPresent').describe('When the image is pulled.'),
  pullProgress: flag(true).meta(ours('Users are told on standard error about a pull that takes longer than a second.')),
  exposeAuthMetadataAsEnv: flag().describe(
    'All metadata of the login become environment variables, sensitive ones too.',
  ),
  metadataAsEnv: textMap().meta(ours('Metadata of the login that become environment variables: key to name.')),
})
// The Go program's library writes the container's objects below `Launch` when it writes JSON.
traits.add(execution.unwrap(), { aliases: { containerName: 'containername' }, inline: 'launch' })

const perStep = () => duration(60_000, 1)
export const docker = section({
  connection: section({
    host: name('unix:///var/run/docker.sock').describe('The engine: `unix://`, `npipe://`, `tcp://`, `http(s)://`.'),
    cacert: text().describe('CA certificate as PEM text. TLS is used if all three are given.'),
    cert: text().describe('Client certificate as PEM text.'),
    key: secret().describe('Its private key as PEM text.'),
  }).describe('The engine.'),
  execution: execution.describe('Containers.'),
  pool: section(poolFields('Containers')).meta(
    ours('Containers that are made ahead, so that a login finds one that runs.'),
  ),
  share: section(shareFields('container')).meta(
    ours('Containers that several connections live in. Connection mode only.'),
  ),
  parallelStarts: integer(4, 1, 1000).meta(
    ours(
      'Containers that the engine is asked to start at a time, and as many to remove, by all workers together. Others wait.',
    ),
  ),
  timeouts: section({
    imagePull: duration(300_000, 1).meta(ours('Pulling the image.')),
    containerStart: perStep().describe('From the login to a running container, without pulling its image.'),
    containerStop: perStep().describe('Removing the container.'),
    commandStart: perStep().describe('Starting a program.'),
    signal: perStep().describe('Delivering a signal.'),
    window: perStep().describe('Resizing a terminal.'),
    http: duration(15_000, 1).describe('One call, if the engine is reached by TLS or HTTP.'),
  }).describe('Time limits.'),
})
