/** Where connections come into a worker: host keys, users and layers are made once, each handle becomes a connection. */
import type { Config } from '../../shared/config/index.ts'
import type { TcpHandle } from '../../shared/ipc/handle.ts'
import type { Log } from '../../shared/log.ts'
import { connectionOf } from '../layers/index.ts'
import { createUsers } from '../layers/users.ts'
import type { Backend } from '../ports.ts'
import { createWebhooks } from '../webhook/index.ts'
import { withCertificates } from './host-certificate.ts'
import { parseHostKey } from './host-key.ts'
import { createReception, type Reception, type ReceptionEvents } from './reception.ts'
import { addonAvailable, createTransport, wireLimitsOf } from './transport.ts'

export interface IntakeOptions {
  readonly config: Config
  /** PEM texts. */
  readonly hostKeys: readonly string[]
  /** Without labels; module, connectionId and remoteAddr are added here. */
  readonly log: Log
  readonly backend: Backend
  readonly events: ReceptionEvents
}
export type Intake = Reception<TcpHandle>

export function createIntake({ config, hostKeys, log, backend, events }: IntakeOptions): Intake {
  const own = log.with({ module: 'ssh' })
  if (!addonAvailable) own.emit('CORE_CRYPTO_ADDON_MISSING', { node: process.version })
  const keys = hostKeys.map(parseHostKey)
  const certified = withCertificates(keys, config.ssh.hostCertificates)
  const transport = createTransport(config, certified.keys, wireLimitsOf(config))
  for (const cause of [...certified.warnings, ...transport.warnings]) own.emit('CORE_CONFIG_WARNING', {}, { cause })
  const users = createUsers(config.auth, log.with({ module: 'auth' }))
  const { required: chains } = config.auth
  const webhooks = createWebhooks(config.auth)
  return createReception<TcpHandle>({
    accept: (handle) => transport.accept(handle),
    admit: (peer) => connectionOf(peer, { users, webhooks, chains, backend, security: config.security }),
    config,
    hostKeys: keys,
    log,
    events,
  })
}
