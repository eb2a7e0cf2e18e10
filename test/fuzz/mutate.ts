/** One input made of others, as coverage-guided fuzzers do it. */
import { randomInt } from 'node:crypto'

const telling = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff]
const one = <T>(list: readonly T[]): T | undefined => list[randomInt(list.length)]

const changes: readonly ((bytes: Buffer, other: Buffer) => Buffer)[] = [
  (bytes) => set(bytes, randomInt(256)),
  (bytes) => set(bytes, (bytes[0] ?? 0) ^ (1 << randomInt(8))),
  (bytes) => {
    const width = one([1, 2, 4]) ?? 1
    if (bytes.length < width) return bytes
    const copy = Buffer.from(bytes)
    copy.writeUIntBE((one(telling) ?? 0) % 2 ** (8 * width), randomInt(bytes.length - width + 1), width)
    return copy
  },
  (bytes) => {
    const [from, to] = place(bytes)
    return Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)])
  },
  (bytes) => {
    const [from, to] = place(bytes)
    return Buffer.concat([bytes.subarray(0, to), bytes.subarray(from)])
  },
  (bytes, other) => {
    const [at] = place(bytes)
    const [from, to] = place(other)
    return Buffer.concat([bytes.subarray(0, at), other.subarray(from, to), bytes.subarray(at)])
  },
  (bytes, other) => Buffer.concat([bytes.subarray(0, place(bytes)[0]), other.subarray(place(other)[0])]),
]

function set(bytes: Buffer, value: number): Buffer {
  if (bytes.length === 0) return Buffer.of(value)
  const copy = Buffer.from(bytes)
  copy[randomInt(copy.length)] = value
  return copy
}

function place(bytes: Buffer): [from: number, to: number] {
  const from = randomInt(bytes.length + 1)
  return [from, Math.min(bytes.length, from + randomInt(1, 33))]
}

export function mutated(bytes: Buffer, other: Buffer, mostBytes: number): Buffer {
  let changed = bytes
  for (let count = randomInt(1, 6); count > 0; count--) changed = one(changes)?.(changed, other) ?? changed
  return Buffer.from(changed.subarray(0, mostBytes))
}
