/** `kubernetes`: the Kubernetes backend. */
import { guestImage, idleCommand, sftpServer } from './docker.ts'
import {
  choice,
  decimal,
  duration,
  flag,
  foreign,
  integer,
  name,
  secret,
  section,
  text,
  textMap,
  texts,
} from './fields.ts'

const connection = section({
  host: name('kubernetes.default.svc'),
  path: name('/api'),
  username: text(),
  password: secret(),
  serverName: text(),
  certFile: text(),
  keyFile: text(),
  cacertFile: text(),
  cert: text(),
  key: secret(),
  cacert: text(),
  bearerToken: secret(),
  bearerTokenFile: text(),
  qps: decimal(5),
  burst: integer(10, 1),
})

const pod = section({
  agentPath: text('/usr/bin/containerssh-agent'),
  consoleContainerNumber: integer(0, 0),
  createMissingPods: flag(),
  disableAgent: flag(),
  exposeAuthMetadataAsAnnotations: textMap(),
  exposeAuthMetadataAsEnv: textMap(),
  exposeAuthMetadataAsLabels: textMap(),
  idleCommand: texts(idleCommand),
  /** ObjectMeta and PodSpec of the Kubernetes API, checked by its server. */
  metadata: foreign().default({ generateName: 'containerssh-', namespace: 'default' }),
  mode: choice(['connection', 'session', 'persistent'], 'connection'),
  shellCommand: texts(['/bin/bash']),
  spec: foreign().default({ containers: [{ image: guestImage, name: 'shell', resources: {} }] }),
  subsystems: textMap(sftpServer),
})

const perStep = () => duration(60_000, 1)
export const kubernetes = section({
  connection,
  pod,
  timeouts: section({
    podStart: perStep(),
    podStop: perStep(),
    commandStart: perStep(),
    signal: perStep(),
    window: perStep(),
    http: duration(15_000, 1),
  }),
})
