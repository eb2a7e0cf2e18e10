import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { Duplex } from 'node:stream'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { Outbox } from '../../src/workers/outbox.ts'

/** Takes everything at once. */
function sink(taken: Buffer[]): Duplex {
  return new Duplex({
    read: () => undefined,
    write: (chunk, _encoding, done) => {
      taken.push(chunk)
      done()
    },
  })
}

test('everything put in one tick leaves in one write, in order', async () => {
  const taken: Buffer[] = []
  const outbox = new Outbox(sink(taken), () => undefined)
  for (const text of ['a', 'bc', 'def']) {
    const packet = outbox.take(text.length)
    packet.write(text)
    outbox.put(packet)
  }
  outbox.put(Buffer.from('made elsewhere'))
  assert.equal(outbox.bytes, 20)
  await turn()
  assert.deepEqual(taken.map(String), ['abcdefmade elsewhere'])
  assert.equal(outbox.bytes, 0)
})

test('what was put last is completed before anything leaves', async () => {
  const taken: Buffer[] = []
  const outbox = new Outbox(sink(taken), () => undefined)
  const packet = outbox.take(4)
  packet.write('....')
  outbox.put(packet)
  outbox.complete = () => void packet.write('done')
  await turn()
  assert.deepEqual(taken.map(String), ['done'])
})

test('a keystroke leaves with its tick; what is larger waits for a turn of the event loop that brings no more', async () => {
  const taken: Buffer[] = []
  const outbox = new Outbox(sink(taken), () => undefined)
  outbox.put(Buffer.alloc(100))
  await new Promise<void>((resolve) => process.nextTick(resolve))
  assert.deepEqual(
    taken.map(({ length }) => length),
    [100],
  )
  for (let piece = 0; piece < 5; piece++) {
    outbox.put(Buffer.alloc(4000))
    await turn()
  }
  for (let turns = 0; outbox.bytes > 0; turns++) {
    assert.ok(turns < 3)
    await turn()
  }
  assert.deepEqual(
    taken.map(({ length }) => length),
    [100, 20_000],
  )
})

test('a producer that always has more is written all the same', async () => {
  const taken: Buffer[] = []
  const outbox = new Outbox(sink(taken), () => undefined)
  for (let piece = 0; piece < 100; piece++) {
    outbox.put(Buffer.alloc(4000))
    assert.ok(outbox.bytes <= 256 * 1024, `${outbox.bytes} bytes wait`)
    await turn()
  }
  assert.ok(taken.length >= 2)
})

test('a producer that refills whenever there is room does not starve the event loop', async () => {
  const taken: Buffer[] = []
  let refills = 0
  const outbox: Outbox = new Outbox(sink(taken), () => {
    // Far more than the turns below: without a pause between them this never returns.
    if (refills++ < 1_000_000) outbox.put(Buffer.alloc(1000))
  })
  outbox.put(Buffer.alloc(1000))
  for (let count = 0; count < 10; count++) await turn()
  outbox.close()
  assert.ok(refills < 100, `${refills} refills in 10 turns of the event loop`)
})

test('what a slow TCP reader has not taken stays unchanged, though memory is used again', async () => {
  const server = createServer({ pauseOnConnect: true })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const [reader] = await once(server, 'connection')
  await once(socket, 'connect')
  const outbox = new Outbox(socket, () => undefined)
  const sizes = [1, 1000, 32_000, 200_000, 131_072, 65_536, 300_000]
  let total = 0
  for (let round = 0; outbox.bytes < 4_000_000; round++) {
    const size = sizes[round % sizes.length] ?? 1
    const packet = outbox.take(size)
    for (let at = 0; at < size; at++) packet[at] = (total + at) % 251
    outbox.put(packet)
    total += size
    if (round % 3 === 0) await turn()
  }
  let received = 0
  for await (const chunk of reader) {
    for (const byte of chunk) assert.equal(byte, received++ % 251)
    if (received === total) break
  }
  assert.equal(received, total)
  while (outbox.bytes > 0) await turn()
  socket.destroy()
  server.close()
})

test('after end() what was put before is written, then the stream ends', async () => {
  const taken: Buffer[] = []
  const stream = sink(taken)
  const outbox = new Outbox(stream, () => undefined)
  outbox.put(Buffer.from('last'))
  outbox.end()
  outbox.put(Buffer.from('too late'))
  await once(stream, 'finish')
  assert.deepEqual(taken.map(String), ['last'])
})
