/**
 * Audit records to CBOR (RFC 8949), byte for byte as the format has it: definite lengths, integers and lengths in their
 * shortest form, keys in the order of the catalogue. Packed by hand from keys that are encoded once.
 */
import { catalogue, type FieldKind, type Fields, items, type MessageType, messageTypes } from './catalogue.ts'
import { createOutput, heads, type Output } from './cbor-output.ts'
import type { AuditRecord } from './record.ts'

interface FieldPlan {
  readonly name: string
  readonly kind: FieldKind
  readonly key: Uint8Array
  /** Of a text field: where the bytes stand that are not UTF-8. */
  readonly raw: { readonly name: string; readonly key: Uint8Array } | undefined
}
interface MessagePlan {
  /** Key and value of `type`, and the key of `payload`. */
  readonly head: Uint8Array
  readonly fields: readonly FieldPlan[] | undefined
}

const encoded = (write: (out: Output) => void): Uint8Array => {
  const out = createOutput()
  write(out)
  return out.take()
}
const short = (text: string): Uint8Array => encoded((out) => out.text(text))

const planOf = (fields: Fields): readonly FieldPlan[] =>
  Object.entries(fields).map(([name, kind]) => ({
    name,
    kind,
    key: short(name),
    raw: kind === 'text' ? { name: `${name}Raw`, key: short(`${name}Raw`) } : undefined,
  }))
const plans = new Map<MessageType, MessagePlan>(
  messageTypes.map((type) => {
    const { number, payload } = catalogue[type]
    const head = encoded((out) => {
      out.text('type')
      out.head(heads.unsigned, number)
      out.text('payload')
    })
    return [type, { head, fields: payload === null ? undefined : planOf(payload) }]
  }),
)
const itemPlans = { questions: planOf(items.questions), answers: planOf(items.answers) }
const channelKey = short('channelId')

type Plain = Readonly<Record<string, unknown>>

export interface Packer {
  /** Texts that are no well-formed UTF-16 get U+FFFD in their places. @throws RangeError for numbers that do not fit. */
  pack(record: AuditRecord): void
  /** What was packed since the last call; the caller's from now on. Between two batches nothing is kept in memory. */
  take(): Uint8Array
  /** Bytes that `take` would give. */
  readonly length: number
}

/** For the records of one connection: `connectionId` of each is taken to be this one. */
export function createPacker(connectionId: string): Packer {
  const prefix = encoded((out) => {
    out.head(heads.map, 5)
    out.text('connectionId')
    out.text(connectionId)
    out.text('timestamp')
  })
  const out = createOutput()
  return {
    pack(record) {
      const plan = plans.get(record.type)
      if (plan === undefined) throw new RangeError(`no such message: ${record.type}`)
      const start = out.length
      try {
        out.copy(prefix)
        packTimestamp(out, record.timestamp)
        out.copy(plan.head)
        if (plan.fields === undefined) out.byte(heads.nothing)
        else packStruct(out, plan.fields, record.payload as Plain)
        out.copy(channelKey)
        if (record.channelId === null) out.byte(heads.nothing)
        else out.head(heads.unsigned, record.channelId)
      } catch (error) {
        // Half a record would make the rest of the log unreadable.
        out.cut(start)
        throw error
      }
    },
    take: () => out.take(),
    get length() {
      return out.length
    },
  }
}

function packTimestamp(out: Output, timestamp: bigint): void {
  if (BigInt.asIntN(64, timestamp) !== timestamp) throw new RangeError(`${timestamp} is no 64 bit time`)
  if (timestamp < 0n) out.head(heads.negative, -1n - timestamp)
  else out.head(heads.unsigned, timestamp)
}

function packStruct(out: Output, fields: readonly FieldPlan[], values: Plain): void {
  let count = fields.length
  for (const { raw } of fields) if (raw !== undefined && values[raw.name] !== undefined) count++
  out.head(heads.map, count)
  for (const { key, kind, name } of fields) {
    out.copy(key)
    packValue(out, kind, values[name])
  }
  if (count === fields.length) return
  // Behind the fields that every reader knows.
  for (const { raw } of fields) {
    const bytes = raw === undefined ? undefined : values[raw.name]
    if (raw === undefined || bytes === undefined) continue
    out.copy(raw.key)
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

function packItems(out: Output, plan: readonly FieldPlan[], items: readonly Plain[]): void {
  out.head(heads.array, items.length)
  for (const item of items) packStruct(out, plan, item)
}
