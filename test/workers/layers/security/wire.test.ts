import assert from 'node:assert/strict'
import { test } from 'node:test'
import { guardSession } from '../../../../src/workers/layers/security/index.ts'
import type { Peer } from '../../../../src/workers/ports.ts'
import { Writer } from '../../../../src/workers/ssh/bytes.ts'
import { channelOpen } from '../../../../src/workers/ssh/messages.ts'
import { serve } from '../../ssh/double.ts'
import { enter, sectionOf } from './rig.ts'

/** A logged-in client, as raw messages, whose session is behind the rules. */
async function begin(written: Readonly<Record<string, unknown>>) {
  const inside = await enter({ forwarding: { forwardingMode: 'enable' } })
  const peer: Peer = inside.peer
  const served = serve({
    enter: (member) => ({ accepted: true, value: guardSession(sectionOf(written), peer, member, inside.session) }),
  })
  await served.client.login()
  return { ...served, inside }
}
const directTcpip = (host: string, port: number): Buffer =>
  new Writer(0).string(host).uint32(port).string('192.0.2.1').uint32(1).finish().subarray(1)

test('a signal that is refused does not reach the program, and the client that wants no reply gets none', async () => {
  const { client, inside } = await begin({ signal: { mode: 'enable', deny: ['KILL'] } })
  await client.session()
  await client.exec('wait')
  await client.heard()
  client.request({ kind: 'signal', name: 'KILL' }, false)
  assert.deepEqual(await client.heard(), [])
  client.request({ kind: 'signal', name: 'KILL' })
  assert.deepEqual(await client.heard(), ['failure 0'])
  client.request({ kind: 'signal', name: 'INT' })
  assert.deepEqual(await client.heard(), ['out 0 INT\n', 'success 0'])
  const refused = inside.records.filter((record) => record.code === 'SECURITY_SIGNAL_REJECTED')
  assert.deepEqual(
    refused.map(({ labels }) => [labels['signal'], labels['rule'], labels['channelId']]),
    Array(2).fill(['KILL', 'security.signal.deny[0]', 0]),
  )
})

test('sessions that are too many fail with reason 4, forwarding that is not allowed with reason 1', async () => {
  const { client, wire } = await begin({ maxSessions: 1 })
  await client.session()
  client.openSession(undefined, undefined, 5)
  assert.deepEqual(await client.heard(), ['open failure 5 4 Too many sessions.'])
  const open = { sender: 6, windowBytes: 1 << 20, maximumPacket: 32_768 }
  client.send(channelOpen({ ...open, type: 'direct-tcpip', data: directTcpip('127.0.0.1', 22) }))
  assert.deepEqual(await client.heard(), ['open failure 6 1 Forwarding is not allowed'])
  client.close()
  await client.heard()
  client.openSession(undefined, undefined, 7)
  assert.match((await client.heard()).join(), /opened 7/)
  assert.equal(wire.ended, undefined)
})

test('opens that are refused too often end the connection, too', async () => {
  const { client, wire } = await begin({ maxRefusals: 1 })
  const data = directTcpip('127.0.0.1', 22)
  const open = { type: 'direct-tcpip', windowBytes: 1 << 20, maximumPacket: 32_768, data }
  for (let sender = 0; sender < 10; sender++) client.send(channelOpen({ ...open, sender }))
  assert.equal((await client.heard()).length, 10)
  assert.equal(wire.ended, undefined)
  client.send(channelOpen({ ...open, sender: 10 }))
  await client.heard()
  assert.deepEqual(wire.ended, { reason: 11, description: 'Too many rejected requests' })
})

test('requests that want no reply count as well', async () => {
  const { client, wire } = await begin({ maxRefusals: 1, env: { mode: 'disable' } })
  await client.session()
  for (let i = 0; i < 11; i++) client.request({ kind: 'env', name: `V${i}`, value: '1' }, false)
  await client.heard()
  assert.equal(wire.ended?.description, 'Too many rejected requests')
})

test('global requests that are refused fail, count, and at last end the connection', async () => {
  const { client, wire, inside } = await begin({ maxRefusals: 1 })
  const data = new Writer(0).string('').uint32(80).finish().subarray(1)
  for (let i = 0; i < 10; i++) client.global('tcpip-forward', true, data)
  assert.deepEqual(await client.heard(), Array(10).fill('request failure'))
  assert.equal(wire.ended, undefined)
  client.global('tcpip-forward', true, data)
  await client.heard()
  assert.deepEqual(wire.ended, { reason: 11, description: 'Too many rejected requests' })
  assert.deepEqual(inside.codes(), [
    'SECURITY_REVERSE_FORWARDING_REJECTED',
    'SECURITY_REFUSALS_MUTED',
    'SECURITY_TOO_MANY_REFUSALS',
  ])
})
