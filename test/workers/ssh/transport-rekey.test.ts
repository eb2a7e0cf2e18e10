/** Re-keying when things go wrong, or cross: what the transport tests with a well-behaved client do not show. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { establish, startRig } from './transport-rig.ts'

/** The client reads its messages, but never answers a KEXINIT. */
async function deaf(limits: Parameters<typeof startRig>[0]) {
  const rig = await startRig(limits)
  const { client, served } = await establish(rig)
  const { _decipher: decipher } = client.protocol
  const original = decipher._onPayload
  decipher._onPayload = (payload) => (payload[0] === 20 ? undefined : original(payload))
  return { client, served }
}

test('both sides may begin at the same time: one exchange serves both', async () => {
  const rig = await startRig({ limits: { rekeyBytes: 1000 }, onMessage: (wire, payload) => wire.send(payload) })
  const { client, served } = await establish(rig)
  client.protocol.rekey()
  served.wire.send(Buffer.alloc(2000, 94))
  assert.equal((await client.receive()).length, 2000)
  await client.exchanged()
  client.send(Buffer.alloc(100, 94))
  assert.equal((await client.receive()).length, 100)
  assert.deepEqual(client.errors, [])
  client.socket.destroy()
})

test('a client that does not complete it reads why it is cut', async () => {
  const { client, served } = await deaf({ limits: { rekeyBytes: 1000, rekeyDeadlineMs: 100 } })
  served.wire.send(Buffer.alloc(2000, 94))
  assert.deepEqual(await client.disconnected, {
    reason: 3,
    text: 'client did not complete a key exchange within 100 ms',
  })
  assert.match(String(await served.closed), /did not complete a key exchange/)
})

test('what it holds back is counted and has an end: a client that sends instead of answering is cut', async () => {
  let most = 0
  const { client, served } = await deaf({
    limits: { rekeyBytes: 1000, highBytes: 16_384, lowBytes: 4096 },
    onMessage: (wire, payload) => {
      wire.send(payload)
      most = Math.max(most, wire.queuedBytes)
    },
  })
  served.wire.send(Buffer.alloc(2000, 94))
  assert.equal(served.wire.congested, false)
  const message = Buffer.alloc(1000, 94)
  for (let index = 0; index < 1000; index++) client.force(message)
  assert.match((await client.disconnected).text, /too much to be answered during a key exchange/)
  assert.equal(served.wire.congested, true)
  assert.ok(most > 65_536 && most <= 65_536 + 2 * 65_536, `${most}`)
  await served.closed
})

test('the time also counts for a connection on which the client only sends', async (context: TestContext) => {
  const rig = await startRig({ limits: { rekeyMs: 3_600_000 } })
  const { client, served } = await establish(rig)
  client.send(Buffer.of(94))
  const later = performance.now() + 3_600_001
  context.mock.method(performance, 'now', () => later)
  client.send(Buffer.of(94))
  await client.exchanged()
  assert.deepEqual(
    served.messages.map((payload) => payload.length),
    [1, 1],
  )
  client.socket.destroy()
})
