/**
 * Audit records on their way from a worker to the pool: one MessagePack array for each,
 * `[number of the type, nanoseconds, channel or nil, payload or nil]`, and the facts if there are any, one after the other.
 * The payload is a map with the fields of the catalogue. The log that they belong to is known to both sides.
 */
import { Packr } from 'msgpackr'
import { SPARE_BYTES, takeSpare } from '../spare-memory.ts'
import { catalogue } from './catalogue.ts'
import type { AuditRecord } from './record.ts'

export interface Batch {
  /** Copies everything that the record refers to. */
  add(record: AuditRecord): void
  /** A block of I/O: one copy, no object made on the way. `timestamp`: nanoseconds since 1970. */
  addIo(timestamp: bigint, channelId: number, stream: 0 | 1 | 2, data: Uint8Array): void
  /** What was added since the last call; the caller's from now on, who may give it back with `giveSpare`. */
  take(): Uint8Array
  readonly length: number
}

const packr = new Packr({ useRecords: false, variableMapSize: true })
const firstBytes = 1024
/** Of a block of a stream in full flow: others will follow. */
const largeBytes = 4096
const arrayOf4 = 0x94
const int64 = 0xd3
const uint32 = 0xce
const bin32 = 0xc6
/** `{stream, data}` up to the value of `stream`, and the key between the two. */
const ioHead = Uint8Array.of(0x82, 0xa6, ...Buffer.from('stream'))
const dataKey = Uint8Array.of(0xa4, ...Buffer.from('data'))
const ioType = Uint8Array.of(0xcd, catalogue.io.number >> 8, catalogue.io.number & 0xff)
/** Of a block of I/O, without its bytes. */
const ioBytes = 1 + ioType.length + 9 + 5 + ioHead.length + 1 + dataKey.length + 5

export function createBatch(): Batch {
  let buffer: Buffer<ArrayBufferLike> = Buffer.alloc(0)
  let at = 0
  const reserve = (count: number): void => {
    if (at + count <= buffer.length) return
    const wanted = Math.max(count < largeBytes ? firstBytes : SPARE_BYTES, buffer.length * 2, at + count)
    const isLarge = wanted > largeBytes && wanted <= SPARE_BYTES
    const larger = isLarge ? takeSpare() : Buffer.allocUnsafeSlow(wanted)
    buffer.copy(larger, 0, 0, at)
    buffer = larger
  }
  const put = (bytes: Uint8Array): void => {
    buffer.set(bytes, at)
    at += bytes.length
  }
  return {
    add({ type, timestamp, channelId, payload, facts }) {
      // A bigint is packed as 64 bit, whatever its value.
      const parts = [catalogue[type].number, timestamp, channelId, payload]
      const bytes = packr.pack(facts === undefined ? parts : [...parts, facts])
      reserve(bytes.length)
      put(bytes)
    },
    addIo(timestamp, channelId, stream, data) {
      reserve(ioBytes + data.length)
      buffer[at++] = arrayOf4
      put(ioType)
      buffer[at++] = int64
      at = buffer.writeBigInt64BE(timestamp, at)
      buffer[at++] = uint32
      at = buffer.writeUInt32BE(channelId, at)
      put(ioHead)
      buffer[at++] = stream
      put(dataKey)
      buffer[at++] = bin32
      at = buffer.writeUInt32BE(data.length, at)
      put(data)
    },
    take() {
      const taken = buffer.subarray(0, at)
      buffer = Buffer.alloc(0)
      at = 0
      return taken
    },
    get length() {
      return at
    },
  }
}
