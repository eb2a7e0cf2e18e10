/** IP addresses and networks: one spelling for each, so that no client is two sources. */
import { BlockList, isIP, isIPv4, SocketAddress } from 'node:net'

/**
 * The address as logs, labels and limits have it: RFC 5952, without a zone (RFC 4007 section 11: a name of this machine,
 * not of the client), IPv4-mapped ones (RFC 4291 section 2.5.5.2) as IPv4. Undefined if the text is no address.
 */
export function canonicalAddress(text: string): string | undefined {
  const family = isIP(text)
  if (family === 0) return undefined
  if (family === 4) return text
  const { address } = new SocketAddress({ address: text, family: 'ipv6' })
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address
}

/** Prefix lengths in bits. */
export interface NetBlocks {
  readonly ipv4: number
  readonly ipv6: number
}

/** The network of a canonical address, e.g. `192.0.2.0/24`, or the address itself if that is the whole of it. */
export function netBlockOf(address: string, { ipv4, ipv6 }: NetBlocks): string {
  if (isIPv4(address)) return ipv4 === 32 ? address : `${masked(octets(address), 8, ipv4).join('.')}/${ipv4}`
  if (ipv6 === 128) return address
  const text = masked(groups(address), 16, ipv6).map((group) => group.toString(16))
  return `${canonicalAddress(text.join(':')) ?? address}/${ipv6}`
}

/** CIDR (RFC 4632), or one address. */
export interface Network {
  readonly address: string
  readonly bits: number
}

/** Undefined if the text is no network, or if it has bits beyond its prefix: such a network is seldom the one meant. */
export function parseNetwork(text: string): Network | undefined {
  const found = /^([0-9A-Fa-f:.]+)(?:\/(\d{1,3}))?$/.exec(text)
  const address = canonicalAddress(found?.[1] ?? '')
  if (address === undefined) return undefined
  const all = isIPv4(address) ? 32 : 128
  const bits = Number(found?.[2] ?? all)
  if (bits > all) return undefined
  const parts = isIPv4(address) ? octets(address) : groups(address)
  const rest = masked(parts, all === 32 ? 8 : 16, bits)
  return parts.every((part, index) => part === rest[index]) ? { address, bits } : undefined
}

/** Whether a canonical address is in one of the networks; those that are none are left out. */
export function networks(texts: readonly string[]): (address: string) => boolean {
  if (texts.length === 0) return () => false
  const list = new BlockList()
  for (const text of texts) {
    const network = parseNetwork(text)
    if (network !== undefined) list.addSubnet(network.address, network.bits, familyOf(network.address))
  }
  return (address) => list.check(address, familyOf(address))
}

const familyOf = (address: string): 'ipv4' | 'ipv6' => (isIPv4(address) ? 'ipv4' : 'ipv6')
const octets = (address: string): number[] => address.split('.').map(Number)

/** The eight groups of a canonical IPv6 address. */
function groups(address: string): number[] {
  const [head = '', tail] = address.split('::')
  const numbers = (text: string): number[] => (text === '' ? [] : text.split(':').flatMap(groupsOf))
  const before = numbers(head)
  if (tail === undefined) return before
  const after = numbers(tail)
  return [...before, ...new Array<number>(8 - before.length - after.length).fill(0), ...after]
}

/** The end of an address may be written as IPv4 (RFC 5952 section 5). */
function groupsOf(text: string): number[] {
  if (!text.includes('.')) return [Number.parseInt(text, 16)]
  const [a = 0, b = 0, c = 0, d = 0] = octets(text)
  return [a * 256 + b, c * 256 + d]
}

/** `parts` of `width` bits each, with all but the first `bits` cleared. */
function masked(parts: readonly number[], width: number, bits: number): number[] {
  return parts.map((part, index) => {
    const kept = Math.min(width, Math.max(0, bits - index * width))
    return part & ((2 ** width - 1) ^ (2 ** (width - kept) - 1))
  })
}
