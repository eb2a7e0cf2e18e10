/** Lists of addresses that limit a key: `from=` of authorized keys, and `source-address` of certificates. */
import { BlockList, isIP } from 'node:net'
import { type Matcher, matcherOf } from './pattern.ts'

export interface AddressList {
  /** `address`: an IPv4 or IPv6 address without port or zone. */
  includes(address: string): boolean
}

/** One list for each family, because BlockList takes an IPv4 address for the IPv6 one that it can be mapped to. */
class Networks {
  readonly #ipv4 = new BlockList()
  readonly #ipv6 = new BlockList()

  /** Takes `ADDRESS` or `ADDRESS/BITS`. False when it is neither. */
  add(entry: string): boolean {
    const [address = '', bits, ...more] = entry.split('/')
    const version = isIP(address)
    if (version === 0 || address.includes('%') || more.length > 0) return false
    const longest = version === 4 ? 32 : 128
    if (bits !== undefined && !(/^\d{1,3}$/.test(bits) && Number(bits) <= longest)) return false
    const [list, family] = version === 4 ? ([this.#ipv4, 'ipv4'] as const) : ([this.#ipv6, 'ipv6'] as const)
    list.addSubnet(address, Number(bits ?? longest), family)
    return true
  }

  includes(address: string): boolean {
    const version = isIP(address)
    if (version === 0) return false
    return version === 4 ? this.#ipv4.check(address, 'ipv4') : this.#ipv6.check(address, 'ipv6')
  }
}

/**
 * Addresses and networks with commas between (PROTOCOL.certkeys, source-address).
 * @throws Error that names the entry which is none.
 */
export const parseNetworks = (list: string): AddressList => {
  const networks = new Networks()
  for (const entry of list.split(',')) {
    if (!networks.add(entry)) throw new Error(`${JSON.stringify(entry)} is no address and no network`)
  }
  return { includes: (address) => networks.includes(address) }
}

/**
 * Addresses, networks and patterns of addresses with commas between; one that begins with `!` excludes, and exclusion
 * wins (sshd(8), `from=`). Names of hosts are refused: nobody here asks the DNS, whose answers a client may control.
 * @throws Error that names the entry which cannot be used.
 */
export const parseAddressPatterns = (list: string): AddressList => {
  const [allowed, denied] = [new Networks(), new Networks()]
  const patterns: { readonly matches: Matcher; readonly denies: boolean }[] = []
  let allowsAny = false
  for (const entry of list.split(',')) {
    const denies = entry.startsWith('!')
    const text = (denies ? entry.slice(1) : entry).toLowerCase()
    allowsAny ||= !denies
    if ((denies ? denied : allowed).add(text)) continue
    if (!/^[0-9a-f.:]*[*?][0-9a-f.:*?]*$/.test(text)) {
      throw new Error(
        `${JSON.stringify(entry)} is no address, network or pattern of addresses; names are not looked up`,
      )
    }
    patterns.push({ matches: matcherOf({ glob: text }), denies })
  }
  if (!allowsAny) throw new Error('it only excludes, so it would match nobody; add e.g. "*"')
  return {
    includes(address) {
      if (isIP(address) === 0) return false
      const hits = patterns.filter(({ matches }) => matches(address))
      if (denied.includes(address) || hits.some(({ denies }) => denies)) return false
      return allowed.includes(address) || hits.length > 0
    },
  }
}
