/** Patch 007: the MACs of two packets at once, where the processor is good at that; nobody else sees a difference. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { cipherInfo, createCipher, createDecipher, macInfo, type OnPayload } from '../../../src/workers/ssh/ssh2.ts'

const require = createRequire(import.meta.url)
const macBytes = 32
const firstSeqno = 0xffff_fffd
const cipherNames = ['aes128-ctr', 'aes192-ctr', 'aes256-ctr'] as const

/** Makers of both halves with the same keys; `native`: by node:crypto. */
function keyed(name: string) {
  const [info, mac] = [cipherInfo[name], macInfo['hmac-sha2-256-etm@openssh.com']]
  assert.ok(info && mac)
  const [key, iv, macKey] = [randomBytes(info.keyLen), randomBytes(info.ivLen), randomBytes(mac.len)]
  const keys = { seqno: firstSeqno, macInfo: mac, macKey, info, key }
  return {
    cipher: (call: (data: Buffer) => void) => createCipher({ ...keys, iv: Buffer.from(iv), call }, false, true),
    decipher: (call: OnPayload, native: boolean) => createDecipher({ ...keys, iv: Buffer.from(iv), call }, native),
  }
}

/** Packets of those sizes, whole. */
function sealed(both: ReturnType<typeof keyed>, payloads: readonly Buffer[]): Buffer[] {
  const packets: Buffer[] = []
  const cipher = both.cipher((data) => packets.push(data))
  for (const payload of payloads) {
    const packet = cipher.allocPacket(payload.length)
    packet.set(payload, 5)
    cipher.encrypt(packet)
  }
  cipher.finish?.()
  return packets
}

/** What comes out of these bytes, read so many at a time, and what the end was. */
function opened(both: ReturnType<typeof keyed>, bytes: Buffer, readBytes: number, native = false) {
  const payloads: Buffer[] = []
  const decipher = both.decipher((payload) => void payloads.push(Buffer.from(payload)), native)
  let problem: string | undefined
  try {
    for (let at = 0; at < bytes.length; at += readBytes) {
      const part = Buffer.from(bytes.subarray(at, at + readBytes))
      decipher.decrypt(part, 0, part.length)
    }
  } catch (error) {
    problem = (error as Error).message
  }
  return { payloads, problem }
}

// Around the size from which packets are paired, every end of a last block, and unequal neighbours.
const sizes = [1, 32_768, 5, 32_768, 32_768, 900, ...Array.from({ length: 140 }, (_, index) => 960 + index), 9, 20_000]

test('packets are whole when they are finished, and node:crypto takes them, over the wrap of the sequence number', () => {
  for (const name of cipherNames) {
    const both = keyed(name)
    const payloads = sizes.map((size) => randomBytes(size))
    assert.deepEqual(opened(both, Buffer.concat(sealed(both, payloads)), 65_536, true), {
      payloads,
      problem: undefined,
    })
  }
})

test('packets are read whatever the pieces are that they come in', () => {
  for (const name of cipherNames) {
    const both = keyed(name)
    const payloads = sizes.map((size) => randomBytes(size))
    const bytes = Buffer.concat(sealed(both, payloads))
    for (const readBytes of [bytes.length, 65_536, 33_000, 1500]) {
      assert.deepEqual(opened(both, bytes, readBytes), { payloads, problem: undefined }, `${name} ${readBytes}`)
    }
  }
})

test('a changed packet is told when it is its turn: those before it are handed over, it and those behind are not', () => {
  const both = keyed('aes256-ctr')
  const payloads = [2000, 3000, 2000, 4000, 5000].map((size) => randomBytes(size))
  const packets = sealed(both, payloads)
  for (const [index, packet] of packets.entries()) {
    // In the padding length, the payload, the padding, and the MAC.
    for (const at of [4, 700, packet.length - macBytes - 1, packet.length - 1]) {
      const changed = packets.map((one) => Buffer.from(one))
      changed[index]?.writeUInt8((packet[at] ?? 0) ^ 1, at)
      const { payloads: got, problem } = opened(both, Buffer.concat(changed), 65_536)
      assert.deepEqual(got, payloads.slice(0, index), `packet ${index} byte ${at}`)
      assert.equal(problem, 'Invalid MAC')
    }
  }
})

test('two packets that change places are no packets', () => {
  const both = keyed('aes256-ctr')
  const [first, second] = sealed(both, [randomBytes(2000), randomBytes(2000)])
  assert.ok(first && second)
  assert.deepEqual(opened(both, Buffer.concat([second, first]), 65_536), { payloads: [], problem: 'Invalid MAC' })
})

test('what is read behind the last packet of a decipher is not its business', () => {
  const both = keyed('aes256-ctr')
  const packets = sealed(both, [randomBytes(2000), randomBytes(3000)])
  const bytes = Buffer.concat(packets)
  let count = 0
  const decipher = both.decipher(() => {
    count++
    return false
  }, false)
  assert.equal(decipher.decrypt(bytes, 0, bytes.length), packets[0]?.length)
  assert.equal(count, 1)
})

test('one MAC is left for later where two are made at once, and only large packets are', () => {
  const binding: { HmacPair?: unknown } = require('ssh2/lib/protocol/crypto/build/Release/sshcrypto.node')
  const isPaired = binding.HmacPair !== undefined
  const both = keyed('aes256-ctr')
  const packets: Buffer[] = []
  const cipher = both.cipher((data) => packets.push(data))
  const seal = (size: number): Buffer => {
    const packet = cipher.allocPacket(size)
    packet.fill(0, packet.length - macBytes)
    cipher.encrypt(packet)
    return packet.subarray(packet.length - macBytes)
  }
  const isMissing = (mac: Buffer): boolean => mac.equals(Buffer.alloc(macBytes))
  const first = seal(2000)
  assert.equal(isMissing(first), isPaired)
  assert.equal(isMissing(seal(10)), false)
  assert.equal(isMissing(first), isPaired)
  assert.equal(isMissing(seal(3000)), false)
  assert.equal(isMissing(first), false)
  const last = seal(2000)
  assert.equal(isMissing(last), isPaired)
  cipher.free()
  assert.equal(isMissing(last), false)
})
