/** The layers that a connection meets on its way to the room. One list, outermost first. */
import { type Backend, type Connection, type Layer, type Peer, stack } from '../ports.ts'
import { authentication } from './authentication.ts'
import { core } from './core.ts'
import type { Users } from './users.ts'

export interface Surroundings {
  readonly users: Users
  readonly backend: Backend
}

const layers = (peer: Peer, { users }: Surroundings): readonly Layer<Connection>[] => [authentication(users, peer)]

/** What one connection talks to. */
export const connectionOf = (peer: Peer, surroundings: Surroundings): Connection =>
  stack(layers(peer, surroundings), core(surroundings.backend, peer))
