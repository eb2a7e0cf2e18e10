import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { defaults } from '../../../src/shared/config/schema.ts'
import { Budget } from '../../../src/workers/ssh/budget.ts'
import { firstWindowBytes, Input } from '../../../src/workers/ssh/input.ts'
import { Output } from '../../../src/workers/ssh/output.ts'
import { ByteQueue } from '../../../src/workers/ssh/queue.ts'
import { Backlog, Turns } from '../../../src/workers/ssh/turns.ts'
import { Collector, WireDouble } from './double.ts'

const largestWindowBytes = defaults().limits.channelWindowBytes

/** Bytes that tell where they stood. */
const sequence = (from: number, length: number): Buffer =>
  Buffer.from(Array.from({ length }, (_, i) => (from + i) % 251))

function output(windowBytes: number, maximumPacket = 32_768, wire = new WireDouble()) {
  const turns = new Turns(wire, new Backlog(1 << 30))
  let ended = 0
  const one = new Output(wire, turns, { sender: 0, windowBytes, maximumPacket }, { outputEnded: () => ended++ })
  return { wire, turns, output: one, ended: () => ended }
}

/** Payload bytes by stream: 94 is stdout, 95 is stderr. */
function received(wire: WireDouble, number = 94, channel = 0): Buffer {
  const mine = wire.sent.filter((packet) => packet[0] === number && packet.readUInt32BE(1) === channel)
  return Buffer.concat(mine.map((packet) => packet.subarray(number === 94 ? 9 : 13)))
}

describe('output', () => {
  test('goes straight into packets while window and wire are open', () => {
    const { wire, output: out } = output(100_000)
    assert.equal(out.stdout.write(sequence(0, 70_000)), true)
    assert.deepEqual(
      wire.sent.map((packet) => packet.length - 9),
      [32_768, 32_768, 4464],
    )
    assert.deepEqual(received(wire), sequence(0, 70_000))
  })

  test('keeps to the packet size of the peer', () => {
    const { wire, output: out } = output(100, 10)
    out.stderr.write(sequence(0, 25))
    assert.deepEqual(
      wire.sent.map((packet) => packet.length - 13),
      [10, 10, 5],
    )
  })

  test('asks the writer to wait when the window is used up, and calls it when there is room', () => {
    const { output: out, wire } = output(10)
    let drained = 0
    out.stdout.onDrain(() => drained++)
    assert.equal(out.stdout.write(sequence(0, 10)), false)
    out.adjust(5)
    assert.equal(drained, 1)
    assert.equal(out.stdout.write(sequence(10, 8)), false)
    assert.equal(received(wire).length, 15)
    out.adjust(3)
    assert.equal(drained, 1, 'the window is used up again by what was kept')
    out.adjust(1)
    assert.equal(drained, 2)
    assert.deepEqual(received(wire), sequence(0, 18))
  })

  test('waits for a full wire, of which it takes one packet beyond the mark', () => {
    const { output: out, wire, turns } = output(1 << 30)
    wire.highMark = 100_000
    let drained = 0
    out.stdout.onDrain(() => drained++)
    assert.equal(out.stdout.write(Buffer.alloc(1 << 20)), false)
    assert.ok(wire.queuedBytes < 100_000 + 33_000)
    wire.queuedBytes = 0
    turns.run()
    assert.equal(drained, 0, 'most of that write is still kept')
    while (received(wire).length < 1 << 20) {
      wire.queuedBytes = 0
      turns.run()
    }
    wire.queuedBytes = 0
    turns.run()
    assert.equal(drained, 1)
  })

  test('is ended once, when all bytes of both streams are in packets', () => {
    const { output: out, ended } = output(5)
    out.stdout.write(sequence(0, 8))
    out.stdout.end()
    out.stdout.end()
    out.stderr.end()
    assert.equal(ended(), 0)
    out.adjust(100)
    assert.equal(ended(), 1)
    assert.equal(out.stdout.write(sequence(0, 1)), true)
    assert.equal(ended(), 1)
  })

  test('refuses a window beyond 2^32-1', () => {
    const { output: out } = output(0xffff_ffff)
    assert.equal(out.adjust(1), false)
    assert.equal(out.adjust(0), true)
  })

  test('that is closed takes nothing and wakes nobody', () => {
    const { output: out, wire, ended } = output(1)
    out.stdout.onDrain(() => assert.fail('woken'))
    out.stdout.write(sequence(0, 9))
    out.close()
    out.adjust(100)
    assert.equal(out.stdout.write(sequence(0, 9)), false)
    out.stdout.end()
    out.stderr.end()
    assert.equal(wire.sent.length, 1)
    assert.equal(ended(), 0)
  })

  test('is fair: stalled streams and channels get packets in turn', () => {
    const wire = new WireDouble()
    const turns = new Turns(wire, new Backlog(1 << 30))
    wire.highMark = 0
    wire.queuedBytes = 1
    const peer = (sender: number) => ({ sender, windowBytes: 1 << 30, maximumPacket: 1000 })
    const outputs = [0, 1, 2].map((sender) => new Output(wire, turns, peer(sender), { outputEnded: () => undefined }))
    for (const out of outputs) out.stdout.write(Buffer.alloc(10_000))
    outputs[1]?.stderr.write(Buffer.alloc(10_000))
    // Each run lets one packet out.
    for (let i = 0; i < 8; i++) {
      wire.queuedBytes = 0
      turns.run()
    }
    const order = wire.sent.map((packet) => `${packet[0]}/${packet.readUInt32BE(1)}`)
    assert.deepEqual(order, ['94/0', '94/1', '94/2', '95/1', '94/0', '94/1', '94/2', '95/1'])
  })

  test('never loses, doubles or reorders a byte, whatever the chunks, windows, packet sizes and stalls', async () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('out' as const), n: fc.nat({ max: 5000 }) }),
      fc.record({ do: fc.constant('err' as const), n: fc.nat({ max: 5000 }) }),
      fc.record({ do: fc.constant('adjust' as const), n: fc.nat({ max: 9000 }) }),
      fc.record({ do: fc.constant('drain' as const), n: fc.nat({ max: 9000 }) }),
    )
    const model = fc.record({
      window: fc.nat({ max: 3000 }),
      packet: fc.integer({ min: 1, max: 2000 }),
      mark: fc.nat({ max: 6000 }),
      steps: fc.array(step, { maxLength: 60 }),
    })
    await fc.assert(
      fc.asyncProperty(model, async ({ window, packet, mark, steps }) => {
        const { output: out, wire, turns, ended } = output(window, packet)
        wire.highMark = mark
        const written = { out: 0, err: 0 }
        let granted = window
        // A well-behaved writer: it stops when it is asked to, and goes on when it is called.
        const mayWrite = { out: true, err: true }
        out.stdout.onDrain(() => {
          mayWrite.out = true
        })
        out.stderr.onDrain(() => {
          mayWrite.err = true
        })
        for (const { do: what, n } of steps) {
          if (what === 'adjust') {
            granted += n
            out.adjust(n)
          } else if (what === 'drain') {
            wire.queuedBytes = Math.max(0, wire.queuedBytes - n)
            turns.run()
          } else if (mayWrite[what]) {
            mayWrite[what] = (what === 'out' ? out.stdout : out.stderr).write(sequence(written[what], n))
            written[what] += n
          }
          const sent = received(wire).length + received(wire, 95).length
          assert.ok(sent <= granted)
        }
        out.stdout.end()
        out.stderr.end()
        wire.highMark = Number.POSITIVE_INFINITY
        turns.run()
        out.adjust(1 << 24)
        // After many packets the others come first, here nobody.
        for (let i = 0; i < 1000 && ended() === 0; i++) await turn()
        assert.deepEqual(received(wire), sequence(0, written.out))
        assert.deepEqual(received(wire, 95), sequence(0, written.err))
        assert.equal(ended(), 1)
        for (const p of wire.sent) assert.ok(p.length - (p[0] === 94 ? 9 : 13) <= packet)
      }),
      { numRuns: 500 },
    )
  })
})

test('a client that takes one byte per packet leaves turns of the event loop to others', async () => {
  const wire = new WireDouble()
  const turns = new Turns(wire, new Backlog(1 << 30))
  const peer = { sender: 0, windowBytes: 1 << 30, maximumPacket: 1 }
  const out = new Output(wire, turns, peer, { outputEnded: () => undefined })
  assert.equal(out.stdout.write(Buffer.alloc(2000)), false)
  const atOnce = wire.sent.length
  assert.ok(atOnce < 1000)
  await turn()
  assert.ok(wire.sent.length > atOnce && wire.sent.length < 2000)
  for (let i = 0; i < 10; i++) await turn()
  assert.equal(wire.sent.length, 2000)
})

describe('the backlog of a worker', () => {
  const peer = { sender: 0, windowBytes: 1 << 30, maximumPacket: 32_768 }
  const outputOn = (wire: WireDouble, turns: Turns): Output =>
    new Output(wire, turns, peer, { outputEnded: () => undefined })

  test('when spent by clients that do not read leaves the others a fair share, and is given back', (context) => {
    context.mock.timers.enable({ apis: ['setTimeout'] })
    const backlog = new Backlog(100_000)
    const stalled = new WireDouble()
    stalled.highMark = 200_000
    const stalledTurns = new Turns(stalled, backlog)
    assert.equal(outputOn(stalled, stalledTurns).stdout.write(Buffer.alloc(1 << 20)), false)
    assert.ok(backlog.spent)

    const wire = new WireDouble()
    const turns = new Turns(wire, backlog)
    const out = outputOn(wire, turns).stdout
    let drained = 0
    out.onDrain(() => drained++)
    assert.equal(out.write(Buffer.alloc(30_000)), true)
    assert.equal(out.write(Buffer.alloc(30_000)), false)
    assert.equal(received(wire).length, 60_000)
    context.mock.timers.tick(20)
    assert.equal(drained, 0, 'nothing has left yet')
    // The wire was never full, so it does not say that there is room again.
    wire.queuedBytes = 0
    context.mock.timers.tick(20)
    assert.equal(drained, 1)

    stalledTurns.end()
    assert.equal(backlog.usedBytes, 0)
  })
})

const noBudget = new Budget(0)

describe('input', () => {
  test('that is consumed at once gets a window of the configured size, whether it is a power of two or not', () => {
    const [largest, sink] = [200_000, new Collector()]
    let window = firstWindowBytes
    const input = new Input(new Budget(1 << 20), largest, {
      grant: (bytes) => {
        window += bytes
      },
    })
    input.into(sink)
    for (let i = 0; i < 1000; i++) {
      input.receive(sequence(0, 1000))
      window -= 1000
      assert.ok(window <= largest)
    }
    assert.ok(window > largest / 2, `${window}`)
  })

  test('is granted again only as the consumer takes it', () => {
    const grants: number[] = []
    const input = new Input(noBudget, largestWindowBytes, { grant: (bytes) => grants.push(bytes) })
    assert.equal(input.receive(Buffer.alloc(firstWindowBytes)), true)
    assert.deepEqual(grants, [])
    const sink = new Collector()
    input.into(sink)
    assert.deepEqual(grants, [firstWindowBytes])
    assert.equal(sink.bytes.length, firstWindowBytes)
  })

  test('that overruns the window is refused', () => {
    const input = new Input(noBudget, largestWindowBytes, { grant: () => undefined })
    assert.equal(input.receive(Buffer.alloc(firstWindowBytes)), true)
    assert.equal(input.receive(Buffer.alloc(1)), false)
  })

  test('is kept while the consumer waits, and given on when it drains', () => {
    const grants: number[] = []
    const input = new Input(noBudget, largestWindowBytes, { grant: (bytes) => grants.push(bytes) })
    let open = false
    const sink = new Collector(() => open)
    input.into(sink)
    input.receive(sequence(0, 40_000))
    input.receive(sequence(40_000, 20_000))
    input.end()
    assert.equal(sink.bytes.length, 40_000)
    assert.equal(sink.ended, 0)
    assert.deepEqual(grants, [])
    open = true
    sink.drain()
    assert.deepEqual(sink.bytes, sequence(0, 60_000))
    assert.equal(sink.ended, 1)
  })

  test('windows grow for a fast consumer, up to 2 MiB, as far as the budget goes, which gets all of it back', () => {
    const worker = new Budget(64 << 20)
    const budget = new Budget(3 << 20, worker)
    let window = firstWindowBytes
    const fast = new Input(budget, largestWindowBytes, {
      grant(bytes) {
        window += bytes
      },
    })
    fast.into(new Collector())
    for (let i = 0; i < 2000; i++) {
      assert.equal(fast.receive(Buffer.alloc(Math.min(window, 32_768))), true)
      window -= Math.min(window, 32_768)
    }
    assert.ok(window > largestWindowBytes / 2 && window <= largestWindowBytes)
    assert.equal(worker.usedBytes, largestWindowBytes - firstWindowBytes)
    let stopped = firstWindowBytes
    const stalled = new Input(budget, largestWindowBytes, {
      grant(bytes) {
        stopped += bytes
      },
    })
    const sink = new Collector(() => false)
    stalled.into(sink)
    for (let i = 0; i < 100; i++) {
      stalled.receive(Buffer.alloc(Math.min(stopped, 32_768)))
      stopped -= Math.min(stopped, 32_768)
      sink.drain()
    }
    assert.equal(worker.usedBytes, largestWindowBytes - firstWindowBytes, 'a consumer that stalls gets no more')
    fast.close()
    fast.close()
    stalled.close()
    assert.equal(worker.usedBytes, 0)
  })

  test('of one byte per packet costs no object per byte', () => {
    const queue = new ByteQueue()
    const before = process.memoryUsage().arrayBuffers
    for (let i = 0; i < 100_000; i++) queue.push(Buffer.of(i & 0xff))
    assert.equal(queue.length, 100_000)
    assert.ok(process.memoryUsage().arrayBuffers - before < 1_000_000)
  })

  test('never loses, doubles or reorders a byte, and its window is never more than was taken', () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('data' as const), n: fc.integer({ min: 1, max: 30_000 }) }),
      fc.record({ do: fc.constantFrom('block' as const, 'free' as const), n: fc.constant(0) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), fc.nat({ max: 80 }), (steps, startAt) => {
        let window = firstWindowBytes
        let open = true
        const input = new Input(new Budget(1 << 20), largestWindowBytes, {
          grant(bytes) {
            window += bytes
          },
        })
        const sink = new Collector(() => open)
        let sent = 0
        steps.forEach(({ do: what, n }, index) => {
          if (index === startAt) input.into(sink)
          if (what === 'block') open = false
          if (what === 'free') {
            open = true
            if (index > startAt) sink.drain()
          }
          if (what !== 'data') return
          const length = Math.min(n, window)
          assert.equal(input.receive(sequence(sent, length)), true)
          window -= length
          sent += length
          assert.ok(sent - sink.bytes.length + window <= largestWindowBytes)
        })
        open = true
        input.into(sink)
        sink.drain()
        input.end()
        assert.deepEqual(sink.bytes, sequence(0, sent))
        assert.equal(sink.ended, 1)
      }),
      { numRuns: 200 },
    )
  })
})
