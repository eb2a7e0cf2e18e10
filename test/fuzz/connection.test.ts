/** The whole connection above the transport, in any state, against any sequence of messages, well-formed or not. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { Budget } from '../../src/workers/ssh/budget.ts'
import { Reader, Writer } from '../../src/workers/ssh/bytes.ts'
import { channelMessage, channelOpen, globalRequest, windowAdjust } from '../../src/workers/ssh/messages.ts'
import { message } from '../../src/workers/ssh/numbers.ts'
import { channelRequest } from '../../src/workers/ssh/requests.ts'
import { type Program, serve, settle } from '../workers/ssh/double.ts'

/** What budgets have promised and not been given back, over all of this process. */
let promisedBytes = 0
const { take, give } = Budget.prototype
Budget.prototype.take = function (bytes) {
  const taken = take.call(this, bytes)
  if (taken) promisedBytes += bytes
  return taken
}
Budget.prototype.give = function (bytes) {
  promisedBytes -= bytes
  give.call(this, bytes)
}

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 300)

/** Mostly one of the few channels there are. */
const channel = fc.oneof(
  { arbitrary: fc.nat({ max: 3 }), weight: 200 },
  { arbitrary: fc.constantFrom(63, 0x7fff_ffff, 0xffff_ffff), weight: 1 },
)
const bytes = fc.uint8Array({ maxLength: 40 })
const types = ['session', 'direct-tcpip', 'x11', 'forwarded-tcpip', '']
const window = fc.constantFrom(0, 1, 100, 65_536, 0x7fff_ffff, 0xffff_ffff)
const request = fc.oneof(
  fc.constant({ kind: 'shell' as const }),
  fc.record({ kind: fc.constant('exec' as const), command: fc.constantFrom('', 'id') }),
  fc.record({ kind: fc.constant('env' as const), name: fc.constant('A'), value: fc.constant('b') }),
  fc.record({ kind: fc.constant('signal' as const), name: fc.constantFrom('TERM', 'USR1') }),
  fc.record({
    kind: fc.constant('window-change' as const),
    size: fc.constant({ columns: 1, rows: 1, widthPixels: 0, heightPixels: 0 }),
  }),
  fc.record({ kind: fc.constant('unknown' as const), type: fc.constant('mystery'), payload: bytes }),
)
const opens = fc
  .record({
    type: fc.constantFrom(...types, 'session', 'session', 'session'),
    sender: fc.integer({ min: 4, max: 9 }),
    windowBytes: window,
    maximumPacket: fc.constantFrom(0, 1, 100, 32_768),
    data: bytes.map((some) => Buffer.from(some)),
  })
  .map((open) => channelOpen(open.type === 'session' ? { ...open, data: Buffer.alloc(0) } : open))
const wellFormed = fc.oneof(
  opens,
  fc.tuple(channel, request, fc.boolean()).map(([id, what, reply]) => channelRequest(id, what, reply)),
  fc.tuple(channel, bytes).map(([id, data]) => new Writer(message.channelData).uint32(id).string(data).finish()),
  fc
    .tuple(channel, fc.nat(), bytes)
    .map(([id, code, data]) => new Writer(message.channelExtendedData).uint32(id).uint32(code).string(data).finish()),
  fc.tuple(channel, window).map(([id, more]) => windowAdjust(id, more)),
  channel.map((id) => channelMessage(message.channelEof, id)),
  fc
    .tuple(fc.constantFrom('keepalive@openssh.com', 'no-more-sessions@openssh.com', 'tcpip-forward', 'x'), bytes)
    .map(([type, data]) => globalRequest(type, true, data)),
  bytes.map((data) => new Writer(message.ping).string(data).finish()),
)
const illFormed = fc
  .tuple(fc.constantFrom(50, 51, 52, 60, 61, 80, 81, 82, 90, 91, 92, 93, 94, 95, 96, 97, 98, 99, 100, 127, 192), bytes)
  .map(([number, rest]) => Buffer.concat([Buffer.of(number), rest]))

type Step = { readonly send: Buffer } | { readonly do: 'write' | 'end' | 'fail' | 'flush' | 'wait'; readonly n: number }
const step: fc.Arbitrary<Step> = fc.oneof(
  { arbitrary: wellFormed.map((send) => ({ send })), weight: 200 },
  // What comes for a closed channel ends the connection, and so do most of the ill-formed messages.
  { arbitrary: channel.map((id) => ({ send: channelMessage(message.channelClose, id) })), weight: 6 },
  { arbitrary: illFormed.map((send) => ({ send })), weight: 2 },
  {
    arbitrary: fc.record({
      do: fc.constantFrom('write' as const, 'end' as const, 'fail' as const, 'flush' as const, 'wait' as const),
      n: fc.nat({ max: 3 }),
    }),
    weight: 80,
  },
)

/** What happens behind a channel. */
function act(programs: readonly Program[], what: 'write' | 'end' | 'fail', n: number): void {
  const program = programs[n]
  if (program?.stdio === undefined) return
  if (what === 'write') program.out.write(Buffer.alloc(100 * (n + 1), 0x6f))
  if (what === 'write') program.err.write(Buffer.alloc(10, 0x65))
  if (what === 'end') program.end({ kind: 'status', code: n })
  const started = program.requests.some(({ kind }) => kind === 'exec' || kind === 'shell')
  if (what === 'fail' && started) program.lose(new Error('lost'))
}

/** What the server said must make sense to a client that keeps the books. */
function checkAnswers(sent: readonly Buffer[], asked: { global: number; opens: number; requests: number }): void {
  let [globals, opened, replies] = [0, 0, 0]
  /** By the client's numbers, several channels may have the same one: counted. */
  const live = new Map<number, number>()
  for (const payload of sent) {
    const number = payload[0] ?? 0
    const reader = new Reader(payload, 1)
    if (number === message.requestSuccess || number === message.requestFailure) globals++
    if (number === message.channelOpenConfirmation || number === message.channelOpenFailure) opened++
    if (number === message.channelOpenConfirmation) {
      const recipient = reader.uint32()
      live.set(recipient, (live.get(recipient) ?? 0) + 1)
    }
    if (number >= message.channelWindowAdjust && number <= message.channelFailure) {
      const recipient = reader.uint32()
      const count = live.get(recipient) ?? 0
      assert.ok(count > 0, `message ${number} for ${recipient}, which is not open or has been closed`)
      if (number === message.channelClose) live.set(recipient, count - 1)
    }
    if (number === message.channelSuccess || number === message.channelFailure) replies++
  }
  assert.ok(globals <= asked.global && opened <= asked.opens && replies <= asked.requests)
}

const countOf = (steps: readonly Step[], number: number): number =>
  steps.filter((one) => 'send' in one && one.send[0] === number).length

describe('a connection', () => {
  for (const [phase, loggedIn] of [
    ['after the login', true],
    ['from the first message on', false],
  ] as const) {
    test(`${phase} survives every sequence of messages, keeps its books, and leaves nothing behind`, async () => {
      const property = fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const { wire, client, programs, disposed, told, records, intake } = serve()
        if (loggedIn) await client.login()
        const before = wire.sent.length
        // Four channels, two of which run something: without them most sequences would end at their first step.
        if (loggedIn) for (let id = 0; id < 4; id++) await client.session(1000, 100, id)
        if (loggedIn) for (let id = 0; id < 2; id++) await client.exec('x', id)
        for (const one of steps) {
          if ('send' in one) client.send(one.send)
          else if (one.do === 'flush') wire.flush()
          else if (one.do === 'wait') await settle()
          else act(programs, one.do, one.n)
        }
        await settle()
        if (loggedIn) {
          const asked = { global: countOf(steps, 80), opens: 4 + countOf(steps, 90), requests: 2 + countOf(steps, 98) }
          checkAnswers(wire.sent.slice(before), asked)
        }
        // Whoever is disconnected is told why; a bug would be reason UNKNOWN_ERROR.
        if (wire.ended !== undefined) assert.notEqual(wire.ended.description, '')
        wire.destroy()
        await settle()
        const bugs = records.filter(({ code, message: text }) => code === 'UNKNOWN_ERROR' && !text.includes('dialling'))
        assert.deepEqual(bugs, [])
        for (const program of programs) assert.equal(program.disposed, true)
        assert.equal(disposed.at(-1), 'connection')
        assert.equal(told.at(-1), 'closed 7')
        assert.equal(intake.size, 0)
        assert.equal(promisedBytes, 0)
      })
      await fc.assert(property, { numRuns })
    })
  }
})
