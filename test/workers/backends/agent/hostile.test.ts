/** Guest agents that do not behave: the container may send anything. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type Duplex, duplexPair } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { describe, test } from 'node:test'
import { Fault } from '../../../../src/shared/codes/fault.ts'
import type { LogRecord } from '../../../../src/shared/log.ts'
import { encode } from '../../../../src/workers/backends/agent/cbor.ts'
import { createForwarding } from '../../../../src/workers/backends/agent/forwarding.ts'
import { newConnection, setup, windowOf } from '../../../../src/workers/backends/agent/messages.ts'
import { type Packet, PacketReader, packet, type } from '../../../../src/workers/backends/agent/packet.ts'
import { until } from '../../../rigs/daemon.ts'
import { recordingLog } from './rig.ts'

const origin = { address: '127.0.0.1', port: 5555 }
const target = { kind: 'tcp', host: '127.0.0.1', port: 9000 } as const
const never = new AbortController().signal
const ready = packet(type.success, 0, encode({ Extensions: 1, Window: 1000, Port: 7, Path: '/p' }))

/** An agent in the hands of a test. */
function scripted(answer: (packets: AsyncGenerator<Packet>, stream: Duplex) => Promise<void>) {
  const records: LogRecord[] = []
  const killed = Promise.withResolvers<void>()
  const launch = async () => {
    const [ours, theirs] = duplexPair()
    answer(packetsOf(theirs), theirs).catch(() => undefined)
    return { stream: ours, exitCode: killed.promise.then(() => undefined), kill: () => killed.resolve() }
  }
  const forwarding = createForwarding(launch, recordingLog(records), never)
  return { forwarding, records, killed: killed.promise, codes: () => records.map(({ code }) => code as string) }
}
async function* packetsOf(stream: Duplex): AsyncGenerator<Packet> {
  const reader = new PacketReader()
  for await (const bytes of stream) {
    reader.push(bytes as Buffer)
    for (let found = reader.next(); found !== undefined; found = reader.next()) yield found
  }
}
const next = async (packets: AsyncGenerator<Packet>): Promise<Packet> => {
  const { value } = await packets.next()
  assert.ok(value !== undefined)
  return value
}
const refusedFor = (reason: RegExp) => (error: unknown) => {
  assert.ok(error instanceof Fault && error.code === 'SSH_FORWARD_CONNECT_FAILED', String(error))
  assert.match(String(error.labels['reason']), reason)
  return true
}

describe('an agent', () => {
  test('that answers with noise, with another packet, or not at all is ended, and the dial refused', async () => {
    const answers: readonly [Buffer | undefined, string][] = [
      [Buffer.from('sh: forward-server: not found\n'), 'AGENTPROTO_DECODE_FAILED'],
      [packet(type.data, 1, Buffer.from('x')), 'AGENTPROTO_PACKET_INVALID'],
      [packet(type.success, 0, Buffer.of(0xa1, 0x61)), ''],
      [undefined, ''],
    ]
    for (const [answer, code] of answers) {
      const agent = scripted(async (packets, stream) => {
        await next(packets)
        stream.end(answer)
      })
      await assert.rejects(agent.forwarding.dial(target, origin, never), refusedFor(/./))
      await agent.killed
      assert.ok(code === '' || agent.codes().includes(code), code)
    }
  })

  test('that says things out of turn is told about in the log, and goes on to serve', async () => {
    const agent = scripted(async (packets, stream) => {
      await next(packets)
      stream.write(ready)
      const { id } = await next(packets)
      stream.write(packet(type.data, id, Buffer.from('too early')))
      stream.write(packet(type.data, 77, Buffer.from('to nobody')))
      stream.write(packet(42, 0))
      stream.write(packet(type.newConnection, 5, newConnection(target, origin)))
      stream.write(packet(type.success, id))
      stream.write(packet(type.success, id))
      stream.write(packet(type.data, id, Buffer.from('in time')))
      stream.write(packet(type.end, id))
      stream.write(packet(type.data, id, Buffer.from('after the end')))
    })
    const stream = await agent.forwarding.dial(target, origin, never)
    assert.equal((await buffer(stream)).toString(), 'in time')
    const expected = ['AGENTPROTO_INVALID_STATE', 'AGENTPROTO_UNKNOWN_CONNECTION', 'AGENTPROTO_PACKET_UNKNOWN']
    for (const code of expected) assert.ok(agent.codes().includes(code), code)
    stream.destroy()
  })

  test('that sends more than the window loses all its connections', async () => {
    const agent = scripted(async (packets, stream) => {
      await next(packets)
      stream.write(ready)
      const { id } = await next(packets)
      stream.write(packet(type.success, id))
      for (let i = 0; i < 5; i += 1) stream.write(packet(type.data, id, Buffer.alloc(32 * 1024)))
    })
    const stream = await agent.forwarding.dial(target, origin, never)
    await new Promise((done) => stream.on('close', done))
    assert.ok(agent.codes().includes('AGENTPROTO_DECODE_FAILED'))
    await agent.killed
  })

  test('that sends without end and does not read is ended', async () => {
    const agent = scripted(async (packets, stream) => {
      await next(packets)
      stream.write(ready)
      for (let i = 1; i < 20_000; i += 1) {
        if (!stream.write(packet(type.newConnection, i, newConnection(target, origin)))) await once(stream, 'drain')
      }
    })
    const door = { kind: 'tcp', host: 'localhost', port: 0 } as const
    await agent.forwarding.listen(door, (_door, stream) => void stream.destroy(), never)
    await agent.killed
    assert.ok(agent.codes().includes('AGENTPROTO_WRITE_FAILED'))
  })

  test('gets no more than its window', async () => {
    const got: number[] = []
    const agent = scripted(async (packets, stream) => {
      await next(packets)
      stream.write(ready)
      const { id } = await next(packets)
      stream.write(packet(type.success, id))
      for await (const { type: kind, payload } of packets) {
        if (kind === type.data) got.push(payload.length)
        if (got.length === 1) stream.write(packet(type.window, id, windowOf(500)))
      }
    })
    const stream = await agent.forwarding.dial(target, origin, never)
    stream.write(Buffer.alloc(10_000))
    await until('two pieces', () => got.length >= 2)
    assert.deepEqual(got.slice(0, 2), [1000, 500])
    stream.destroy()
  })

  test('cannot put control characters into the log', async () => {
    const agent = scripted(async (packets, stream) => {
      await next(packets)
      stream.write(packet(type.error, 0, Buffer.from('no\u001b[2J\nway')))
    })
    await assert.rejects(agent.forwarding.dial(target, origin, never), refusedFor(/^no \[2J way$/))
  })
})

test('packets are byte for byte those of old servers and agents', () => {
  const hex = (text: string): string => text.replaceAll(/\s/g, '')
  assert.equal(packet(type.success, 1).toString('hex'), 'a36454797065016c436f6e6e656374696f6e496401675061796c6f6164f6')
  assert.equal(
    packet(type.data, 1, Buffer.from('ping')).toString('hex'),
    'a36454797065036c436f6e6e656374696f6e496401675061796c6f61644470696e67',
  )
  const dialled = `a36454797065 04 6c436f6e6e656374696f6e4964 01 675061796c6f6164 5868
    a5 6850726f746f636f6c 63746370 70436f6e6e656374656441646472657373 693132372e302e302e31
    6d436f6e6e6563746564506f7274 192328 714f726967696e61746f7241646472657373
    693132372e302e302e31 6e4f726967696e61746f72506f7274 1915b3`
  assert.equal(packet(type.newConnection, 1, newConnection(target, origin)).toString('hex'), hex(dialled))
  // What old agents know comes first and unchanged; the two keys behind it they ignore.
  const known = `6e436f6e6e656374696f6e54797065 01 6842696e64486f7374 693132372e302e302e31 6842696e64506f7274 19238c
    6850726f746f636f6c 63746370 6653637265656e 60 7053696e676c65436f6e6e656374696f6e f4
    6c4175746850726f746f636f6c 60 6a41757468436f6f6b6965 60`
  const listened = setup({ kind: 'tcp', host: '127.0.0.1', port: 9100 }).toString('hex')
  assert.ok(listened.startsWith(`aa${hex(known)}`), listened)
})
