/** Algorithm negotiation: SSH_MSG_KEXINIT, RFC 4253 section 7.1. */
import { createLru, type Lru } from '../../../shared/lru.ts'
import type { Offer } from '../algorithms.ts'
import { BlobReader, MalformedBlob } from '../blob.ts'
import { plainName } from '../certificate.ts'
import type { HostKey } from '../host-key.ts'
import { disconnectReason, ProtocolError } from '../protocol-error.ts'
import { type CipherInfo, cipherInfo, type MacInfo, macInfo } from '../ssh2.ts'
import { type KexMethod, kexMethods } from './methods.ts'

export interface ChosenCipher {
  readonly name: string
  readonly info: CipherInfo
  /** Absent when the cipher authenticates by itself. */
  readonly mac: MacInfo | undefined
}
export interface Agreement {
  readonly kexName: string
  readonly kex: KexMethod
  readonly hostKeyAlgorithm: string
  readonly hostKey: HostKey
  readonly rsaSignature: string
  readonly inbound: ChosenCipher
  readonly outbound: ChosenCipher
  /** The client understands SSH_MSG_EXT_INFO (RFC 8308). */
  readonly extInfo: boolean
  readonly strict: boolean
  /** The client has sent its next packet for a method that was not chosen: it must be ignored. */
  readonly wrongGuess: boolean
}

/** Number and cookie stand before the lists. */
const listsOffset = 1 + 16
/** Clients of one kind offer the same: what was agreed on with the last kinds, by their lists. 20 us of a login. */
const agreements = new WeakMap<Offer, Lru<string, Agreement>>()
const kindsMax = 64
const longestKind = 4096

/** `kexInit` is the whole message of the client. Throws a ProtocolError when it is malformed or nothing fits. */
export const negotiate = (kexInit: Buffer, offer: Offer): Agreement => {
  if (kexInit.length > longestKind) return agree(kexInit, offer)
  let known = agreements.get(offer)
  if (known === undefined) {
    known = createLru(kindsMax)
    agreements.set(offer, known)
  }
  const kind = kexInit.toString('latin1', listsOffset)
  let agreement = known.get(kind)
  if (agreement === undefined) {
    agreement = agree(kexInit, offer)
    known.set(kind, agreement)
  }
  return agreement
}

function agree(kexInit: Buffer, offer: Offer): Agreement {
  const lists = parse(kexInit)
  const kexName = choose('key exchange method', lists.kex, offer.kex)
  const hostKeyAlgorithm = choose('host key algorithm', lists.hostKey, [...offer.hostKeys.keys()])
  const kex = kexMethods[kexName]
  const hostKey = offer.hostKeys.get(hostKeyAlgorithm)
  if (kex === undefined || hostKey === undefined) throw new Error('an offered algorithm is not in its table')
  choose('compression from client to server', lists.compressionIn, ['none'])
  choose('compression from server to client', lists.compressionOut, ['none'])
  return {
    kexName,
    kex,
    hostKeyAlgorithm,
    hostKey,
    rsaSignature: rsaSignature(hostKeyAlgorithm, lists.hostKey),
    inbound: chooseCipher('client to server', lists.cipherIn, lists.macIn, offer),
    outbound: chooseCipher('server to client', lists.cipherOut, lists.macOut, offer),
    extInfo: lists.kex.includes('ext-info-c'),
    strict: lists.kex.includes('kex-strict-c-v00@openssh.com'),
    // Section 7: a guess is right only if both sides prefer the same method and the same host key algorithm.
    wrongGuess:
      lists.guessed && (lists.kex[0] !== offer.kex[0] || lists.hostKey[0] !== offer.hostKeys.keys().next().value),
  }
}

/** The one of the exchange when that was made with an RSA key, else the best that the client knows. Never SHA-1. */
function rsaSignature(chosen: string, client: readonly string[]): string {
  if (chosen.startsWith('rsa-sha2-')) return plainName(chosen)
  return client.includes('rsa-sha2-512') || !client.includes('rsa-sha2-256') ? 'rsa-sha2-512' : 'rsa-sha2-256'
}

interface Lists {
  readonly kex: readonly string[]
  readonly hostKey: readonly string[]
  readonly cipherIn: readonly string[]
  readonly cipherOut: readonly string[]
  readonly macIn: readonly string[]
  readonly macOut: readonly string[]
  readonly compressionIn: readonly string[]
  readonly compressionOut: readonly string[]
  readonly guessed: boolean
}

function parse(kexInit: Buffer): Lists {
  try {
    const reader = new BlobReader(kexInit)
    reader.raw(listsOffset, 'cookie')
    const list = (what: string): string[] => reader.text(what).split(',')
    const lists = {
      kex: list('kex_algorithms'),
      hostKey: list('server_host_key_algorithms'),
      cipherIn: list('encryption_algorithms_client_to_server'),
      cipherOut: list('encryption_algorithms_server_to_client'),
      macIn: list('mac_algorithms_client_to_server'),
      macOut: list('mac_algorithms_server_to_client'),
      compressionIn: list('compression_algorithms_client_to_server'),
      compressionOut: list('compression_algorithms_server_to_client'),
    }
    reader.string('languages_client_to_server')
    reader.string('languages_server_to_client')
    const guessed = reader.byte('first_kex_packet_follows') !== 0
    reader.uint32('reserved')
    return { ...lists, guessed }
  } catch (cause) {
    const detail = cause instanceof MalformedBlob ? `: ${cause.message}` : ''
    throw new ProtocolError(`malformed KEXINIT${detail}`, disconnectReason.keyExchangeFailed, { cause })
  }
}

/** The first of the client's names that we offer too. */
function choose(what: string, client: readonly string[], server: readonly string[]): string {
  const name = client.find((candidate) => server.includes(candidate))
  if (name !== undefined) return name
  // The lists come from the network: shortened, because the text goes to the log.
  const offered = client.join(',').slice(0, 400)
  const text = `no common ${what}; client offers ${offered || 'nothing'}; server offers ${server.join(',')}`
  throw new ProtocolError(text, disconnectReason.keyExchangeFailed)
}

function chooseCipher(
  direction: string,
  ciphers: readonly string[],
  macs: readonly string[],
  offer: Offer,
): ChosenCipher {
  const name = choose(`cipher from ${direction}`, ciphers, offer.ciphers)
  const info = cipherInfo[name]
  if (info === undefined) throw new Error(`cipher ${name} is not in its table`)
  const mac = info.authLen > 0 ? undefined : macInfo[choose(`MAC from ${direction}`, macs, offer.macs)]
  return { name, info, mac }
}
