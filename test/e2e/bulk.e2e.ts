import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bulk, type Passage } from '../soak/bulk.ts'

test('256 MiB each way arrive unchanged while the client, then the server, changes the keys', async (context) => {
  const passages: Passage[] = []
  await bulk({ bytes: 256 * 2 ** 20, rekeyBytes: 16 * 2 ** 20, limitMs: 240_000 }, (passage) => {
    passages.push(passage)
    const { initiator, direction, mbPerSecond, rekeys } = passage
    context.diagnostic(
      `${direction}, keys changed by the ${initiator}: ${mbPerSecond.toFixed(0)} MB/s, ${rekeys} re-keys`,
    )
  })
  assert.deepEqual(
    passages.map(({ initiator, direction }) => `${initiator} ${direction}`),
    ['client up', 'client down', 'server up', 'server down'],
  )
})
