/** The records of a batch. A worker made it, and a worker may be taken over: every value is held against the catalogue. */
import { Unpackr } from 'msgpackr'
import { valueEnd } from '../ipc/msgpack.ts'
import { catalogue, type FieldKind, type Fields, items, type MessageType, messageTypes } from './catalogue.ts'
import { type AuditRecord, mostFacts } from './record.ts'

/** The bytes are no batch. */
export class BatchError extends Error {}

const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true, int64AsType: 'bigint' })
const typesByNumber = new Map<unknown, MessageType>(messageTypes.map((type) => [catalogue[type].number, type]))

/**
 * Bytes in the records are part of `batch`.
 * @throws BatchError
 */
export function* recordsOf(batch: Buffer, connectionId: string): Generator<AuditRecord> {
  for (let at = 0; at < batch.length; ) {
    const end = endOf(batch, at)
    yield recordOf(unpackr.unpack(batch.subarray(at, end)), connectionId)
    at = end
  }
}

function endOf(batch: Buffer, at: number): number {
  try {
    return valueEnd(batch, at)
  } catch (error) {
    throw new BatchError(`byte ${at} of a batch: ${(error as Error).message}`, { cause: error })
  }
}

function recordOf(value: unknown, connectionId: string): AuditRecord {
  if (!Array.isArray(value) || value.length < 4 || value.length > 5) {
    throw new BatchError('expected an array of 4 or 5, found something else')
  }
  const [number, time, channelId, payload, facts]: unknown[] = value
  const type = typesByNumber.get(number)
  if (type === undefined) throw new BatchError(`no message has the number ${String(number)}`)
  const timestamp = typeof time === 'number' && Number.isSafeInteger(time) ? BigInt(time) : time
  if (typeof timestamp !== 'bigint') throw new BatchError(`${type}: the time is no integer`)
  if (channelId !== null && !isUint(channelId, 2 ** 32)) throw new BatchError(`${type}: the channel is no number`)
  const { payload: fields } = catalogue[type]
  if (fields === null ? payload !== null : !isPayload(fields, payload)) {
    throw new BatchError(`${type}: the payload has other fields than the catalogue`)
  }
  if (value.length === 5 && !isFacts(facts)) throw new BatchError(`${type}: the facts are no texts`)
  // Each part has just been held against the catalogue: this is the parse.
  return {
    connectionId,
    timestamp,
    type,
    channelId,
    payload,
    ...(facts !== undefined && { facts }),
  } as unknown as AuditRecord
}

function isFacts(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const texts = Object.values(value)
  return texts.length <= mostFacts && texts.every((text) => typeof text === 'string')
}

function isPayload(fields: Fields, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const entries = Object.entries(value)
  for (const [name, field] of entries) {
    const kind = Object.hasOwn(fields, name) ? fields[name] : undefined
    if (kind !== undefined ? !isKind[kind](field) : !isRaw(fields, name, field)) return false
  }
  return Object.keys(fields).every((name) => Object.hasOwn(value, name))
}

/** The bytes of a text that is no UTF-8, under a key of their own. */
const isRaw = (fields: Fields, name: string, value: unknown): boolean =>
  value === undefined || (name.endsWith('Raw') && fields[name.slice(0, -3)] === 'text' && value instanceof Uint8Array)

const isUint = (value: unknown, limit: number): boolean =>
  Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) < limit
const isList = (fields: Fields, value: unknown): boolean =>
  value === null || (Array.isArray(value) && value.every((item) => isPayload(fields, item)))

const isKind: Readonly<Record<FieldKind, (value: unknown) => boolean>> = {
  text: (value) => typeof value === 'string',
  bytes: (value) => value === null || value instanceof Uint8Array,
  uint64: (value) => isUint(value, 2 ** 53) || (typeof value === 'bigint' && BigInt.asUintN(64, value) === value),
  uint32: (value) => isUint(value, 2 ** 32),
  bool: (value) => typeof value === 'boolean',
  questions: (value) => isList(items.questions, value),
  answers: (value) => isList(items.answers, value),
}
