/** One CBOR map to a record, as tolerant as the Go program's decoder: any order and case of keys, unknown ones, none at all. */
import { catalogue, type FieldKind, type Fields, items, type MessageType, messageTypes } from './catalogue.ts'
import * as cbor from './cbor-cursor.ts'
import { type AuditRecord, type Facts, mostFacts } from './record.ts'

/** Longest list of questions or answers. */
const mostItems = 4096

/** The record cannot be understood; others after it can. */
export class RecordError extends Error {
  readonly kind: 'not-a-map' | 'unknown-type' | 'bad-field'
  readonly expected: string
  readonly found: string
  /** Name of the field. */
  readonly field: string | undefined
  constructor(kind: RecordError['kind'], expected: string, found: string, field?: string) {
    super(`expected ${expected}, found ${found}`)
    this.kind = kind
    this.expected = expected
    this.found = found
    this.field = field
  }
}

interface Structure {
  readonly fields: ReadonlyMap<string, FieldKind>
  readonly lowerCase: ReadonlyMap<string, string>
  /** Key to the bytes of a text field, and that field. */
  readonly raw: ReadonlyMap<string, string>
}
const structureOf = (fields: Fields): Structure => {
  const names = Object.keys(fields)
  return {
    fields: new Map(Object.entries(fields)),
    lowerCase: new Map(names.map((name) => [name.toLowerCase(), name])),
    raw: new Map(names.filter((name) => fields[name] === 'text').map((name) => [`${name}Raw`, name])),
  }
}
interface Known {
  readonly type: MessageType
  readonly structure: Structure | undefined
}
const messages = new Map<number, Known>(
  messageTypes.map((type) => {
    const { number, payload } = catalogue[type]
    return [number, { type, structure: payload === null ? undefined : structureOf(payload) }]
  }),
)
const itemStructures = { questions: structureOf(items.questions), answers: structureOf(items.answers) }

const envelope = ['connectionId', 'timestamp', 'type', 'payload', 'channelId', 'facts'] as const
const envelopeNames = new Map<string, (typeof envelope)[number]>(
  envelope.flatMap((name) => [
    [name, name],
    [name.toLowerCase(), name],
  ]),
)

export interface ReadRecord {
  readonly record: AuditRecord
  /** A text of it was stored as something that is not UTF-8. */
  readonly repaired: boolean
}
type Plain = Record<string, unknown>
interface Reading extends cbor.Cursor {
  repaired: boolean
}

/**
 * `bytes` from `at` hold one whole, well-formed item. Nothing of the record refers to them.
 * @throws RecordError
 */
export function readRecord(bytes: Buffer, at: number): ReadRecord {
  const reading: Reading = { bytes, at, repaired: false }
  const kind = cbor.kindAt(reading)
  if (kind !== 'map') throw new RecordError('not-a-map', 'a map', named(kind))
  let connectionId = ''
  let timestamp = 0n
  let number = 0
  let payloadAt = -1
  let channelId: number | bigint | null = null
  let facts: Facts | undefined
  cbor.eachOf(reading, () => {
    switch (keyOf(reading, envelopeNames)) {
      case 'connectionId':
        connectionId = readText(reading, 'connectionId').text
        break
      case 'timestamp':
        timestamp = readTimestamp(reading)
        break
      case 'type':
        number = Number(readUnsigned(reading, 'type', 'the number of a message'))
        break
      case 'payload':
        // What it means depends on the type, which may come later.
        payloadAt = reading.at
        cbor.skip(reading)
        break
      case 'channelId':
        channelId = skippedNull(reading) ? null : readUnsigned(reading, 'channelId')
        break
      case 'facts':
        facts = readFacts(reading)
        break
      default:
        cbor.skip(reading)
    }
  })
  const known = messages.get(number)
  if (known === undefined) throw new RecordError('unknown-type', 'a known message number', String(number))
  const payload = known.structure === undefined ? null : readPayload(reading, payloadAt, known.structure)
  // The catalogue that the payload was read by is the one that the types are made of.
  const record = { connectionId, timestamp, type: known.type, payload, channelId, ...(facts && { facts }) }
  return { record: record as AuditRecord, repaired: reading.repaired }
}

/** Ours alone: what is no text is no fact, and no reason to refuse the message. */
function readFacts(reading: Reading): Facts | undefined {
  if (cbor.kindAt(reading) !== 'map') {
    cbor.skip(reading)
    return undefined
  }
  const facts = new Map<string, string>()
  cbor.eachOf(reading, () => {
    const name = factOf(reading)
    const text = factOf(reading)
    if (name !== undefined && text !== undefined && facts.size < mostFacts) facts.set(name, text)
  })
  return Object.fromEntries(facts)
}
function factOf(reading: Reading): string | undefined {
  if (cbor.kindAt(reading) === 'text') return cbor.text(reading).text
  cbor.skip(reading)
  return undefined
}

function keyOf<Name extends string>(reading: Reading, names: ReadonlyMap<string, Name>): Name | undefined {
  if (cbor.kindAt(reading) !== 'text') {
    cbor.skip(reading)
    return undefined
  }
  const key = cbor.string(reading).toString('latin1')
  return names.get(key) ?? names.get(key.toLowerCase())
}

function readPayload(reading: Reading, at: number, structure: Structure): Plain {
  if (at < 0) return zeroes(structure)
  reading.at = at
  const kind = cbor.kindAt(reading)
  if (kind === 'null') return zeroes(structure)
  if (kind !== 'map') throw new RecordError('bad-field', 'a map or null in payload', named(kind), 'payload')
  return readStructure(reading, structure)
}

const zeroOf = (kind: FieldKind): unknown => {
  if (kind === 'text') return ''
  if (kind === 'bool') return false
  return kind === 'uint32' || kind === 'uint64' ? 0 : null
}
const zeroes = ({ fields }: Structure): Plain => {
  const values: Plain = {}
  for (const [name, kind] of fields) values[name] = zeroOf(kind)
  return values
}

/** The cursor is at a map. */
function readStructure(reading: Reading, structure: Structure): Plain {
  const values = zeroes(structure)
  cbor.eachOf(reading, () => {
    if (cbor.kindAt(reading) !== 'text') {
      cbor.skip(reading)
      cbor.skip(reading)
      return
    }
    const key = cbor.string(reading).toString('latin1')
    const name = structure.fields.has(key) ? key : structure.lowerCase.get(key.toLowerCase())
    const kind = name === undefined ? undefined : structure.fields.get(name)
    if (name !== undefined && kind !== undefined) readField(reading, values, name, kind)
    else if (structure.raw.has(key) && cbor.kindAt(reading) === 'bytes') values[key] = copied(reading)
    else cbor.skip(reading)
  })
  return values
}

function readField(reading: Reading, values: Plain, name: string, kind: FieldKind): void {
  if (skippedNull(reading)) values[name] = zeroOf(kind)
  else if (kind === 'text') {
    const { text, invalid } = readText(reading, name)
    values[name] = text
    if (invalid !== undefined) values[`${name}Raw`] = invalid
  } else values[name] = readValue(reading, kind, name)
}

function readValue(reading: Reading, kind: Exclude<FieldKind, 'text'>, name: string): unknown {
  switch (kind) {
    case 'bytes':
      expect(reading, 'bytes', 'a byte string', name)
      return copied(reading)
    case 'bool':
      expect(reading, 'bool', 'a boolean', name)
      return cbor.bool(reading)
    case 'uint64':
      return readUnsigned(reading, name)
    case 'uint32': {
      const value = readUnsigned(reading, name)
      if (value > 0xffff_ffff) throw new RecordError('bad-field', `at most 4294967295 in ${name}`, `${value}`, name)
      return value
    }
    case 'questions':
    case 'answers':
      return readItems(reading, itemStructures[kind], name)
    default:
      throw new Error(kind satisfies never)
  }
}

function readItems(reading: Reading, structure: Structure, name: string): Plain[] {
  expect(reading, 'array', 'an array', name)
  const list: Plain[] = []
  cbor.eachOf(reading, () => {
    if (list.length === mostItems) {
      throw new RecordError('bad-field', `at most ${mostItems} elements in ${name}`, 'more', name)
    }
    expect(reading, 'map', 'an array of maps', name)
    list.push(readStructure(reading, structure))
  })
  return list
}

const names: Readonly<Partial<Record<cbor.ItemKind, string>>> = {
  unsigned: 'an unsigned integer',
  negative: 'a negative number',
  bytes: 'a byte string',
  text: 'a text',
  array: 'an array',
  map: 'a map',
  bool: 'a boolean',
  float: 'a floating-point number',
}
export const named = (kind: cbor.ItemKind): string => names[kind] ?? kind

function expect(reading: Reading, wanted: cbor.ItemKind, expected: string, name: string): void {
  const kind = cbor.kindAt(reading)
  if (kind !== wanted) throw new RecordError('bad-field', `${expected} in ${name}`, named(kind), name)
}
function skippedNull(reading: Reading): boolean {
  const isNull = cbor.kindAt(reading) === 'null'
  if (isNull) cbor.skip(reading)
  return isNull
}
function readText(reading: Reading, name: string): cbor.Text {
  if (skippedNull(reading)) return { text: '' }
  expect(reading, 'text', 'a text', name)
  const text = cbor.text(reading)
  if (text.invalid !== undefined) reading.repaired = true
  return text
}
function readUnsigned(reading: Reading, name: string, expected = 'an unsigned integer'): number | bigint {
  if (skippedNull(reading)) return 0
  expect(reading, 'unsigned', expected, name)
  return cbor.integer(reading)
}
function readTimestamp(reading: Reading): bigint {
  if (skippedNull(reading)) return 0n
  const kind = cbor.kindAt(reading)
  if (kind !== 'negative') expect(reading, 'unsigned', 'an integer', 'timestamp')
  const size = BigInt(cbor.integer(reading))
  const value = kind === 'negative' ? -1n - size : size
  if (BigInt.asIntN(64, value) === value) return value
  throw new RecordError('bad-field', 'a 64 bit integer in timestamp', `${value}`, 'timestamp')
}
const copied = (reading: Reading): Uint8Array => Uint8Array.from(cbor.string(reading))
