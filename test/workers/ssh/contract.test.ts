/** What we rely on in the internals of exactly ssh2 1.17.0, with and without its native addon. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import {
  addonAvailable,
  cipherInfo,
  createCipher,
  createDecipher,
  macInfo,
  type PacketTarget,
  plainCipher,
  plainDecipher,
} from '../../../src/workers/ssh/ssh2.ts'
import { algorithms } from './transport-rig.ts'

const require = createRequire(import.meta.url)

// The WebAssembly is only waited for where it is needed.
await require('ssh2/lib/protocol/crypto.js').init

test('the pinned version is installed', () => {
  assert.equal(require('ssh2/package.json').version, '1.17.0')
  assert.equal(require('../../../package.json').dependencies.ssh2, '1.17.0')
})

test('the native addon is built for the Node that runs', () => assert.equal(addonAvailable, true))

/** Ciphers and deciphers for one algorithm, by the addon or by node:crypto. */
function pair(
  cipher: string,
  macName: string | undefined,
  native: { out: boolean; in: boolean },
  onWrite: (data: Buffer) => void,
  onPayload: (payload: Buffer) => undefined,
) {
  const info = cipherInfo[cipher]
  assert.ok(info)
  const mac = macName === undefined ? undefined : macInfo[macName]
  const macKey = mac && randomBytes(mac.len)
  const [key, iv] = [randomBytes(info.keyLen), randomBytes(info.ivLen)]
  const keys = { seqno: 0xffff_fffe, macInfo: mac, macKey, info, key }
  return {
    cipher: createCipher({ ...keys, iv: Buffer.from(iv), call: onWrite }, native.out),
    decipher: createDecipher({ ...keys, iv: Buffer.from(iv), call: onPayload }, native.in),
  }
}
type Combination = readonly [cipher: string, mac: string | undefined]
const combinations: readonly Combination[] = algorithms.ciphers.flatMap((cipher): Combination[] =>
  cipherInfo[cipher]?.authLen ? [[cipher, undefined]] : algorithms.macs.map((mac): Combination => [cipher, mac]),
)

test('addon and node:crypto understand each other with every cipher and MAC, over the wrap of the sequence number', () => {
  for (const [cipher, mac] of combinations) {
    for (const native of [
      { out: false, in: true },
      { out: true, in: false },
      { out: true, in: true },
      { out: false, in: false },
    ]) {
      const wire: Buffer[] = []
      const received: string[] = []
      const both = pair(
        cipher,
        mac,
        native,
        (data) => wire.push(Buffer.from(data)),
        (payload) => void received.push(payload.toString('hex')),
      )
      const sent = [1, 7, 100, 5000].map((length) => randomBytes(length))
      for (const payload of sent) {
        const packet = both.cipher.allocPacket(payload.length)
        packet.set(payload, 5)
        both.cipher.encrypt(packet)
      }
      const bytes = Buffer.concat(wire)
      both.decipher.decrypt(bytes, 0, bytes.length)
      assert.deepEqual(
        received,
        sent.map((payload) => payload.toString('hex')),
        `${cipher} ${mac}`,
      )
      assert.equal(both.cipher.outSeqno, 2)
      assert.equal(both.decipher.inSeqno, 2)
    }
  }
})

test('one changed byte anywhere makes a packet unreadable', () => {
  for (const [cipher, mac] of combinations) {
    for (const native of [
      { out: false, in: false },
      { out: false, in: true },
    ]) {
      for (let at = 0; at < 60; at += 7) {
        const wire: Buffer[] = []
        let received = 0
        const both = pair(
          cipher,
          mac,
          native,
          (data) => wire.push(Buffer.from(data)),
          () => void received++,
        )
        both.cipher.encrypt(both.cipher.allocPacket(40))
        const bytes = Buffer.concat(wire)
        bytes.writeUInt8((bytes[at] ?? 0) ^ 0x10, at)
        // A changed length may make it wait for more.
        try {
          both.decipher.decrypt(bytes, 0, bytes.length)
        } catch (error) {
          assert.ok(error instanceof Error)
        }
        assert.equal(received, 0, `${cipher} ${mac} byte ${at}`)
      }
    }
  }
})

test('large packets that come in two reads are gathered in memory used again, but not for those who keep payloads (patch 006)', () => {
  const internals: {
    createDecipher(config: object): ReturnType<typeof createDecipher>
  } = require('ssh2/lib/protocol/crypto.js')
  for (const [cipher, mac] of combinations) {
    const info = cipherInfo[cipher]
    assert.ok(info)
    const hmac = mac === undefined ? undefined : macInfo[mac]
    const macKey = hmac && randomBytes(hmac.len)
    const keys = {
      seqno: 0,
      macInfo: hmac,
      macKey,
      info,
      key: randomBytes(info.keyLen),
    }
    const iv = randomBytes(info.ivLen)
    const wire: Buffer[] = []
    const sender = createCipher({ ...keys, iv: Buffer.from(iv), call: (data) => wire.push(Buffer.from(data)) })
    const sent = [randomBytes(20_000), randomBytes(20_000)]
    for (const payload of sent) {
      const packet = sender.allocPacket(payload.length)
      packet.set(payload, 5)
      sender.encrypt(packet)
    }
    const feed = (decipher: ReturnType<typeof createDecipher>): void => {
      for (let at = 0, bytes = Buffer.concat(wire); at < bytes.length; at += 10_000) {
        const part = Buffer.from(bytes.subarray(at, at + 10_000))
        decipher.decrypt(part, 0, part.length)
      }
    }
    const lent: Buffer[] = []
    feed(createDecipher({ ...keys, iv: Buffer.from(iv), call: (payload) => void lent.push(payload) }))
    // CBC, which is not offered by default, has a way of its own.
    if (!cipher.endsWith('-cbc')) assert.ok(lent[0]?.buffer === lent[1]?.buffer, `${cipher} ${mac}`)
    const kept: Buffer[] = []
    const { info: decipherInfo, key: decipherKey } = keys
    const onPayload = (payload: Buffer) => void kept.push(payload)
    const inbound = { ...keys, decipherInfo, decipherKey, decipherIV: Buffer.from(iv), onPayload }
    feed(internals.createDecipher({ inbound }))
    assert.ok(Buffer.concat(kept).equals(Buffer.concat(sent)), `${cipher} ${mac}`)
  }
})

test('a packet is made and encrypted where the target says (patch 002)', () => {
  const memory = Buffer.alloc(4096)
  const target: PacketTarget = { take: (bytes) => memory.subarray(100, 100 + bytes) }
  for (const [cipher, mac] of combinations) {
    const both = pair(
      cipher,
      mac,
      { out: false, in: false },
      (data) => {
        assert.equal(data.buffer, memory.buffer)
        assert.equal(data.byteOffset, memory.byteOffset + 100)
      },
      () => undefined,
    )
    both.cipher.encrypt(both.cipher.allocPacket(20, target))
  }
  plainCipher((data) => assert.equal(data.byteOffset, memory.byteOffset + 100)).encrypt(
    plainCipher(() => undefined).allocPacket(20, target),
  )
})

test('ciphers may be collected while no context is entered (patch 005)', async () => {
  const script = `
    import { createCipher, createDecipher, cipherInfo } from './src/workers/ssh/ssh2.ts'
    for (const [name, key, iv] of [['aes128-gcm@openssh.com', 16, 12], ['chacha20-poly1305@openssh.com', 64, 0]]) {
      const keys = { seqno: 0, macInfo: undefined, macKey: undefined, info: cipherInfo[name], call: () => undefined }
      for (let count = 0; count < 500; count++) {
        createCipher({ ...keys, key: Buffer.alloc(key), iv: Buffer.alloc(iv) })
        createDecipher({ ...keys, key: Buffer.alloc(key), iv: Buffer.alloc(iv) })
      }
    }
    await gc({ type: 'major', execution: 'async' })
    console.log('survived')`
  const cwd = fileURLToPath(new URL('../../..', import.meta.url))
  const args = ['--expose-gc', '--input-type=module', '-e', script]
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd, timeout: 60_000 })
  assert.equal(stdout, 'survived\n')
})

test('padding is at least 4 bytes, fills the block, and never repeats (patch 001)', () => {
  const seen = new Set<string>()
  const cipher = plainCipher(() => undefined)
  for (let index = 0; index < 5000; index++) {
    const packet = cipher.allocPacket(3 + (index % 8))
    const padding = packet.subarray(-(packet[4] ?? 0))
    assert.ok(padding.length >= 4)
    assert.equal(packet.length % 8, 0)
    if (padding.length >= 8) seen.add(padding.toString('hex'))
  }
  assert.ok(seen.size >= 2490, `${seen.size}`)
})

test('limits: 35000 bytes before the first key exchange, 256 KiB after it (patch 003)', () => {
  const length = (value: number): Buffer => {
    const out = Buffer.alloc(5)
    out.writeUInt32BE(value)
    return out
  }
  assert.throws(() => plainDecipher(() => undefined).decrypt(length(35_004), 0, 5), /Bad packet length/)
  assert.equal(plainDecipher(() => undefined).decrypt(length(34_996), 0, 5), undefined)
  const gcm = () =>
    pair(
      'aes128-gcm@openssh.com',
      undefined,
      { out: false, in: false },
      () => undefined,
      () => undefined,
    ).decipher
  assert.equal(gcm().decrypt(length(262_112), 0, 5), undefined)
  assert.throws(() => gcm().decrypt(length(262_144), 0, 5), /Bad packet length/)
})

test('false from the payload callback stops a decipher behind its packet, and a kept packet is visible', () => {
  const wire: Buffer[] = []
  const sender = plainCipher((data) => wire.push(data))
  for (let count = 0; count < 2; count++) sender.encrypt(sender.allocPacket(11))
  const bytes = Buffer.concat(wire)
  const decipher = plainDecipher(() => false)
  assert.equal(decipher.decrypt(bytes, 0, bytes.length), 24)
  assert.equal(decipher._packet, null)
  decipher.decrypt(bytes, 24, 40)
  assert.notEqual(decipher._packet, null)
})

test('without the addon the OpenSSH client comes through just the same', async () => {
  const folder = dirname(fileURLToPath(import.meta.url))
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const args = [
    '--import',
    join(folder, 'without-addon.ts'),
    '--test-reporter=tap',
    join(folder, 'transport-openssh.test.ts'),
  ]
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    env: { ...env, EXPECT_ADDON: 'false' },
    timeout: 120_000,
  })
  assert.match(stdout, /# pass [1-9]/)
  assert.match(stdout, /# fail 0/)
})
