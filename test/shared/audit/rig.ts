/** Logs and records for the tests of the audit log. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { catalogue, type FieldKind, type Fields, items, messageTypes } from '../../../src/shared/audit/catalogue.ts'
import { createOutput } from '../../../src/shared/audit/cbor-output.ts'
import { chainStart } from '../../../src/shared/audit/chain.ts'
import { closingBatch, type Signer } from '../../../src/shared/audit/chain-closing.ts'
import { decodeLog } from '../../../src/shared/audit/decode.ts'
import { type Compression, compressed, logEnd, logHeader } from '../../../src/shared/audit/file-format.ts'
import { createPacker } from '../../../src/shared/audit/pack.ts'
import type { Problem } from '../../../src/shared/audit/problem.ts'
import { type AuditRecord, textField } from '../../../src/shared/audit/record.ts'

export const goldens = join(import.meta.dirname, '../../golden/audit')
export const golden = (name: string): Buffer => readFileSync(join(goldens, name))
export const connectionId = '0123456789abcdef0123456789abcdef'

export interface Contents {
  readonly records: AuditRecord[]
  readonly problems: Problem[]
  readonly repaired: number
}
/** Decodes a log that comes in the given pieces. */
export async function contentsOf(...pieces: readonly Uint8Array[]): Promise<Contents> {
  const records: AuditRecord[] = []
  const problems: Problem[] = []
  let repaired = 0
  async function* chunks() {
    yield* pieces
  }
  for await (const batch of decodeLog(chunks())) {
    for (const item of batch) {
      if (item.kind === 'record') records.push(item.record)
      if (item.kind === 'record' && item.repaired) repaired++
      if (item.kind === 'problem') problems.push(item.problem)
    }
  }
  return { records, problems, repaired }
}

export const packed = (records: readonly AuditRecord[], id = connectionId): Uint8Array => {
  const packer = createPacker(id)
  for (const record of records) packer.pack(record)
  return packer.take()
}
/** One member for each batch. */
export const logOf = (batches: readonly (readonly AuditRecord[])[], compression: Compression = 'gzip'): Buffer =>
  rawLog(
    batches.map((batch) => packed(batch)),
    compression,
  )
export const rawLog = (batches: readonly Uint8Array[], compression: Compression = 'gzip'): Buffer =>
  Buffer.concat([logHeader(), ...batches.map((batch) => compressed(batch, compression)), logEnd(compression)])

/** The batches of a log with its chain; the last is the signed end, if there is a signer. */
export function chained(
  batches: readonly (readonly AuditRecord[])[],
  signer: Signer | undefined,
  id = connectionId,
): Uint8Array[] {
  const packer = createPacker(id, createOutput(), chainStart)
  const packedBatches = batches.map((batch) => {
    for (const record of batch) packer.pack(record)
    return packer.take()
  })
  return [...packedBatches, closingBatch(id, at(1000), packer.chain, signer)]
}

const uint64 = fc
  .oneof(fc.nat(70_000), fc.bigInt(0n, 2n ** 64n - 1n))
  .map((value) => (value <= Number.MAX_SAFE_INTEGER ? Number(value) : value))
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc.integer({ min: 65_530, max: 65_540 }).map((length) => new Uint8Array(length).fill(7)),
)
const values: Readonly<Record<Exclude<FieldKind, 'text'>, fc.Arbitrary<unknown>>> = {
  bytes: fc.option(bytes, { freq: 5 }),
  uint64,
  uint32: fc.oneof(fc.nat(300), fc.integer({ min: 0, max: 0xffff_ffff })),
  bool: fc.boolean(),
  questions: fc.option(fc.array(fc.constant(items.questions).chain(structure), { maxLength: 4 })),
  answers: fc.option(fc.array(fc.constant(items.answers).chain(structure), { maxLength: 4 })),
}
/** A text as a client sends it: some are no UTF-8. */
const clientText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }).map((text) => textField(Buffer.from(text))),
  fc.uint8Array({ maxLength: 300 }).map(textField),
)

function structure(fields: Fields): fc.Arbitrary<Record<string, unknown>> {
  const parts = Object.entries(fields).map(([name, kind]) => {
    if (kind !== 'text') return values[kind].map((value) => ({ [name]: value }))
    return clientText.map(({ text, raw }) => ({ [name]: text, ...(raw === undefined ? {} : { [`${name}Raw`]: raw }) }))
  })
  return fc.tuple(...parts).map((all) => Object.assign({}, ...all) as Record<string, unknown>)
}

/** Any record that a recorder could write, and many that it would not. */
export const anyRecord: fc.Arbitrary<AuditRecord> = fc.constantFrom(...messageTypes).chain((type) => {
  const fields: Fields | null = catalogue[type].payload
  return fc
    .record(
      {
        connectionId: fc.constant(connectionId),
        timestamp: fc.oneof(
          fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
          fc.bigInt(1_700_000_000_000_000_000n, 1_900_000_000_000_000_000n),
        ),
        type: fc.constant(type),
        payload: fields === null ? fc.constant(null) : structure(fields),
        channelId: fc.option(uint64),
        facts: fc.dictionary(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }), {
          maxKeys: 16,
          noNullPrototype: true,
        }),
      },
      { noNullPrototype: true, requiredKeys: ['connectionId', 'timestamp', 'type', 'payload', 'channelId'] },
    )
    .map((record) => record as AuditRecord)
})

/** Records of one channel in short. */
export const at = (seconds: number): bigint =>
  1_700_000_000_000_000_000n + BigInt(Math.round(seconds * 1000)) * 1_000_000n
