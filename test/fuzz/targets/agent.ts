/** What a guest agent sends: a program in a container, which is not trusted. */
import assert from 'node:assert/strict'
import { CborError } from '../../../src/workers/backends/agent/cbor.ts'
import { readOrigin, readReady, readWindow } from '../../../src/workers/backends/agent/messages.ts'
import { type Packet, PacketReader } from '../../../src/workers/backends/agent/packet.ts'
import { allowing, type Target } from '../target.ts'

function read(bytes: Buffer, size: number): { packets: Packet[]; isBroken: boolean } {
  const reader = new PacketReader()
  const packets: Packet[] = []
  const whole = allowing([CborError], () => {
    for (let at = 0; at < bytes.length; at += size) {
      reader.push(bytes.subarray(at, at + size))
      for (let found = reader.next(); found !== undefined; found = reader.next()) packets.push(found)
    }
    return true
  })
  return { packets, isBroken: whole === undefined }
}

export const agent: Readonly<Record<string, Target>> = {
  'agent-packets': {
    mostBytes: 1024,
    run: (bytes) => {
      const { packets, isBroken } = read(bytes, 1 << 20)
      // Cut in pieces they are the same.
      assert.deepEqual(read(bytes, 3), { packets, isBroken })
      for (const { payload } of packets) {
        const ready = allowing([CborError], () => readReady(payload))
        assert.ok(ready === undefined || Number.isSafeInteger(ready.port))
        const origin = allowing([CborError], () => readOrigin(payload))
        assert.ok(origin === undefined || origin.port <= 65_535)
        allowing([CborError], () => readWindow(payload))
      }
    },
  },
}
