/** The client's half of a key exchange: curve25519-sha256 (RFC 8731) with a host key that is ed25519. */
import { createHash, createPublicKey, diffieHellman, generateKeyPairSync, type KeyObject, verify } from 'node:crypto'
import { BlobReader, base64url, sshMpint, sshString } from '../../../src/workers/ssh/blob.ts'
import { type CipherInfo, cipherInfo, type MacInfo, macInfo } from '../../../src/workers/ssh/ssh2.ts'

/** Identification lines without CR LF, and both KEXINIT messages. */
export interface Transcript {
  readonly client: string
  readonly server: string
  readonly clientInit: Buffer
  readonly serverInit: Buffer
}
export interface DirectionKeys {
  readonly info: CipherInfo
  readonly macInfo: MacInfo | undefined
  readonly iv: Buffer
  readonly key: Buffer
  readonly macKey: Buffer | undefined
}
export interface Secrets {
  readonly exchangeHash: Buffer
  readonly out: DirectionKeys
  readonly in: DirectionKeys
}

const sha256 = (...parts: Uint8Array[]): Buffer => createHash('sha256').update(Buffer.concat(parts)).digest()
const x25519 = (raw: Uint8Array): KeyObject =>
  createPublicKey({ key: { kty: 'OKP', crv: 'X25519', x: base64url(raw) }, format: 'jwk' })
const ed25519 = (raw: Uint8Array): KeyObject =>
  createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: base64url(raw) }, format: 'jwk' })

export class ClientExchange {
  readonly #pair = generateKeyPairSync('x25519')
  readonly publicValue = Buffer.from(this.#pair.publicKey.export({ format: 'jwk' }).x ?? '', 'base64url')

  /** SSH_MSG_KEX_ECDH_INIT. */
  get message(): Buffer {
    return Buffer.concat([Buffer.of(30), sshString(this.publicValue)])
  }

  /** From SSH_MSG_KEX_ECDH_REPLY to the keys. Throws when the server has not signed this very exchange. */
  finish(reply: Buffer, transcript: Transcript, sessionId: Buffer | undefined): Secrets {
    const reader = new BlobReader(reply.subarray(1))
    const hostKey = reader.string('host key')
    const theirs = reader.string('public value')
    const signature = new BlobReader(reader.string('signature'))
    const secret = sshMpint(diffieHellman({ privateKey: this.#pair.privateKey, publicKey: x25519(theirs) }))
    const { client, server, clientInit, serverInit } = transcript
    const exchangeHash = sha256(
      ...[client, server, clientInit, serverInit, hostKey, this.publicValue, theirs].map((part) => sshString(part)),
      secret,
    )
    const blob = new BlobReader(hostKey)
    if (blob.text('type') !== 'ssh-ed25519' || signature.text('type') !== 'ssh-ed25519') throw new Error('no ed25519')
    if (!verify(null, exchangeHash, ed25519(blob.string('key')), signature.string('signature'))) {
      throw new Error('the signature of the server is not valid')
    }
    const derive = (letter: string, bytes: number): Buffer => {
      let out = sha256(secret, exchangeHash, Buffer.from(letter), sessionId ?? exchangeHash)
      while (out.length < bytes) out = Buffer.concat([out, sha256(secret, exchangeHash, out)])
      return out.subarray(0, bytes)
    }
    const chosen = choices(clientInit)
    return { exchangeHash, out: keysOf(chosen.out, derive, 'ACE'), in: keysOf(chosen.in, derive, 'BDF') }
  }
}

interface Choice {
  readonly cipher: string
  readonly mac: string
}

/** Our lists have one cipher and one MAC each, so what we offered is what was chosen. */
function choices(clientInit: Buffer): { out: Choice; in: Choice } {
  const reader = new BlobReader(clientInit.subarray(17))
  const [, , cipherOut = '', cipherIn = '', macOut = '', macIn = ''] = Array.from({ length: 6 }, () =>
    reader.text('names'),
  )
  return { out: { cipher: cipherOut, mac: macOut }, in: { cipher: cipherIn, mac: macIn } }
}

function keysOf(choice: Choice, derive: (letter: string, bytes: number) => Buffer, letters: string): DirectionKeys {
  const info = cipherInfo[choice.cipher]
  if (info === undefined) throw new Error(`unknown cipher ${choice.cipher}`)
  const mac = info.authLen > 0 ? undefined : macInfo[choice.mac]
  const [iv = '', key = '', macKey = ''] = letters
  return {
    info,
    macInfo: mac,
    iv: derive(iv, info.ivLen),
    key: derive(key, info.keyLen),
    macKey: mac === undefined ? undefined : derive(macKey, mac.len),
  }
}
