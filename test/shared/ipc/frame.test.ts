import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createFrameDecoder, encodeFrame, type FrameDecoder, FrameError } from '../../../src/shared/ipc/frame.ts'
import { pack } from '../../../src/shared/ipc/msgpack.ts'

const framed = (body: Uint8Array): Buffer => {
  const frame = Buffer.alloc(4 + body.length)
  frame.writeUInt32BE(body.length)
  frame.set(body, 4)
  return frame
}
const all = (decoder: FrameDecoder, chunk: Buffer): unknown[] => {
  decoder.push(chunk)
  const values: unknown[] = []
  for (let decoded = decoder.next(); !decoded.done; decoded = decoder.next()) values.push(decoded.value)
  return values
}
const rejected = (body: string, pattern: RegExp): void => {
  assert.throws(
    () => all(createFrameDecoder(), framed(Buffer.from(body, 'hex'))),
    (error) => error instanceof FrameError && pattern.test(error.message),
    body,
  )
}
/** Plain data: what messages are made of. msgpackr renames the key __proto__, which is what we want of it. */
const data = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.string({ unit: 'binary' }),
    fc.integer(),
    fc.maxSafeInteger(),
    fc.double({ noNaN: true }).filter((value) => !Object.is(value, -0)),
    fc.boolean(),
    fc.constant(null),
    fc.constant(undefined),
    fc.array(tie('value'), { maxLength: 20 }),
    fc.dictionary(
      fc.string({ unit: 'binary' }).filter((key) => key !== '__proto__'),
      tie('value'),
      { noNullPrototype: true },
    ),
  ),
})).value

test('what was sent arrives, in order, however the pipe cuts it', () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 })
  fc.assert(
    fc.property(fc.array(data, { maxLength: 8 }), sizes, (values, cuts) => {
      const bytes = Buffer.concat(values.map((value) => encodeFrame(value)))
      const decoder = createFrameDecoder()
      const received: unknown[] = []
      for (let at = 0, i = 0; at < bytes.length; i++) {
        const size = cuts[i % cuts.length] ?? 1
        received.push(...all(decoder, bytes.subarray(at, at + size)))
        at += size
      }
      assert.deepEqual(received, values)
      assert.equal(decoder.partial, false)
    }),
  )
})

test('bytes stay bytes', () => {
  const [value] = all(createFrameDecoder(), encodeFrame({ blob: new Uint8Array([0, 255]) }))
  assert.deepEqual(value, { blob: Buffer.from([0, 255]) })
})

test('garbage ends in a FrameError or in plain data, never in anything else', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), (body) => {
      try {
        const [value] = all(createFrameDecoder(), framed(body))
        JSON.stringify(value)
      } catch (error) {
        assert.ok(error instanceof FrameError, String(error))
      }
    }),
    { numRuns: 2000 },
  )
})

test('one flipped byte in a real message ends in a FrameError or in plain data', () => {
  const message = pack({ kind: 'log', records: [{ level: 'info', labels: { a: 1, b: 'x'.repeat(300) } }], dropped: 0 })
  fc.assert(
    fc.property(fc.nat(message.length - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
      const body = Buffer.from(message)
      body[at] = (body[at] ?? 0) ^ mask
      try {
        JSON.stringify(all(createFrameDecoder(), framed(body)))
      } catch (error) {
        assert.ok(error instanceof FrameError, String(error))
      }
    }),
    { numRuns: 2000 },
  )
})

test('a length beyond the limit is refused before anything is allocated for it', () => {
  for (const length of ['00000401', 'ffffffff', '00000000']) {
    const decoder = createFrameDecoder(1024)
    assert.throws(() => all(decoder, Buffer.from(length, 'hex')), FrameError, length)
  }
})

test('a frame of exactly the limit passes, and the sender refuses to make a larger one', () => {
  const value = 'x'.repeat(1021)
  assert.deepEqual(all(createFrameDecoder(1024), encodeFrame(value, 1024)), [value])
  assert.throws(() => encodeFrame(`${value}x`, 1024), RangeError)
})

test('lengths inside a frame that go beyond it are refused before anything is allocated for them', () => {
  rejected('dd7fffffff', /array longer/)
  rejected('dcffff00', /array longer/)
  rejected('df7fffffff', /map longer/)
  rejected('db7fffffff00', /ends within/)
  rejected('c6ffffffff', /ends within/)
})

test('a truncated value, a second value and a key that is no string are refused', () => {
  rejected('a3', /ends within/)
  rejected('92c0', /array longer/)
  rejected('cb00', /ends within/)
  rejected('c0c0', /after the value/)
  rejected('8101c0', /key/)
  rejected('81c0c0', /key/)
})

test('extension types are refused: records, classes, references, dates', () => {
  rejected('d4724091a161c0', /extension/)
  rejected('d572400091a161c0', /0xd5/)
  rejected('d6ff00000000', /0xd6/)
  rejected('c70365a16100', /0xc7/)
  rejected('d469c0', /extension/)
})

test('nesting without end is refused, not followed', () => {
  rejected(`${'91'.repeat(100_000)}c0`, /deep/)
  rejected(`${'81a161'.repeat(100)}c0`, /deep/)
})

test('a stream that ends within a frame is seen as partial', () => {
  const frame = encodeFrame({ a: 1 })
  for (let cut = 1; cut < frame.length; cut++) {
    const decoder = createFrameDecoder()
    assert.deepEqual(all(decoder, frame.subarray(0, cut)), [])
    assert.equal(decoder.partial, true, String(cut))
  }
})

test('a key __proto__ does not become the prototype of a message', () => {
  const body = Buffer.concat([
    Buffer.from([0x81, 0xa9]),
    Buffer.from('__proto__'),
    Buffer.from([0x81, 0xa1, 0x61, 0x01]),
  ])
  const [value] = all(createFrameDecoder(), framed(body)) as [Record<string, unknown>]
  assert.equal(Object.getPrototypeOf(value), Object.prototype)
  assert.equal('a' in value, false)
})

test('a message whose last field is many bytes is what msgpackr would have written', () => {
  for (const length of [4095, 4096, 70_000, 500_000]) {
    const batch = Buffer.alloc(length, 'bytes')
    const value = { kind: 'audit', ticket: 7, batch }
    const frame = encodeFrame(value)
    const decoder = createFrameDecoder()
    decoder.push(frame)
    assert.deepEqual(decoder.next(), { done: false, value })
    assert.equal(decoder.partial, false)
  }
  assert.throws(() => encodeFrame({ batch: Buffer.alloc(5000) }, 5000), /a message of 5\d\d\d bytes exceeds 5000/)
})
