/** SSH_MSG_KEXINIT of a client (RFC 4253 section 7.1), every field of which may be wrong. */
import { randomBytes } from 'node:crypto'
import { sshString } from '../../../src/workers/ssh/blob.ts'

export interface Lists {
  readonly kex?: string
  readonly hostKeys?: string
  readonly cipherOut?: string
  readonly cipherIn?: string
  readonly macOut?: string
  readonly macIn?: string
  readonly compressionOut?: string
  readonly compressionIn?: string
  /** first_kex_packet_follows. */
  readonly follows?: boolean
}

export const strictMarker = 'kex-strict-c-v00@openssh.com'
const sane = {
  kex: `curve25519-sha256,${strictMarker}`,
  hostKeys: 'ssh-ed25519',
  cipher: 'aes128-gcm@openssh.com',
  mac: 'hmac-sha2-256-etm@openssh.com',
}

export function kexInit(lists: Lists = {}): Buffer {
  const names = [
    lists.kex ?? sane.kex,
    lists.hostKeys ?? sane.hostKeys,
    lists.cipherOut ?? sane.cipher,
    lists.cipherIn ?? sane.cipher,
    lists.macOut ?? sane.mac,
    lists.macIn ?? sane.mac,
    lists.compressionOut ?? 'none',
    lists.compressionIn ?? 'none',
    ...['', ''],
  ]
  const follows = Buffer.of(lists.follows === true ? 1 : 0, 0, 0, 0, 0)
  return Buffer.concat([Buffer.of(20), randomBytes(16), ...names.map((name) => sshString(name)), follows])
}
