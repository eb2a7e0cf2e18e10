import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { CorruptStreamError, createDemux, type FrameType } from '../../../../src/workers/backends/guest/demux.ts'

const frame = (type: number, payload: Uint8Array): Buffer => {
  const header = Buffer.alloc(8)
  header[0] = type
  header.writeUInt32BE(payload.length, 4)
  return Buffer.concat([header, payload])
}

test('frames come out whole and in order, however the stream is cut', () => {
  const type = fc.constantFrom(1, 2)
  const frames = fc.array(fc.tuple(type, fc.uint8Array({ maxLength: 40 })), { maxLength: 20 })
  fc.assert(
    fc.property(frames, fc.infiniteStream(fc.integer({ min: 1, max: 30 })), (list, cuts) => {
      const stream = Buffer.concat(list.map(([kind, payload]) => frame(kind, payload)))
      const seen = { stdout: [] as number[], stderr: [] as number[], system: [] as number[] }
      const demux = createDemux((kind: FrameType, payload) => seen[kind].push(...payload))
      for (let at = 0; at < stream.length; ) {
        const length = cuts.next().value
        demux.push(stream.subarray(at, at + length))
        at += length
      }
      assert.ok(demux.complete)
      const of = (kind: number): number[] => list.flatMap(([each, payload]) => (each === kind ? [...payload] : []))
      assert.deepEqual(seen.stdout, of(1))
      assert.deepEqual(seen.stderr, of(2))
    }),
  )
})

test('payload is handed on in pieces of the chunk, without a copy', () => {
  const chunk = frame(1, Buffer.from('hello'))
  const pieces: Uint8Array[] = []
  createDemux((_type, payload) => pieces.push(payload)).push(chunk)
  assert.equal(pieces[0]?.buffer, chunk.buffer)
})

test('small frames side by side are handed on together, those of another type and those that fill a packet are not', () => {
  const of = (...lengths: readonly (readonly [1 | 2, number])[]): string[] => {
    const chunk = Buffer.concat(lengths.map(([kind, length], index) => frame(kind, Buffer.alloc(length, index + 1))))
    const pieces: string[] = []
    createDemux((kind, payload) => {
      const runs = [...new Set(payload)].map((byte) => `${byte}x${payload.filter((each) => each === byte).length}`)
      pieces.push(`${kind} ${runs.join(' ')}`)
    }).push(chunk)
    return pieces
  }
  assert.deepEqual(of([1, 4096], [1, 4096], [2, 10], [1, 5]), ['stdout 1x4096 2x4096', 'stderr 3x10', 'stdout 4x5'])
  assert.deepEqual(of([1, 32_768], [1, 32_768], [1, 100]), ['stdout 1x32768', 'stdout 2x32768', 'stdout 3x100'])
})

test('what came before a damaged header is handed on', () => {
  const pieces: string[] = []
  const demux = createDemux((type, payload) => pieces.push(`${type} ${Buffer.from(payload)}`))
  const stream = Buffer.concat([frame(1, Buffer.from('one ')), frame(1, Buffer.from('two')), Buffer.alloc(8, 0xff)])
  assert.throws(() => demux.push(stream), CorruptStreamError)
  assert.deepEqual(pieces, ['stdout one two'])
})

test('a stream that ends within a frame is not complete', () => {
  const demux = createDemux(() => undefined)
  demux.push(frame(1, Buffer.from('hello')).subarray(0, 10))
  assert.ok(!demux.complete)
})

for (const [what, header] of [
  ['type 4', [4, 0, 0, 0, 0, 0, 0, 1]],
  ['padding', [1, 0, 1, 0, 0, 0, 0, 1]],
  ['a length of 2 GiB', [1, 0, 0, 0, 0x80, 0, 0, 0]],
] as const) {
  test(`a header with ${what} is damage`, () => {
    const demux = createDemux(() => undefined)
    assert.throws(() => demux.push(Uint8Array.from(header)), CorruptStreamError)
  })
}
