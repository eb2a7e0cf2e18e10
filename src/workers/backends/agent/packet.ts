/** Packets of the guest agent's `forward-server`: CBOR maps, one after the other, without a length in front. */
import { CborReader, encode, extent } from './cbor.ts'

export const type = {
  setup: 0,
  success: 1,
  error: 2,
  data: 3,
  newConnection: 4,
  closeConnection: 5,
  noMoreConnections: 6,
  /** Extensions: so many more bytes of a connection may be sent; nothing more of it will be sent. */
  window: 7,
  end: 8,
} as const

export interface Packet {
  readonly type: number
  /** 0: not about a connection. */
  readonly id: number
  /** A part of what was pushed. */
  readonly payload: Buffer
}

/** Old agents send up to 32 KiB of data, and so do we. */
export const dataBytes = 32 * 1024
const mostBytes = 4 * dataBytes
const nothing = Buffer.alloc(0)

export const packet = (Type: number, ConnectionId: number, Payload: Uint8Array = nothing): Buffer =>
  encode({ Type, ConnectionId, Payload })

/** Cuts a stream into packets. It keeps what it is given until it is a packet. */
export class PacketReader {
  #chunks: Buffer[] = []
  #length = 0
  /** Fewer bytes are no packet. */
  #needed = 1

  push(bytes: Buffer): void {
    if (bytes.length === 0) return
    this.#chunks.push(bytes)
    this.#length += bytes.length
  }

  /** True between packets: where a stream may end. */
  get complete(): boolean {
    return this.#length === 0
  }

  /** Undefined: more has to come. @throws CborError, after which the stream is of no use */
  next(): Packet | undefined {
    if (this.#length < this.#needed) return undefined
    const bytes = this.#chunks.length === 1 ? (this.#chunks[0] ?? nothing) : Buffer.concat(this.#chunks)
    const length = extent(bytes, 0, mostBytes)
    if (length < 0) {
      this.#chunks = [bytes]
      this.#needed = -length
      return undefined
    }
    const found = read(bytes)
    const rest = bytes.subarray(length)
    this.#chunks = rest.length === 0 ? [] : [rest]
    this.#length = rest.length
    this.#needed = 1
    return found
  }
}

function read(bytes: Buffer): Packet {
  const reader = new CborReader(bytes)
  let [kind, id, payload]: [number, number, Buffer] = [type.setup, 0, nothing]
  for (let pairs = reader.map(); pairs > 0; pairs -= 1) {
    const key = reader.text().toLowerCase()
    if (key === 'type') kind = reader.uint()
    else if (key === 'connectionid') id = reader.uint()
    else if (key === 'payload') payload = reader.bytes()
    else reader.skip()
  }
  return { type: kind, id, payload }
}
