/** `ssh`: the server itself. */
import * as z from 'zod'
import { type AlgorithmNames, ciphers, keyExchanges, macs } from './algorithms.ts'
import { duration, flag, integer, kinds, name, section, text, texts } from './fields.ts'
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
const serverVersion = z
  .string({ error: 'is not a text' })
  .max(253, 'is too long; expected at most 253 characters')
  .regex(versionForm, 'is not an SSH identification; expected e.g. "SSH-2.0-ContainerSSH"')
  .register(kinds, { form: 'text', emptyMeansDefault: true })
  .default('SSH-2.0-ContainerSSH')

const clientAliveInterval = duration(30_000).refine((ms) => ms <= 0 || ms >= 1000, {
  error: 'is too short; expected 0 (off) or 1s or more',
})

export const ssh = section({
  listen: name('0.0.0.0:2222'),
  serverVersion,
  ciphers: algorithmList(ciphers),
  kex: algorithmList(keyExchanges),
  macs: algorithmList(macs),
  /** Sent once, when the first authentication request arrives. */
  banner: text(),
  /** Each PEM text, or the name of a file. */
  hostkeys: texts([], true),
  /** Certificates of these host keys: the line of a `-cert.pub` file, or the file's name. */
  hostCertificates: texts(),
  /** 0: no keepalive messages; after so many without a sign of life the connection ends. */
  clientAliveInterval,
  clientAliveCountMax: integer(3, 1),
  /** From accept() to a successful login. */
  loginGrace: duration(120_000, 1000),
  /** TCP connections of this process, and of one source address. */
  maxConnections: integer(10_000, 1),
  maxConnectionsPerSource: integer(1000, 1),
  /** The same for connections that have not logged in yet. */
  maxStartups: integer(500, 1),
  maxStartupsPerSource: integer(100, 1),
  /**
   * From this many such connections on, a new one is refused with a probability of `maxStartupsRate` per cent, which
   * grows to 100 at `maxStartups`: sshd_config(5), MaxStartups. At or above `maxStartups` it means: not before that.
   */
  maxStartupsStart: integer(300, 1),
  maxStartupsRate: integer(30, 1, 100),
  /** Bits of the network that counts as one source, here and for penalties: what one subscriber gets (RFC 6177). */
  sourceNetBlockIPv4: integer(32, 0, 32),
  sourceNetBlockIPv6: integer(64, 0, 128),
  penalties,
  proxyProtocol,
  /** Failed attempts after which the connection ends. */
  maxAuthTries: integer(6, 1),
  /** Attempts and queries whether a key would do, all together. */
  maxAuthRequests: integer(100, 1),
  /**
   * New keys after so much in one direction (RFC 4253 section 9, RFC 4344 section 3). 64 GiB is the most for a cipher
   * with blocks of 128 bits; 1 GiB, the most for all others, costs nothing that could be measured.
   */
  rekeyBytes: integer(2 ** 30, 2 ** 20, 2 ** 36),
  rekeyPackets: integer(2 ** 31, 1000, 2 ** 31),
  rekeyInterval: duration(3_600_000, 1000),
  /** Tells clients all our host keys after the login, so that they learn new ones (OpenSSH: UpdateHostKeys). */
  announceHostKeys: flag(true),
})
