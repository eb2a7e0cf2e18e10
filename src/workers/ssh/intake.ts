/** Where connections come into a worker: host keys, users and layers are made once, each handle becomes a connection. */
import type { Config } from '../../shared/config/index.ts'
import type { Arrival, Remote, TcpHandle } from '../../shared/ipc/handle.ts'
import type { Log } from '../../shared/log.ts'
import type { Recorders } from '../audit/index.ts'
import type { Rooms } from '../backends/rooms.ts'
import { connectionOf } from '../layers/index.ts'
import { createUsers } from '../layers/users.ts'
import type { Backend, Member } from '../ports.ts'
import { createWebhooks } from '../webhook/index.ts'
import { whyNotLibsodium } from './curve25519/index.ts'
import { withCertificates } from './host-certificate.ts'
import { parseHostKey } from './host-key.ts'
import type { Incoming } from './incoming.ts'
import { createProxied, type ProxiedConnections } from './proxied.ts'
import { createReception, type Reception, type ReceptionEvents } from './reception.ts'
import { addonAvailable, createTransport, wireLimitsOf } from './transport.ts'

export interface IntakeOptions {
  readonly config: Config
  /** PEM texts. */
  readonly hostKeys: readonly string[]
  /** Without labels; module, connectionId and remoteAddr are added here. */
  readonly log: Log
  readonly backend: Backend
  /** For users whose configuration names another one. */
  readonly rooms?: Pick<Rooms, 'names' | 'open'>
  readonly events: IntakeEvents
  /** When audit is on. */
  readonly recorders?: Recorders | undefined
}
export interface IntakeEvents extends ReceptionEvents {
  /** Who is behind a trusted proxy. To be answered by `admitted` or `refuse`. */
  source(ticket: number, remote: Remote): void
}
export interface Intake extends Omit<Reception<TcpHandle>, 'serve'> {
  /** Takes ownership of the handle. `proxied`: the connection begins with a header of the PROXY protocol. */
  serve(handle: TcpHandle, ticket: number, arrival: Arrival, proxied: boolean): void
  admitted(ticket: number, country: string): void
  /** `line` is what the client reads before its connection ends. */
  refuse(ticket: number, line: string): void
}

export function createIntake({ config, hostKeys, log, backend, rooms, events, recorders }: IntakeOptions): Intake {
  const own = log.with({ module: 'ssh' })
  if (!addonAvailable) own.emit('CORE_CRYPTO_ADDON_MISSING', { node: process.version })
  const cause = whyNotLibsodium()
  const platform = `${process.platform}-${process.arch}`
  if (cause !== undefined) own.emit('CORE_LIBSODIUM_MISSING', { platform }, { cause })
  const keys = hostKeys.map(parseHostKey)
  const certified = withCertificates(keys, config.ssh.hostCertificates)
  const transport = createTransport(config, certified.keys, wireLimitsOf(config))
  for (const cause of [...certified.warnings, ...transport.warnings]) own.emit('CORE_CONFIG_WARNING', {}, { cause })
  const users = createUsers(config.auth, log.with({ module: 'auth' }))
  const { required: chains } = config.auth
  const webhooks = createWebhooks(config, rooms?.names)
  const roomOf = ({ settings }: Member): Backend | Promise<Backend> =>
    rooms === undefined || settings === undefined ? backend : rooms.open(settings.backend)
  const reception = createReception<TcpHandle | Incoming>({
    accept: (connection) => transport.accept(connection),
    admit: (peer, audit) => connectionOf(peer, { audit, users, webhooks, chains, roomOf, security: config.security }),
    record: recorders?.record,
    config,
    hostKeys: keys,
    log,
    events,
  })
  const proxied = createProxied({
    settings: config.ssh.proxyProtocol,
    log: own,
    source: events.source,
    serve: reception.serve,
    closed: (ticket) => events.closed(ticket, 'server'),
  })
  return intakeOf(reception, proxied)
}

const intakeOf = (reception: Reception<TcpHandle | Incoming>, proxied: ProxiedConnections): Intake => ({
  links: reception.links,
  serve(handle, ticket, arrival, isProxied) {
    if (isProxied) proxied.begin(handle, ticket, arrival)
    else reception.serve(handle, ticket, arrival)
  },
  admitted: proxied.admitted,
  refuse: proxied.refuse,
  get size() {
    return reception.size + proxied.size
  },
  get queued() {
    return reception.queued
  },
  async drain(signal, withinMs) {
    proxied.end()
    await reception.drain(signal, withinMs)
  },
})
