/** `docker`: the Docker backend. */

import { containerConfig, hostConfig, networkingConfig, platform, registryAuth } from './docker-objects.ts'
import { choice, duration, flag, name, secret, section, text, textMap, texts, traits } from './fields.ts'

export const guestImage = 'containerssh/containerssh-guest-image'
export const idleCommand = ['/usr/bin/containerssh-agent', 'wait-signal', '--signal', 'INT', '--signal', 'TERM']
export const sftpServer = { sftp: '/usr/lib/openssh/sftp-server' }

const execution = section({
  /** Given at all, it is the whole object: without its image the default image does not come back. */
  container: containerConfig.default({ Image: guestImage }),
  host: hostConfig.optional(),
  network: networkingConfig.optional(),
  platform: platform.optional(),
  containername: text(),
  auth: registryAuth.optional(),
  mode: choice(['connection', 'session'], 'connection'),
  idleCommand: texts(idleCommand),
  shellCommand: texts(['/bin/bash']),
  agentPath: text('/usr/bin/containerssh-agent'),
  disableAgent: flag(),
  /** Name to the path of one program. A given map replaces the default. */
  subsystems: textMap(sftpServer),
  imagePullPolicy: choice(['Always', 'IfNotPresent', 'Never'], 'IfNotPresent'),
  exposeAuthMetadataAsEnv: flag(),
})
traits.add(execution.unwrap(), { aliases: { containerName: 'containername' } })

const perStep = () => duration(60_000, 1)
export const docker = section({
  connection: section({ host: name('unix:///var/run/docker.sock'), cacert: text(), cert: text(), key: secret() }),
  execution,
  timeouts: section({
    containerStart: perStep(),
    containerStop: perStep(),
    commandStart: perStep(),
    signal: perStep(),
    window: perStep(),
    http: duration(15_000, 1),
  }),
})
