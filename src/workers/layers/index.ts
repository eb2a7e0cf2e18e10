/** The layers that a connection meets on its way to the room. One list, outermost first. */
import type { Config, SecurityConfig } from '../../shared/config/index.ts'
import { type Connection, type Layer, type Peer, stack } from '../ports.ts'
import type { Webhooks } from '../webhook/index.ts'
import { authentication } from './authentication.ts'
import { authorization } from './authorization.ts'
import { configuration } from './configuration.ts'
import { core, type RoomOf } from './core.ts'
import { limits } from './limits.ts'
import { required } from './required.ts'
import { security } from './security/index.ts'
import type { Users } from './users.ts'
import { webhookAuthentication } from './webhook-authentication.ts'

export interface Surroundings {
  /** Of this connection. */
  readonly audit?: Layer<Connection> | undefined
  readonly users: Users
  readonly webhooks?: Webhooks | undefined
  /** `auth.required`. */
  readonly chains?: Config['auth']['required']
  readonly roomOf: RoomOf
  readonly security: SecurityConfig
}

function layersOf(peer: Peer, surroundings: Surroundings): Layer<Connection>[] {
  const { audit, users, webhooks, chains = [] } = surroundings
  const layers: Layer<Connection>[] = []
  if (audit !== undefined) layers.push(audit)
  if (webhooks?.authz !== undefined) layers.push(authorization(webhooks.authz, peer))
  const isChained = chains.length > 0
  if (isChained) layers.push(required(chains, peer))
  layers.push(authentication(users, peer, isChained))
  if (webhooks !== undefined) layers.push(webhookAuthentication(webhooks, peer))
  layers.push(limits(users))
  if (webhooks?.configuration !== undefined) layers.push(configuration(webhooks.configuration, peer))
  layers.push(security(surroundings.security, peer))
  return layers
}

/** What one connection talks to. */
export const connectionOf = (peer: Peer, surroundings: Surroundings): Connection =>
  stack(layersOf(peer, surroundings), core(surroundings.roomOf, peer))
