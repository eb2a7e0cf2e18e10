/** The rest of a key exchange after the negotiation: exchange hash, signature, keys. RFC 4253 sections 7.2 and 8. */
import { hash } from 'node:crypto'
import { BlobReader, MalformedBlob, sshStrings } from '../blob.ts'
import { plainName } from '../certificate.ts'
import { disconnectReason, ProtocolError } from '../protocol-error.ts'
import type { Agreement, ChosenCipher } from './negotiate.ts'

/** What both sides hashed and keep for the next exchange: identification lines without CR LF, KEXINIT payloads. */
export interface Transcript {
  readonly clientVersion: string
  readonly serverVersion: string
  readonly clientKexInit: Buffer
  readonly serverKexInit: Buffer
}

export interface Keys {
  readonly iv: Buffer
  readonly key: Buffer
  readonly macKey: Buffer | undefined
}
export interface ExchangeResult {
  /** SSH_MSG_KEX_ECDH_REPLY or SSH_MSG_KEXDH_REPLY, which have one form. */
  readonly reply: Buffer
  /** H; the first one of a connection is its session id. */
  readonly exchangeHash: Buffer
  readonly inbound: Keys
  readonly outbound: Keys
}

const kexInitMessage = 30
const replyNumber = Buffer.of(31)

/** `message` is the client's SSH_MSG_KEX_ECDH_INIT or SSH_MSG_KEXDH_INIT. Throws a ProtocolError. */
export const answerExchange = (
  message: Buffer,
  agreement: Agreement,
  transcript: Transcript,
  sessionId: Buffer | undefined,
): ExchangeResult => {
  const { kex, hostKey, hostKeyAlgorithm } = agreement
  const clientValue = parseInit(message)
  const { answer, secret } = respond(agreement, clientValue)
  const { clientVersion, serverVersion, clientKexInit, serverKexInit } = transcript
  const { blob } = hostKey
  const hashed = sshStrings(clientVersion, serverVersion, clientKexInit, serverKexInit, blob, clientValue, answer)
  const exchangeHash = digest(kex.hash, [hashed, secret])
  // PROTOCOL.certkeys: a certificate changes the key's name and blob, not the signature.
  const algorithm = plainName(hostKeyAlgorithm)
  const signature = sshStrings(algorithm, hostKey.sign(algorithm, exchangeHash))
  const derive = deriver(kex.hash, secret, exchangeHash, sessionId ?? exchangeHash)
  return {
    reply: Buffer.concat([replyNumber, sshStrings(blob, answer, signature)]),
    exchangeHash,
    inbound: keysFor(agreement.inbound, derive, 'A', 'C', 'E'),
    outbound: keysFor(agreement.outbound, derive, 'B', 'D', 'F'),
  }
}

function parseInit(message: Buffer): Uint8Array {
  const reader = new BlobReader(message)
  const type = reader.byte('message number')
  if (type !== kexInitMessage) {
    throw new ProtocolError(`message ${type} instead of ${kexInitMessage}`, disconnectReason.keyExchangeFailed)
  }
  try {
    const value = reader.string('public value')
    reader.end('key exchange message')
    return value
  } catch (cause) {
    const detail = cause instanceof MalformedBlob ? `: ${cause.message}` : ''
    throw new ProtocolError(`malformed key exchange message${detail}`, disconnectReason.keyExchangeFailed, { cause })
  }
}

function respond(agreement: Agreement, clientValue: Uint8Array): ReturnType<Agreement['kex']['respond']> {
  try {
    return agreement.kex.respond(clientValue)
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause)
    const text = `the client's public value for ${agreement.kexName} is not usable: ${detail}`
    throw new ProtocolError(text, disconnectReason.keyExchangeFailed, { cause })
  }
}

type Derive = (letter: string, bytes: number) => Buffer

/** RFC 4253 section 7.2: HASH(K || H || letter || session_id), then HASH(K || H || what there is) until long enough. */
function deriver(name: string, secret: Uint8Array, exchangeHash: Buffer, sessionId: Buffer): Derive {
  const secretAndHash = Buffer.concat([secret, exchangeHash])
  // One piece of memory for all letters.
  const first = Buffer.concat([secretAndHash, noLetter, sessionId])
  return (letter, bytes) => {
    first[secretAndHash.length] = letter.charCodeAt(0)
    let out = hash(name, first, 'buffer')
    while (out.length < bytes) out = Buffer.concat([out, digest(name, [secretAndHash, out])])
    return out.subarray(0, bytes)
  }
}
const noLetter = Buffer.of(0)

function keysFor({ info, mac }: ChosenCipher, derive: Derive, iv: string, key: string, macKey: string): Keys {
  return {
    iv: derive(iv, info.ivLen),
    key: derive(key, info.keyLen),
    macKey: mac === undefined ? undefined : derive(macKey, mac.len),
  }
}

/** One call of a hash costs half of a hash object with many updates. */
function digest(name: string, parts: readonly Uint8Array[]): Buffer {
  return hash(name, Buffer.concat(parts), 'buffer')
}
