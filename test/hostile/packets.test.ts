/** Packets that are none (RFC 4253 section 6), in the clear and under every cipher and MAC. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import type { Tamper } from '../rigs/raw/client.ts'
import { serviceRequest } from '../rigs/raw/login.ts'
import { endsWith, target } from './target.ts'

const ciphers = ['aes128-gcm@openssh.com', 'aes256-gcm@openssh.com', 'chacha20-poly1305@openssh.com']
const counters = ['aes128-ctr', 'aes192-ctr', 'aes256-ctr']
const macs = ['hmac-sha2-256-etm@openssh.com', 'hmac-sha2-512-etm@openssh.com', 'hmac-sha2-256', 'hmac-sha2-512']
const suites = [
  ...ciphers.map((cipher) => ({ cipher, mac: 'hmac-sha2-256' })),
  ...counters.flatMap((cipher) => macs.map((mac) => ({ cipher, mac }))),
]
/** What a cipher is used with in the list above, one of each kind. */
const kinds = [suites[0], suites[2], suites[3], suites[5]].filter((suite) => suite !== undefined)
const ignore = Buffer.concat([Buffer.of(2, 0, 0, 0, 100), Buffer.alloc(100, 0x61)])

const setLength =
  (bytes: number): Tamper =>
  (packet) =>
    void packet.writeUInt32BE(bytes >>> 0)
const setPadding =
  (bytes: number): Tamper =>
  (packet) =>
    void packet.writeUInt8(bytes, 4)

describe('a packet', () => {
  const attack = target({ ciphers: [...ciphers, ...counters], macs })

  const lengths = [0xffff_ffff, 0x8000_0000, 0x7fff_ffff, 262_160, 17, 4, 1, 0]
  for (const bytes of lengths) {
    test(`in the clear with a length of ${bytes} ends the connection`, async () => {
      const attacker = await attack.connect()
      attacker.client.identify()
      attacker.client.send(ignore, setLength(bytes))
      await endsWith(attacker, 2, /^packet with a bad length$/)
    })
    for (const { cipher, mac } of kinds) {
      test(`under ${cipher} and ${mac} with a length of ${bytes} ends the connection`, async () => {
        const attacker = await attack.handshake({ cipherOut: cipher, macOut: mac })
        attacker.client.send(ignore, setLength(bytes))
        const { told, reason } = await attacker.end()
        // 17 is no multiple of the block, but with a MAC over the plain packet the MAC may be looked at first.
        assert.match(reason, /^packet with a bad (length|MAC)$/)
        assert.equal(told?.reason, reason.endsWith('MAC') ? 5 : 2)
      })
    }
  }

  for (const { cipher, mac } of kinds) {
    test(`under ${cipher} and ${mac} with more padding than packet ends the connection`, async () => {
      const attacker = await attack.handshake({ cipherOut: cipher, macOut: mac })
      attacker.client.send(Buffer.of(2, 0, 0, 0, 0), setPadding(255))
      await endsWith(attacker, 2, /^packet with a bad padding length$/)
    })
    test(`under ${cipher} and ${mac} with padding and nothing else ends the connection`, async () => {
      const attacker = await attack.handshake({ cipherOut: cipher, macOut: mac })
      attacker.client.send(Buffer.of(2, 0, 0, 0, 0), (packet) => packet.writeUInt8(packet.readUInt32BE() - 1, 4))
      await endsWith(attacker, 2, /^packet without a message$/)
    })
  }
  test('in the clear with more padding than packet ends the connection', async () => {
    const attacker = await attack.connect()
    attacker.client.identify()
    attacker.client.send(ignore, setPadding(255))
    await endsWith(attacker, 2, /^packet with a bad padding length$/)
  })

  for (const { cipher, mac } of suites) {
    const lists = { cipherOut: cipher, macOut: mac }
    test(`under ${cipher} and ${mac} of which one bit was turned ends the connection`, async () => {
      // In the length, in the content, and in the MAC.
      for (const place of [3, 6, -1]) {
        const attacker = await attack.handshake(lists)
        const bytes = attacker.client.sealed(ignore)
        const at = place < 0 ? bytes.length + place : place
        bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at)
        // Enough for whatever length it now claims to have.
        attacker.client.write(Buffer.concat([bytes, Buffer.alloc(300)]))
        const { told, reason } = await attacker.end()
        assert.match(reason, /^packet with a bad (MAC|length)$/)
        assert.equal(told?.reason, reason.endsWith('MAC') ? 5 : 2)
      }
    })
    test(`under ${cipher} and ${mac} that was sent before is not taken again`, async () => {
      const attacker = await attack.handshake(lists)
      const bytes = attacker.client.sealed(ignore)
      attacker.client.write(Buffer.concat([bytes, bytes, Buffer.alloc(300)]))
      const { reason } = await attacker.end()
      assert.match(reason, /^packet with a bad (MAC|length)$/)
    })
    test(`under ${cipher} and ${mac} that is noise ends the connection, wherever it is cut`, async () => {
      for (const piece of [1, 7, 4096]) {
        const attacker = await attack.handshake(lists)
        const noise = randomBytes(300_000)
        // A length that is allowed, so that what follows is looked at.
        noise.writeUInt32BE(64)
        for (let at = 0; at < (piece < 100 ? 400 : noise.length); at += piece)
          attacker.client.write(noise.subarray(at, at + piece))
        const { reason } = await attacker.end()
        assert.match(reason, /^packet with a bad (MAC|length|padding length)$/)
      }
    })
    test(`under ${cipher} and ${mac} that comes byte by byte is taken`, async () => {
      const { client } = await attack.handshake(lists)
      for (const byte of client.sealed(serviceRequest())) client.write(Buffer.of(byte))
      await client.receive(6)
    })
  }

  test('that was refused disturbs nobody', async () => {
    await attack.serves()
    await attack.forgets()
  })
})
