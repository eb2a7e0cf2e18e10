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

/** There is no penalty of its own for unknown users: whoever measured it would learn who exists. */
export const penalties = section({
  enable: flag(true).describe('Off: no penalties.'),
  authFail: duration(5000).describe('Ended after at least one failed attempt to log in.'),
  noAuth: duration(1000).describe('Ended without an attempt to log in.'),
  graceExceeded: duration(10_000).describe('Did not log in within `ssh.loginGrace`.'),
  // sshd's `crash`, which costs 90 s there, is rarer than this.
  protocolError: duration(5000).describe('Broke the protocol before it had logged in.'),
  refuseConnection: duration(0).describe(
    'Refused for the limits of its source. Off by default: whoever shares an address would be locked out by a burst of the others.',
  ),
  max: duration(600_000, 1).describe('Penalties of one source add up, to this at most.'),
  min: duration(15_000).describe('A source is refused once more than this has added up.'),
  maxSources4: integer(65_536, 1).describe('IPv4 sources with a penalty that are remembered.'),
  maxSources6: integer(65_536, 1).describe('IPv6 sources with a penalty that are remembered.'),
  overflow: choice(['permissive', 'deny-all'], 'permissive').describe(
    'Beyond that number, `permissive`: the shortest penalty is forgotten; `deny-all`: all new sources are refused.',
  ),
  exempt: networkList().describe(
    'Networks that get no penalties. None by default, loopback neither: behind a tunnel or a proxy that ends on this machine, loopback is everybody.',
  ),
})

export const proxyProtocol = section({
  trusted: networkList().describe(
    'Networks of proxies whose header (PROXY protocol, versions 1 and 2) tells who the client is. Empty: off.',
  ),
  timeout: duration(200, 10).describe('From the start of a connection to the complete header.'),
  required: flag(true).describe(
    "A connection from a trusted network without a header is refused. If not, it counts as the proxy's own.",
  ),
})
