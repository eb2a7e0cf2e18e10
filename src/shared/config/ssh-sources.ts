/** `ssh.penalties` and `ssh.proxyProtocol`: sources that are trusted less than others, or more. */
import * as z from 'zod'
import { parseNetwork } from '../address.ts'
import { choice, duration, flag, integer, kinds, section } from './fields.ts'

const network = z
  .string({ error: 'is not a text' })
  .refine((text) => parseNetwork(text) !== undefined, {
    error: 'is not a network; expected e.g. "192.0.2.0/24", "2001:db8::/32", "::1", with no bits beyond the prefix',
  })
  .register(kinds, { form: 'text' })
const networkList = () => z.array(network, { error: 'is not a list' }).register(kinds, { form: 'list' }).default([])

/**
 * How long a source is refused for what its connections did: sshd_config(5), PerSourcePenalties, with its values. 0: no
 * penalty. There is none of its own for unknown users: whoever measured it would learn who exists.
 */
export const penalties = section({
  enable: flag(true),
  /** Ended after at least one failed attempt to log in. */
  authFail: duration(5000),
  /** Ended without an attempt. */
  noAuth: duration(1000),
  /** Did not log in within `ssh.loginGrace`. */
  graceExceeded: duration(10_000),
  /** Broke the protocol before it had logged in; sshd's `crash`, which costs 90 s there, is rarer than that. */
  protocolError: duration(5000),
  /** Refused for the limits of its source. Off: whoever shares an address would be locked out by a burst of the others. */
  refuseConnection: duration(0),
  /** Penalties of one source add up, to this at most. */
  max: duration(600_000, 1),
  /** A source is refused once more than this has added up. */
  min: duration(15_000),
  /** Sources with a penalty that are remembered, and what happens beyond: the shortest is forgotten, or all are refused. */
  maxSources4: integer(65_536, 1),
  maxSources6: integer(65_536, 1),
  overflow: choice(['permissive', 'deny-all'], 'permissive'),
  /**
   * Networks that get no penalties. None by default, loopback neither: behind a tunnel or a proxy that ends on this
   * machine, loopback is everybody.
   */
  exempt: networkList(),
})

export const proxyProtocol = section({
  /** Networks of proxies whose header (PROXY protocol, versions 1 and 2) tells who the client is. Empty: off. */
  trusted: networkList(),
  /** From accept() to the complete header. */
  timeout: duration(200, 10),
  /** A connection from a trusted network without a header is refused. If not, it counts as the proxy's own. */
  required: flag(true),
})
