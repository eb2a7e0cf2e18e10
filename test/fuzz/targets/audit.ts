/** Audit logs, which may come from anywhere, and batches of records, which a worker sends that may be taken over. */
import assert from 'node:assert/strict'
import { BatchError, recordsOf } from '../../../src/shared/audit/batch-reader.ts'
import { createChainVerifier } from '../../../src/shared/audit/chain-verifier.ts'
import { decodeLog } from '../../../src/shared/audit/decode.ts'
import { envelopeMagic } from '../../../src/shared/audit/envelope.ts'
import { ageIdentities, recipientProblem } from '../../../src/shared/audit/envelope-keys.ts'
import { openLog } from '../../../src/shared/audit/envelope-reader.ts'
import { compressed, logHeader } from '../../../src/shared/audit/file-format.ts'
import { recoverLog } from '../../../src/shared/audit/recover.ts'
import { toBech32 } from '../../../src/shared/bech32.ts'
import { allowing, type Target } from '../target.ts'

/** Of nobody: the seeds are encrypted to it. */
export const fuzzIdentity = toBech32('age-secret-key-', Buffer.alloc(32, 7)).toUpperCase()
const connectionId = '0'.repeat(32)

async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield Buffer.from(bytes.subarray(at, at + size))
}
/** As text that can be compared. */
async function decoded(bytes: Buffer, size: number): Promise<string> {
  let text = ''
  for await (const batch of decodeLog(pieces(bytes, size))) for (const item of batch) text += shown(item)
  return text
}
const shown = (value: unknown): string =>
  JSON.stringify(value, (_, each: unknown) => (typeof each === 'bigint' ? String(each) : each))

export const audit: Readonly<Record<string, Target>> = {
  'audit-log': {
    mostBytes: 2048,
    async run(bytes) {
      const inOnePiece = await decoded(bytes, 1 << 20)
      const inPieces = await decoded(bytes, 100)
      // Where exactly a decompressor notices damage depends on how much it is given at once.
      if (!inOnePiece.includes('"kind":"problem"')) assert.equal(inPieces, inOnePiece)
      for await (const batch of recoverLog(bytes)) {
        for (const item of batch) if (item.kind === 'problem') assert.equal(item.problem.final, false)
      }
    },
  },
  /** What is compressed in a log: messages with a chain. */
  'audit-chain': {
    mostBytes: 2048,
    async run(bytes) {
      const log = Buffer.concat([logHeader(), compressed(bytes, 'zstd')])
      let count = 0
      const verifier = createChainVerifier(() => count++)
      for await (const _ of decodeLog(pieces(log, 1 << 20), (...message) => verifier.add(...message)));
      const { signer, isClosed, isChained } = verifier.end()
      if (signer !== undefined) assert.ok(isClosed && isChained)
    },
  },
  'audit-envelope': {
    mostBytes: 2048,
    async run(bytes) {
      const log = openLog(pieces(bytes, 1 << 20), [fuzzIdentity])
      let size = 0
      for await (const chunk of log.chunks) size += chunk.length
      if (log.isWhole === undefined) assert.equal(size, bytes.length)
      else assert.ok(bytes.subarray(0, envelopeMagic.length).equals(envelopeMagic))
      if (log.isWhole === true) assert.equal(log.problem, undefined)
    },
  },
  'audit-batch': {
    mostBytes: 2048,
    run(bytes) {
      allowing([BatchError], () => [...recordsOf(bytes, connectionId)])
    },
  },
  'age-key': {
    mostBytes: 1024,
    run(bytes) {
      const text = bytes.toString('latin1')
      recipientProblem(text)
      allowing([Error], () => ageIdentities(text))
    },
  },
}
