/** First lines that are none (RFC 4253 section 4.2): each ends the connection, with one printable line in the log. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import { staysOneLine } from './lines.ts'
import { target } from './target.ts'

const lines: readonly (readonly [name: string, bytes: string | Uint8Array, why: RegExp])[] = [
  ['an HTTP request', 'GET / HTTP/1.1\r\nHost: x\r\n\r\n', /speaks HTTP/],
  ['a TLS greeting', Buffer.of(0x16, 3, 1, 0, 5, 1, 0, 0, 1, 0), /speaks TLS/],
  ['another version of SSH', 'SSH-1.5-old\r\n', /another version/],
  ['a version of the future', 'SSH-3.0-new\r\n', /another version/],
  ['a line without software', 'SSH-2.0-\r\n', /no software version|not printable/],
  ['an empty line', '\r\n', /does not speak SSH/],
  ['256 characters', `SSH-2.0-${'a'.repeat(246)}\r\n`, /longer than 255/],
  ['characters without end', `SSH-2.0-${'a'.repeat(100_000)}`, /longer than 255/],
  ['a NUL', 'SSH-2.0-a\0b\r\n', /not printable/],
  ['an escape sequence', 'SSH-2.0-\x1b[2J\r\n', /not printable/],
  ['a carriage return inside', 'SSH-2.0-a\rb\r\n', /not printable/],
  ['UTF-8', 'SSH-2.0-é\r\n', /not printable/],
  ['bytes that are no UTF-8', Buffer.concat([Buffer.from('SSH-2.0-'), Buffer.of(0xff, 0xfe, 10)]), /not printable/],
  ['control characters from the first byte on', '\x1b]0;owned\x07\n\n', /does not speak SSH/],
  ['256 random bytes', Buffer.concat([Buffer.of(0x7f), randomBytes(255)]), /does not speak SSH/],
]

describe('an identification that is', () => {
  const attack = target()
  for (const [name, bytes, why] of lines) {
    test(`${name} ends the connection with a plain text and one line of log`, async () => {
      const attacker = await attack.connect()
      attacker.client.write(bytes)
      const { reason } = await attacker.end()
      assert.match(reason, why)
      assert.match(attacker.client.unreadable, /Invalid SSH identification string\.\r\n$/)
      for (const record of attacker.records()) staysOneLine(record, 1500)
    })
  }

  test('exactly 255 bytes long is taken', async () => {
    const attacker = await attack.connect()
    attacker.client.identification = `SSH-2.0-${'a'.repeat(245)}`
    attacker.client.identify()
    await attacker.client.exchange()
    attacker.client.socket.destroy()
  })

  test('or that has been refused disturbs nobody', async () => {
    await attack.serves()
    await attack.forgets()
  })
})
