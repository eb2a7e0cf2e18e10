/**
 * Asks the configuration webhook before there is a room: what it says decides which room that is, what the layers inside
 * let pass, and how long the session may last.
 */
import type { Connection, Layer, Peer } from '../ports.ts'
import { type ConfigServer, configure } from '../webhook/configure.ts'

export const configuration =
  (server: ConfigServer, peer: Peer): Layer<Connection> =>
  (inner) => ({
    ...inner,
    async enter(member, signal) {
      const configured = await configure(server, peer, member, signal)
      if (!configured.accepted) return configured
      const verdict = await inner.enter(configured.value, signal)
      const own = configured.value.settings?.limits
      if (!verdict.accepted || own === undefined) return verdict
      return { accepted: true, value: { ...verdict.value, limits: { ...own, ...verdict.value.limits } } }
    },
  })

/** With the log level that the user's records about his room have. */
export function peerOf(peer: Peer, settings: { readonly logLevel: Peer['log']['level'] } | undefined): Peer {
  if (settings === undefined || settings.logLevel === peer.log.level) return peer
  return { ...peer, log: peer.log.at(settings.logLevel) }
}
