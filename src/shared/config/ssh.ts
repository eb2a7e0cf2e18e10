/** `ssh`: the server itself. */
import * as z from 'zod'
import { type AlgorithmNames, ciphers, keyExchanges, macs } from './algorithms.ts'
import { duration, flag, integer, kinds, name, ours, section, text, texts } from './fields.ts'
import { penalties, proxyProtocol } from './ssh-sources.ts'

/** One of the known names; the obsolete ones are taken out, with a warning, by `checks.ts`. */
export const algorithmList = (names: AlgorithmNames) => {
  const known = [...names.offered, ...names.obsolete] as [string, ...string[]]
  const item = z.enum(known, { error: `is not known; expected one of ${names.offered.join(', ')}` })
  item.register(kinds, { form: 'text' })
  const items = z.array(item, { error: 'is not a list' }).min(1, 'is empty; expected at least one name')
  return items.register(kinds, { form: 'list' }).default([...names.preset])
}

/** RFC 4253 section 4.2: at most 255 bytes with CR LF; no space or minus in the software version. */
const versionForm = /^SSH-2\.0-[!-,.-~]+( [A-Za-z0-9 ._-]*)?$/
export const identification = () =>
  z
    .string({ error: 'is not a text' })
    .max(253, 'is too long; expected at most 253 characters')
    .regex(versionForm, 'is not an SSH identification; expected e.g. "SSH-2.0-ContainerSSH"')
    .register(kinds, { form: 'text', emptyMeansDefault: true })
    .default('SSH-2.0-ContainerSSH')

const clientAliveInterval = duration(30_000).refine((ms) => ms <= 0 || ms >= 1000, {
  error: 'is too short; expected 0 (off) or 1s or more',
})

export const ssh = section({
  listen: name('0.0.0.0:2222').describe('Address and port; `:2222`: all addresses, `[::1]:2222`: an IPv6 one.'),
  serverVersion: identification().describe('Identification that clients see before they log in.'),
  ciphers: algorithmList(ciphers).describe('Ciphers, the preferred one first.'),
  kex: algorithmList(keyExchanges).describe('Key exchange methods, the preferred one first.'),
  macs: algorithmList(macs).describe('Message authentication codes, the preferred one first.'),
  banner: text().describe('Sent once, when the first authentication request arrives.'),
  hostkeys: texts([], true).describe(
    'Host keys, each as PEM text or the name of a file. Empty: one is made at start and written into this file.',
  ),
  hostCertificates: texts().meta(
    ours("Certificates of the host keys: each the line of a `-cert.pub` file, or the file's name."),
  ),
  clientAliveInterval: clientAliveInterval.describe('Between keepalive messages; 0: none are sent.'),
  clientAliveCountMax: integer(3, 1).describe('Keepalive messages without a sign of life that end the connection.'),
  loginGrace: duration(120_000, 1000).meta(ours('From the start of a connection to a successful login.')),
  maxConnections: integer(10_000, 1).meta(ours('Connections of this server.')),
  maxConnectionsPerSource: integer(1000, 1).meta(ours('Connections of one source.')),
  maxStartups: integer(500, 1).meta(ours('Connections that have not logged in yet.')),
  maxStartupsPerSource: integer(100, 1).meta(ours('The same of one source.')),
  maxStartupsStart: integer(300, 1).meta(
    ours(
      'From this many connections that have not logged in on, a new one is refused with a probability of `maxStartupsRate` per cent, which grows to 100 at `maxStartups`: sshd_config(5), MaxStartups. At or above `maxStartups` it means: not before that.',
    ),
  ),
  maxStartupsRate: integer(30, 1, 100).meta(ours('Per cent; see `maxStartupsStart`.')),
  sourceNetBlockIPv4: integer(32, 0, 32).meta(ours('Bits of the network that counts as one source.')),
  sourceNetBlockIPv6: integer(64, 0, 128).meta(ours('The same for IPv6; 64 bits are what one subscriber gets.')),
  penalties: penalties.meta(
    ours(
      'How long a source is refused for what its connections did: sshd_config(5), PerSourcePenalties, with its values. 0: no penalty.',
    ),
  ),
  proxyProtocol: proxyProtocol.meta(ours('Proxies in front of this server that tell the address of the client.')),
  maxAuthTries: integer(6, 1).meta(ours('Failed attempts to log in that end the connection.')),
  maxAuthRequests: integer(100, 1).meta(ours('Attempts and queries whether a key would do, all together.')),
  // RFC 4253 section 9, RFC 4344 section 3: 64 GiB is the most for a cipher with blocks of 128 bits; 1 GiB, the most
  // for all others, costs nothing that could be measured.
  rekeyBytes: integer(2 ** 30, 2 ** 20, 2 ** 36).meta(ours('New keys after so many bytes in one direction.')),
  rekeyPackets: integer(2 ** 31, 1000, 2 ** 31).meta(ours('New keys after so many packets in one direction.')),
  rekeyInterval: duration(3_600_000, 1000).meta(ours('New keys after so long.')),
  announceHostKeys: flag(true).meta(
    ours('Tells clients all host keys after the login, so that they learn new ones (OpenSSH: UpdateHostKeys).'),
  ),
})
