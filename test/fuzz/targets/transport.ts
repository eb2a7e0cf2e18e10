/** The transport layer (RFC 4253): identification, negotiation, packets under every cipher. */
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { createOffer } from '../../../src/workers/ssh/algorithms.ts'
import { parseHostKey } from '../../../src/workers/ssh/host-key.ts'
import { negotiate } from '../../../src/workers/ssh/kex/negotiate.ts'
import { ProtocolError, packetError } from '../../../src/workers/ssh/protocol-error.ts'
import { HeaderError, ProxyHeader } from '../../../src/workers/ssh/proxy-protocol.ts'
import { cipherInfo, createDecipher, macInfo, plainDecipher } from '../../../src/workers/ssh/ssh2.ts'
import { readDisconnect, readServiceRequest } from '../../../src/workers/ssh/transport-messages.ts'
import { VersionLine } from '../../../src/workers/ssh/version.ts'
import { allowing, type Target } from '../target.ts'

const pem = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
const kex = ['mlkem768x25519-sha256', 'curve25519-sha256']
const ciphers = ['aes128-gcm@openssh.com', 'chacha20-poly1305@openssh.com', 'aes256-ctr']
const macs = ['hmac-sha2-256-etm@openssh.com', 'hmac-sha2-512']
const { offer } = createOffer({ kex, ciphers, macs }, [parseHostKey(pem)])

/** Keys of zeros: what is decrypted is noise in any case. */
function decipherOf(cipher: string, mac: string, call: (payload: Buffer) => undefined) {
  const [info, macOf] = [cipherInfo[cipher], macInfo[mac]]
  if (info === undefined || macOf === undefined) throw new Error(`no ${cipher} or ${mac}`)
  const sized = info.authLen > 0 ? undefined : macOf
  const keys = { key: Buffer.alloc(info.keyLen), iv: Buffer.alloc(info.ivLen) }
  const macKey = sized === undefined ? undefined : Buffer.alloc(sized.len)
  return createDecipher({ ...keys, info, macInfo: sized, macKey, seqno: 0, call })
}

export const transport: Readonly<Record<string, Target>> = {
  identification: {
    mostBytes: 600,
    run: (bytes) => {
      const whole = allowing([ProtocolError], () => new VersionLine().take(bytes))
      if (whole !== undefined) assert.match(whole.line, /^SSH-(2\.0|1\.99)-[ -~]+$/)
      // Byte by byte it is the same line, or none.
      const line = new VersionLine()
      allowing([ProtocolError], () => {
        for (const byte of bytes) {
          const found = line.take(Buffer.of(byte))
          if (found === undefined) continue
          assert.equal(found.line, whole?.line)
          return
        }
      })
    },
  },
  'kex-init': {
    mostBytes: 4096,
    run: (bytes) => {
      const agreement = allowing([ProtocolError], () => negotiate(bytes, offer))
      if (agreement !== undefined) assert.ok(offer.kex.includes(agreement.kexName))
    },
  },
  'transport-messages': {
    mostBytes: 2048,
    run: (bytes) => {
      const told = allowing([ProtocolError], () => readDisconnect(bytes))
      if (told !== undefined) assert.ok(told.description.length <= 200)
      const service = allowing([ProtocolError], () => readServiceRequest(bytes))
      if (service !== undefined) assert.match(service, /^[ -~]{0,255}$/)
    },
  },
  'proxy-header': {
    mostBytes: 600,
    run: (bytes) => {
      const whole = allowing([HeaderError], () => new ProxyHeader().take(bytes))
      const header = new ProxyHeader()
      allowing([HeaderError], () => {
        for (const byte of bytes) {
          const found = header.take(Buffer.of(byte))
          if (found === undefined) continue
          assert.equal(found.kind, whole?.kind)
          if (found.kind === 'header' && whole?.kind === 'header') assert.deepEqual(found.source, whole.source)
          return
        }
      })
    },
  },
  /** The first byte chooses the cipher, the second how the rest is cut. */
  packets: {
    mostBytes: 2048,
    run: (bytes) => {
      const [choice = 0, cut = 0] = bytes
      let payloads = 0
      const take = (payload: Buffer): undefined => {
        payloads += payload.length
      }
      const all = ciphers.flatMap((cipher) => macs.map((mac) => () => decipherOf(cipher, mac, take)))
      const make = [() => plainDecipher(take), ...all][choice % (all.length + 1)]
      const decipher = make?.()
      const rest = bytes.subarray(2)
      const piece = 1 + (cut % 64)
      try {
        for (let at = 0; at < rest.length; at += piece) {
          const chunk = Buffer.from(rest.subarray(at, at + piece))
          decipher?.decrypt(chunk, 0, chunk.length)
        }
      } catch (error) {
        // ssh2 throws whatever it likes; every error has one of our texts.
        assert.match(packetError(error).message, /^packet with a bad (length|padding length|MAC)$/)
      } finally {
        decipher?.free()
      }
      assert.ok(payloads <= rest.length)
    },
  },
}
