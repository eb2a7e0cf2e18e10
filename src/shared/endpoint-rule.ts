/**
 * Rules over TCP endpoints, `HOST:PORT`, for forwarding in both directions. HOST is a name, a glob over names (`*` alone
 * is every host), an IPv4 address or network, or an IPv6 address or network in brackets: `[2001:db8::/32]:443`; nothing
 * at all stands for the empty address, with which clients ask to listen on all interfaces. PORT is a number, a range
 * `8000-8999`, or `*`.
 *
 * Hosts are compared as the client wrote them. A name is never resolved, so a list that forbids addresses does not stop
 * a name that leads to one: lists that allow are the safe ones.
 */
import { BlockList, isIP } from 'node:net'
import { globMatcher } from './pattern.ts'

export interface Endpoint {
  readonly host: string
  readonly port: number
}
export type EndpointRule = (endpoint: Endpoint) => boolean

/** Longest name in the DNS (RFC 1035 section 2.3.4). */
const longestHost = 253

/** As it is compared: names have no case, and a final dot changes nothing. */
const comparable = (host: string): string => host.toLowerCase().replace(/(?<=.)\.$/, '')

/**
 * Hosts of which nobody can say what a resolver makes of them: `127.1`, `0x7f000001` and `017700000001` are 127.0.0.1 to
 * some C libraries, and names in other scripts may be folded to ASCII. They match no rule that allows, each that forbids.
 */
export function isAmbiguous(host: string): boolean {
  if (host.length > longestHost || !/^[\x21-\x7e]*$/.test(host)) return true
  return isIP(host) === 0 && /(?:^|\.)(?:\d+|0x[0-9a-f]*)\.?$/i.test(host)
}

/** The rule, or what is wrong with it, to be read after its text. */
export function parseEndpointRule(text: string): EndpointRule | string {
  const colon = text.lastIndexOf(':')
  if (colon === -1) return `is not a rule; expected HOST:PORT, ${examples}`
  const ports = parsePorts(text.slice(colon + 1))
  if (typeof ports === 'string') return ports
  const isHost = parseHost(text.slice(0, colon))
  if (typeof isHost === 'string') return isHost
  const [first, last] = ports
  return ({ host, port }) => port >= first && port <= last && isHost(comparable(host))
}
const examples = 'e.g. "db.example.com:5432", "*.example.com:443", "10.0.0.0/8:8000-8999", "[2001:db8::/32]:*"'

export function endpointRuleProblem(text: string): string | undefined {
  const rule = parseEndpointRule(text)
  return typeof rule === 'string' ? rule : undefined
}

function parsePorts(text: string): readonly [number, number] | string {
  if (text === '*') return [0, 0xffff]
  const [, first = '', last = first] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text) ?? []
  const range = [Number(first), Number(last)] as const
  if (first === '' || range[1] > 0xffff || range[0] > range[1]) {
    return 'has no port that can be; expected a number up to 65535, a range such as 8000-8999, or *'
  }
  return range
}

type HostMatcher = (host: string) => boolean

function parseHost(text: string): HostMatcher | string {
  if (text === '*') return () => true
  const bracketed = /^\[(.*)\]$/.exec(text)?.[1]
  if (bracketed !== undefined) return parseNetwork(bracketed, 'ipv6', 128)
  if (text.includes(':')) return 'has an IPv6 address without brackets; expected e.g. "[2001:db8::1]:443"'
  if (isIP(text) === 4 || text.includes('/')) return parseNetwork(text, 'ipv4', 32)
  if (!/^[\x21-\x7e]*$/.test(text) || text.length > longestHost) {
    return `has no host name in ASCII; expected HOST:PORT, ${examples}`
  }
  // As a text, `10.*` would also be the beginning of a name that anybody may register.
  if (/[*?]/.test(text) && /^[\d.*?]+$/.test(text)) {
    return 'has wildcards in an address; expected a network such as "10.0.0.0/8"'
  }
  if (isAmbiguous(text))
    return 'has half an address for a host; expected four numbers, or a network such as "10.0.0.0/8"'
  const wanted = comparable(text)
  return /[*?\\]/.test(wanted) ? globMatcher(wanted) : (host) => host === wanted
}

function parseNetwork(text: string, family: 'ipv4' | 'ipv6', bits: number): HostMatcher | string {
  const [address = '', length = String(bits), more] = text.split('/')
  const wrong = `has no ${family === 'ipv4' ? 'IPv4' : 'IPv6'} address or network; expected HOST:PORT, ${examples}`
  if (isIP(address) !== (family === 'ipv4' ? 4 : 6) || address.includes('%')) return wrong
  if (more !== undefined || !/^\d{1,3}$/.test(length) || Number(length) > bits) return wrong
  const network = new BlockList()
  network.addSubnet(address, Number(length), family)
  return (host) => {
    const version = isIP(host)
    return version !== 0 && network.check(host, version === 4 ? 'ipv4' : 'ipv6')
  }
}
