import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { ChannelRequest } from '../../../src/workers/ports.ts'
import { Reader, Writer } from '../../../src/workers/ssh/bytes.ts'
import {
  decodeDirectStreamlocal,
  decodeDirectTcpip,
  decodeForwardRequest,
} from '../../../src/workers/ssh/forward-messages.ts'
import { decodeProofRequest } from '../../../src/workers/ssh/host-key-proof.ts'
import {
  channelOpen,
  decodeChannelOpen,
  decodeGlobalRequest,
  decodeOpenConfirmation,
  decodeOpenFailure,
  decodeUserauthRequest,
  globalRequest,
  pongFor,
} from '../../../src/workers/ssh/messages.ts'
import { channelRequest, decodeChannelRequest, exitRequest } from '../../../src/workers/ssh/requests.ts'

/** Records as our decoders make them. */
const plain = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record<T>(model, { noNullPrototype: true }) as fc.Arbitrary<T>
const uint32 = fc.nat({ max: 0xffff_ffff })
const text = fc.string({ unit: 'grapheme' }).filter((value) => !value.includes('\0'))
const bytes = fc.uint8Array({ maxLength: 200 }).map((value) => Buffer.from(value))
const name = fc.string({ unit: 'grapheme-ascii' })
const size = plain({ columns: uint32, rows: uint32, widthPixels: uint32, heightPixels: uint32 })
const known = ['env', 'pty-req', 'shell', 'exec', 'subsystem', 'window-change', 'signal']
const request: fc.Arbitrary<ChannelRequest> = fc.oneof(
  plain({ kind: fc.constant('env' as const), name: text, value: text }),
  plain({ kind: fc.constant('pty-req' as const), pty: plain({ term: text, size, modes: bytes }) }),
  fc.constant({ kind: 'shell' as const }),
  plain({ kind: fc.constant('exec' as const), command: text }),
  plain({ kind: fc.constant('subsystem' as const), name: text }),
  plain({ kind: fc.constant('window-change' as const), size }),
  plain({ kind: fc.constant('signal' as const), name: text }),
  plain({ kind: fc.constant('unknown' as const), type: name.filter((n) => !known.includes(n)), payload: bytes }),
)

describe('decoders', () => {
  test('take any bytes without an exception', () => {
    const numbers = fc.constantFrom(50, 80, 90, 98, 192)
    // Real field structure in front makes the generator reach the inner decoders.
    const type = fc.constantFrom(...known, 'password', 'publickey', 'ssh-connection', 'x')
    const body = fc.oneof(
      bytes,
      fc
        .tuple(type, type, type, bytes)
        .map(([a, b, c, rest]) => new Writer(0).string(a).string(b).string(c).raw(rest).finish()),
      fc
        .tuple(uint32, type, bytes)
        .map(([n, a, rest]) => new Writer(0).uint32(n).string(a).raw(rest).finish().subarray(1)),
    )
    fc.assert(
      fc.property(numbers, body, (number, rest) => {
        const payload = Buffer.concat([Buffer.of(number), rest])
        decodeUserauthRequest(payload)
        decodeGlobalRequest(payload)
        decodeChannelOpen(payload)
        decodeChannelRequest(payload)
        pongFor(payload)
        decodeDirectTcpip(rest)
        decodeDirectStreamlocal(rest)
        decodeForwardRequest('tcpip-forward', rest)
        decodeForwardRequest('streamlocal-forward@openssh.com', rest)
        decodeProofRequest(rest, 8)
        decodeOpenConfirmation(rest)
        decodeOpenFailure(rest)
      }),
      { numRuns: 2000 },
    )
  })

  test('a channel request comes out as it went in', () => {
    fc.assert(
      fc.property(uint32, request, fc.boolean(), (recipient, value, wantReply) => {
        const decoded = decodeChannelRequest(channelRequest(recipient, value, wantReply))
        const type = value.kind === 'unknown' ? value.type : value.kind
        assert.deepEqual(decoded, { recipient, type, wantReply, request: value })
      }),
    )
  })

  test('a channel request with a byte more or less is malformed, but can be answered', () => {
    const exact = request.filter((value) => value.kind !== 'unknown')
    fc.assert(
      fc.property(exact, (value) => {
        const payload = channelRequest(3, value, true)
        const longer = decodeChannelRequest(Buffer.concat([payload, Buffer.of(0)]))
        assert.equal(longer?.request, undefined)
        assert.equal(longer?.wantReply, true)
        if (value.kind === 'shell') return
        const shorter = decodeChannelRequest(payload.subarray(0, -1))
        assert.equal(shorter?.request, undefined)
        assert.equal(shorter?.recipient, 3)
      }),
    )
  })

  test('channel opens and global requests come out as they went in', () => {
    const open = plain({ type: name, sender: uint32, windowBytes: uint32, maximumPacket: uint32, data: bytes })
    fc.assert(fc.property(open, (value) => assert.deepEqual(decodeChannelOpen(channelOpen(value)), value)))
    fc.assert(
      fc.property(name, fc.boolean(), bytes, (type, wantReply, data) => {
        assert.deepEqual(decodeGlobalRequest(globalRequest(type, wantReply, data)), { type, wantReply, data })
      }),
    )
  })

  test('a command that is not UTF-8, or holds a NUL, is malformed: it would run as another one', () => {
    const exec = (command: Buffer): Buffer =>
      new Writer(98).uint32(0).string('exec').boolean(true).string(command).finish()
    for (const command of [Buffer.from([0x6c, 0xff]), Buffer.from('rm\0-rf'), Buffer.from([0xed, 0xa0, 0x80])]) {
      assert.equal(decodeChannelRequest(exec(command))?.request, undefined)
    }
    assert.deepEqual(decodeChannelRequest(exec(Buffer.from('echo ü')))?.request, { kind: 'exec', command: 'echo ü' })
  })

  test('what is kept of a request does not change when the packet buffer is used again', () => {
    const modes = Buffer.from([1, 0, 0, 0, 3, 0])
    const pty = { term: 'xterm', size: { columns: 80, rows: 24, widthPixels: 0, heightPixels: 0 }, modes }
    const payload = channelRequest(0, { kind: 'pty-req', pty }, true)
    const decoded = decodeChannelRequest(payload)
    payload.fill(0)
    assert.deepEqual(decoded?.request, { kind: 'pty-req', pty })
  })

  test('reading past the end gives empty values and never recovers', () => {
    const reader = new Reader(Buffer.from([0, 0, 0, 9, 1]))
    assert.equal(reader.string().length, 0)
    assert.equal(reader.byte(), 0)
    assert.equal(reader.failed, true)
    assert.equal(reader.complete, false)
  })
})

describe('encoders', () => {
  test('exit-signal carries any name', () => {
    const exit = { kind: 'signal', name: 'RTMIN+3', coreDumped: true, message: 'über' } as const
    const reader = new Reader(exitRequest(5, exit), 1)
    assert.deepEqual(
      [reader.uint32(), reader.name(), reader.boolean(), reader.text(), reader.boolean(), reader.text(), reader.name()],
      [5, 'exit-signal', false, 'RTMIN+3', true, 'über', ''],
    )
    assert.equal(reader.complete, true)
  })
})
