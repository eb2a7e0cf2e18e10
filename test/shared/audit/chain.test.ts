import assert from 'node:assert/strict'
import { createHash, generateKeyPairSync, verify } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { createOutput } from '../../../src/shared/audit/cbor-output.ts'
import { type ChainState, chainStart } from '../../../src/shared/audit/chain.ts'
import { closingBatch, isSigned, signerOf } from '../../../src/shared/audit/chain-closing.ts'
import { createPacker } from '../../../src/shared/audit/pack.ts'
import type { AuditRecord } from '../../../src/shared/audit/record.ts'
import { generateHostKey } from '../../../src/shared/private-key.ts'
import { anyRecord, at, connectionId, contentsOf, packed, rawLog } from './rig.ts'

const exit = (exitStatus: number): AuditRecord => ({
  connectionId,
  timestamp: at(exitStatus),
  type: 'exit',
  payload: { exitStatus },
  channelId: 0,
})
const sha256 = (...parts: readonly Uint8Array[]): Buffer => {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest()
}
const key = await generateHostKey('test')
const seqKey = Buffer.from('\x63seq')
const prevKey = Buffer.from('\x64prev\x58\x20')
const plain = Buffer.from(packed([exit(1)]))
/** The message as it is without a chain, with more keys behind it. */
const extended = (keys: number, ...more: readonly Uint8Array[]): Buffer =>
  Buffer.concat([Buffer.of(0xa5 + keys), plain.subarray(1), ...more])

test('messages are numbered, and the first of each batch holds the hash of the batch before', () => {
  const out = createOutput()
  const packer = createPacker(connectionId, out, chainStart)
  packer.pack(exit(1))
  const first = Buffer.from(packer.take())
  assert.deepEqual(first, extended(1, seqKey, Buffer.of(0)))
  packer.pack(exit(1))
  packer.pack(exit(1))
  const second = Buffer.from(packer.lend())
  const link = extended(2, seqKey, Buffer.of(1), prevKey, sha256(first))
  assert.deepEqual(second, Buffer.concat([link, extended(1, seqKey, Buffer.of(2))]))
  assert.deepEqual(packer.chain, { seq: 3, prev: sha256(second) })
  // In another thread the chain goes on as if it were the same one.
  const other = createPacker(connectionId, out, structuredClone(packer.chain))
  other.pack(exit(1))
  assert.deepEqual(Buffer.from(other.lend()), extended(2, seqKey, Buffer.of(3), prevKey, sha256(second)))
})

test('a batch without messages, or a message that cannot be packed, leaves the chain as it is', () => {
  const packer = createPacker(connectionId, createOutput(), chainStart)
  packer.pack(exit(1))
  const first = packer.take()
  packer.take()
  assert.throws(() => packer.pack({ ...exit(1), timestamp: 2n ** 63n }), RangeError)
  assert.deepEqual(packer.chain, { seq: 1, prev: sha256(first) })
  packer.pack(exit(1))
  assert.deepEqual(Buffer.from(packer.take()), extended(2, seqKey, Buffer.of(1), prevKey, sha256(first)))
})

test('readers that know of no chain read the same records', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(anyRecord, { minLength: 1, maxLength: 4 }), { maxLength: 4 }), async (all) => {
      const packer = createPacker(connectionId, createOutput(), chainStart)
      const batches = all.map((records) => {
        for (const record of records) packer.pack(record)
        return packer.take()
      })
      const { records, problems } = await contentsOf(rawLog(batches))
      assert.deepEqual(problems, [])
      assert.deepEqual(records, (await contentsOf(rawLog(all.map((each) => packed(each))))).records)
    }),
    { numRuns: 40 },
  )
})

test('the last message is signed by the first ed25519 host key, in the documented way', async () => {
  const signer = signerOf([key])
  assert.ok(signer)
  const chain: ChainState = { seq: 1000, prev: sha256(Buffer.of(1)) }
  const message = Buffer.from(closingBatch(connectionId, at(0), chain, signer))
  const { records } = await contentsOf(rawLog([message]))
  assert.deepEqual(records, [{ connectionId, timestamp: at(0), type: 'disconnect', payload: null, channelId: null }])
  // As another program would check it: the map with one key less is hashed, behind a name and a zero byte.
  const unsigned = Buffer.concat([Buffer.of((message[0] ?? 0) - 1), message.subarray(1, -(10 + 2 + 64))])
  assert.deepEqual(message.subarray(-(10 + 2 + 64), -64), Buffer.from('\x69signature\x58\x40', 'latin1'))
  const text = Buffer.concat([Buffer.from('ContainerSSH-Auditlog-v1\0'), sha256(unsigned)])
  const x = Buffer.from(signer.blob).subarray(-32).toString('base64url')
  const publicKey = { key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' } as const
  assert.ok(verify(null, text, publicKey, message.subarray(-64)))
  assert.ok(isSigned(message, signer.blob))
  for (let index = 0; index < message.length; index++) {
    const changed = Buffer.from(message)
    changed[index] = (changed[index] ?? 0) ^ 1
    assert.equal(isSigned(changed, signer.blob), false, `byte ${index}`)
  }
})

test('without an ed25519 key the end is not signed, and without a chain it is as the Go program has it', () => {
  const rsa = generateRsa()
  assert.equal(signerOf([rsa]), undefined)
  assert.notEqual(signerOf([rsa, key]), undefined)
  const unsigned = Buffer.from(closingBatch(connectionId, at(0), { seq: 1, prev: null }, undefined))
  assert.equal(unsigned[0], 0xa6)
  assert.equal(isSigned(unsigned, signerOf([key])?.blob ?? Buffer.of()), false)
  const plainEnd = packed([{ connectionId, timestamp: at(0), type: 'disconnect', payload: null, channelId: null }])
  assert.deepEqual(closingBatch(connectionId, at(0), undefined, signerOf([key])), plainEnd)
})

function generateRsa(): string {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  return privateKey.export({ format: 'pem', type: 'pkcs1' }).toString()
}
