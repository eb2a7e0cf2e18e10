/**
 * Audit records to CBOR (RFC 8949), byte for byte as the format has it: definite lengths, integers and lengths in their
 * shortest form, keys in the order of the catalogue. Packed by hand from keys that are encoded once.
 */
import { catalogue, type FieldKind, type Fields, items, type MessageType, messageTypes } from './catalogue.ts'
import { createOutput, heads, type Output } from './cbor-output.ts'
import { type ChainState, chainHash, packPrev, packSeq } from './chain.ts'
import type { AuditRecord, Facts } from './record.ts'

interface FieldPlan {
  readonly name: string
  readonly kind: FieldKind
  readonly key: Uint8Array
}
interface StructurePlan {
  readonly fields: readonly FieldPlan[]
  /** Where the bytes of texts stand that are not UTF-8. */
  readonly raw: readonly Omit<FieldPlan, 'kind'>[]
}
interface MessagePlan {
  /** Key and value of `type`, and the key of `payload`. */
  readonly head: Uint8Array
  readonly payload: StructurePlan | undefined
}

const encoded = (write: (out: Output) => void): Uint8Array => {
  const out = createOutput()
  write(out)
  return out.take()
}
const short = (text: string): Uint8Array => encoded((out) => out.text(text))

const planOf = (fields: Fields): StructurePlan => {
  const all = Object.entries(fields).map(([name, kind]) => ({ name, kind, key: short(name) }))
  const texts = all.filter(({ kind }) => kind === 'text').map(({ name }) => `${name}Raw`)
  return { fields: all, raw: texts.map((name) => ({ name, key: short(name) })) }
}
const plans = new Map<MessageType, MessagePlan>(
  messageTypes.map((type) => {
    const { number, payload } = catalogue[type]
    const head = encoded((out) => {
      out.text('type')
      out.head(heads.unsigned, number)
      out.text('payload')
    })
    return [type, { head, payload: payload === null ? undefined : planOf(payload) }]
  }),
)
const itemPlans = { questions: planOf(items.questions), answers: planOf(items.answers) }
const channelKey = short('channelId')
const factsKey = short('facts')

type Plain = Readonly<Record<string, unknown>>

export interface Packer {
  /** Texts that are no well-formed UTF-16 get U+FFFD in their places. @throws RangeError for numbers that do not fit. */
  pack(record: AuditRecord): void
  /** What was packed since the last call; the caller's from now on. Between two batches nothing is kept in memory. */
  take(): Uint8Array
  /** As `take`, but in memory that the next record is packed into. */
  lend(): Uint8Array
  /** Bytes that `take` would give. */
  readonly length: number
  /** After `take` or `lend`: what the next batch continues. Undefined if this one continues nothing. */
  readonly chain: ChainState | undefined
}

/** Keys of a message without those of the chain. */
const keyCount = 5

/**
 * For the records of one connection: `connectionId` of each is taken to be this one. Who packs one batch after the other
 * and is done with each at once gives all packers the same `out`, and uses `lend` in place of `take`. Messages have the
 * keys of the chain if there is one; a batch begins with the first message after `take` or `lend`.
 */
export function createPacker(connectionId: string, out = createOutput(), chain?: ChainState): Packer {
  const prefix = encoded((each) => {
    each.text('connectionId')
    each.text(connectionId)
    each.text('timestamp')
  })
  const isChained = chain !== undefined
  let seq = chain?.seq ?? 0
  let prev = chain?.prev ?? null
  /** Of the message that is packed now, if it begins a batch. */
  const link = (): Uint8Array | null => (out.length === 0 ? prev : null)
  const given = (batch: Uint8Array): Uint8Array => {
    if (isChained && batch.length > 0) prev = chainHash(batch)
    return batch
  }
  return {
    pack(record) {
      const plan = plans.get(record.type)
      if (plan === undefined) throw new RangeError(`no such message: ${record.type}`)
      const start = out.length
      const before = link()
      try {
        const { facts } = record
        out.head(heads.map, keyCount + (facts === undefined ? 0 : 1) + (isChained ? 1 : 0) + (before === null ? 0 : 1))
        out.copy(prefix)
        packTimestamp(out, record.timestamp)
        out.copy(plan.head)
        if (plan.payload === undefined) out.byte(heads.nothing)
        else packStructure(out, plan.payload, record.payload as Plain)
        out.copy(channelKey)
        if (record.channelId === null) out.byte(heads.nothing)
        else out.head(heads.unsigned, record.channelId)
        if (facts !== undefined) packFacts(out, facts)
        if (isChained) packSeq(out, seq)
        if (before !== null) packPrev(out, before)
        seq++
      } catch (error) {
        // Half a record would make the rest of the log unreadable.
        out.cut(start)
        throw error
      }
    },
    take: () => given(out.take()),
    lend: () => given(out.lend()),
    get chain() {
      return isChained ? { seq, prev } : undefined
    },
    get length() {
      return out.length
    },
  }
}

function packFacts(out: Output, facts: Facts): void {
  const entries = Object.entries(facts)
  out.copy(factsKey)
  out.head(heads.map, entries.length)
  for (const [name, text] of entries) {
    out.text(name)
    out.text(text)
  }
}

function packTimestamp(out: Output, timestamp: bigint): void {
  if (BigInt.asIntN(64, timestamp) !== timestamp) throw new RangeError(`${timestamp} is no 64 bit time`)
  if (timestamp < 0n) out.head(heads.negative, -1n - timestamp)
  else out.head(heads.unsigned, timestamp)
}

function packStructure(out: Output, { fields, raw }: StructurePlan, values: Plain): void {
  let count = fields.length
  for (const { name } of raw) if (values[name] !== undefined) count++
  out.head(heads.map, count)
  for (const { key, kind, name } of fields) {
    out.copy(key)
    packValue(out, kind, values[name])
  }
  if (count === fields.length) return
  // Behind the fields that every reader knows.
  for (const { key, name } of raw) {
    const bytes = values[name]
    if (bytes === undefined) continue
    out.copy(key)
    packBytes(out, bytes as Uint8Array)
  }
}

function packBytes(out: Output, bytes: Uint8Array): void {
  out.head(heads.bytes, bytes.length)
  out.copy(bytes)
}

function packValue(out: Output, kind: FieldKind, value: unknown): void {
  if (value === null) {
    out.byte(heads.nothing)
    return
  }
  switch (kind) {
    case 'text':
      out.text(value as string)
      break
    case 'bytes':
      packBytes(out, value as Uint8Array)
      break
    case 'uint32':
      if ((value as number) > 0xffff_ffff) throw new RangeError(`${value as number} does not fit into 32 bits`)
      out.head(heads.unsigned, value as number)
      break
    case 'uint64':
      out.head(heads.unsigned, value as number | bigint)
      break
    case 'bool':
      out.byte(value === true ? heads.yes : heads.no)
      break
    case 'questions':
    case 'answers':
      packItems(out, itemPlans[kind], value as readonly Plain[])
      break
    default:
      throw new Error(kind satisfies never)
  }
}

function packItems(out: Output, plan: StructurePlan, items: readonly Plain[]): void {
  out.head(heads.array, items.length)
  for (const item of items) packStructure(out, plan, item)
}
