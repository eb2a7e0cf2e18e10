/** What we offer in a key exchange, made once per process from the configuration and the host keys. */
import { getCiphers, getHashes } from 'node:crypto'
import { sshString } from './blob.ts'
import type { HostKey } from './host-key.ts'
import { kexMethods } from './kex/methods.ts'
import { cipherInfo, macInfo } from './ssh2.ts'

/** The names under `ssh` of the configuration, best first. */
export interface AlgorithmConfig {
  readonly kex: readonly string[]
  readonly ciphers: readonly string[]
  readonly macs: readonly string[]
}

export interface Offer {
  readonly kex: readonly string[]
  /** Host key algorithms, and the key that signs with each. */
  readonly hostKeys: ReadonlyMap<string, HostKey>
  readonly ciphers: readonly string[]
  readonly macs: readonly string[]
  /** The ten name-lists of SSH_MSG_KEXINIT (RFC 4253 section 7.1). */
  readonly nameLists: Buffer
}

/** Announces strict key exchange (OpenSSH's PROTOCOL section 1.10), which stops the Terrapin attack. */
const strictKex = 'kex-strict-s-v00@openssh.com'

/**
 * Leaves out names that cannot be used here, each with a warning. Throws an Error when nothing is left of a list.
 * Of several host keys of one type the last wins.
 */
export const createOffer = (
  config: AlgorithmConfig,
  keys: readonly HostKey[],
): { readonly offer: Offer; readonly warnings: readonly string[] } => {
  const warnings: string[] = []
  const keep = (what: string, names: readonly string[], usable: (name: string) => boolean): string[] => {
    const kept = [...new Set(names)].filter(usable)
    const left = names.filter((name) => !usable(name))
    if (kept.length === 0) throw new Error(`no usable ${what} is configured: [${names.join(', ')}]`)
    if (left.length > 0) warnings.push(`${what} not available here: ${left.join(', ')}`)
    return kept
  }
  const kex = keep('key exchange', config.kex, (name) => Object.hasOwn(kexMethods, name))
  const ciphers = keep('cipher', config.ciphers, usableCipher)
  const macs = keep('MAC', config.macs, usableMac)
  const byType = new Map(keys.map((key) => [key.type, key]))
  const hostKeys = new Map([...byType.values()].flatMap((key) => key.algorithms.map((name) => [name, key])))
  if (hostKeys.size === 0) throw new Error('there is no host key')

  const compression = ['none']
  const lists = [[...kex, strictKex], [...hostKeys.keys()], ciphers, ciphers, macs, macs, compression, compression]
  const nameLists = Buffer.concat([...lists, [], []].map((names) => sshString(names.join(','))))
  return { offer: { kex, hostKeys, ciphers, macs, nameLists }, warnings }
}

function usableCipher(name: string): boolean {
  return Object.hasOwn(cipherInfo, name) && getCiphers().includes(cipherInfo[name]?.sslName ?? '')
}

function usableMac(name: string): boolean {
  return Object.hasOwn(macInfo, name) && getHashes().some((hash) => hash.toLowerCase() === macInfo[name]?.sslName)
}
