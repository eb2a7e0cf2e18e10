/** Logs, and parts of them, as they are written. Keys are new each time. */
import { generateKeyPairSync } from 'node:crypto'
import { createBatch } from '../../src/shared/audit/batch.ts'
import { signerOf } from '../../src/shared/audit/chain-closing.ts'
import { newEnvelope, seal } from '../../src/shared/audit/envelope.ts'
import type { AuditRecord } from '../../src/shared/audit/record.ts'
import { generateHostKey } from '../../src/shared/private-key.ts'
import { at, chained, connectionId, rawLog } from '../shared/audit/rig.ts'

const records: readonly AuditRecord[] = [
  { connectionId, timestamp: at(0), type: 'connect', payload: { remoteAddr: '::1', country: 'XX' }, channelId: null },
  { connectionId, timestamp: at(1), type: 'exec', payload: { requestId: 0, program: 'id' }, channelId: 0 },
  { connectionId, timestamp: at(2), type: 'io', payload: { stream: 1, data: Buffer.from('uid=0\n') }, channelId: 0 },
]
const batches = chained([records.slice(0, 1), records.slice(1)], signerOf([await generateHostKey('seed')]))
const batch = createBatch()
for (const record of records) batch.add(record)
batch.addIo(at(3), 0, 1, Buffer.from('more'))

const { publicKey, privateKey } = generateKeyPairSync('x25519')
const recipient = publicKey.export({ type: 'spki', format: 'pem' }).toString()

async function sealed(toWhom: string): Promise<Buffer> {
  const { head, state } = await newEnvelope([toWhom])
  const first = seal(state, batches[0] ?? Buffer.of(), false)
  return Buffer.concat([head, first.bytes, seal(first.state, Buffer.of(), true).bytes])
}

/** `owner`: recipient of the identity that the target knows. */
export const auditSeeds = async (
  owner: string,
): Promise<Readonly<Record<string, readonly (Uint8Array | string)[]>>> => ({
  'audit-log': [rawLog(batches, 'gzip'), rawLog(batches, 'zstd')],
  'audit-chain': [Buffer.concat(batches)],
  'audit-envelope': [await sealed(owner), await sealed(recipient)],
  'audit-batch': [batch.take()],
  'age-key': [owner, recipient, privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()],
})
