/** What is recorded of whole connections of the OpenSSH client. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { everything, linesOf } from '../../rigs/audit.ts'
import { startServer } from '../../rigs/server.ts'

test('a command with input and output on both streams', async () => {
  await using server = await startServer({ audit: { intercept: everything } })
  await server.client.run(['both', 'hello'])
  const key = JSON.stringify(server.key.line.split(' ', 2).join(' '))
  assert.deepEqual(linesOf(await server.archive.ended()), [
    'connect remoteAddr="127.0.0.1" country="XX"',
    `auth_pubkey username="alice" key=${key}`,
    `auth_pubkey_successful username="alice" key=${key}`,
    'handshake_successful username="alice"',
    'new_channel_successful 0 channelType="session"',
    'exec 0 requestId=0 program="both hello"',
    'io 0 stream=1 "hello"',
    'io 0 stream=2 "HELLO"',
    'close_write 0',
    'exit 0 exitStatus=0',
    'close 0',
    'disconnect',
  ])
})
