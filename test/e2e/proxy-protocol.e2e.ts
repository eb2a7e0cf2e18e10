import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LogLine } from '../rigs/daemon.ts'
import { proxyAddress, startHaProxy } from '../rigs/haproxy.ts'
import { type Login, login } from '../rigs/login.ts'
import { rawClient } from '../rigs/raw.ts'
import { client } from '../rigs/ssh.ts'

/** Connections from 127.0.0.2 only are those of a proxy. */
const behindProxy = (ssh: object = {}, proxyProtocol: object = {}): Promise<Login> =>
  login({
    config: { workers: 1 },
    ssh: { proxyProtocol: { trusted: [`${proxyAddress}/32`], ...proxyProtocol }, ...ssh },
  })
const remoteOf = (line: LogLine): unknown => line.details['remoteAddr']
const connected = (host: Login, address: string): Promise<LogLine> =>
  host.daemon.line('SSH_CONNECTED', (line) => remoteOf(line) === address)
const version = 'SSH-2.0-test\r\n'
const header = (address: string, port = 4711): string =>
  `PROXY ${address.includes(':') ? 'TCP6' : 'TCP4'} ${address} ${address.includes(':') ? '::1' : '127.0.0.1'} ${port} 22\r\n`

for (const option of ['send-proxy', 'send-proxy-v2', 'send-proxy-v2 proxy-v2-options unique-id,crc32c']) {
  test(`behind HAProxy with ${option} a login works, and the log has the address of the client`, async () => {
    await using host = await behindProxy()
    await using proxy = await startHaProxy(host.daemon.port, option)
    const over4 = client(proxy.port, host.key, host.user)
    const result = await over4.run(['exit 7'], { options: ['-b', '127.0.0.7'] })
    assert.equal(result.code, 7, result.stderr)
    const login4 = await host.daemon.line('SSH_AUTH_SUCCESSFUL')
    assert.equal(remoteOf(login4), '127.0.0.7')
    const over6 = client(proxy.port, host.key, host.user, '::1')
    assert.equal((await over6.run(['exit 8'])).code, 8)
    await host.daemon.line('SSH_AUTH_SUCCESSFUL', (line) => remoteOf(line) === '::1')
    const addresses = host.daemon.lines.map(remoteOf)
    assert.ok(!addresses.includes(proxyAddress), 'nothing is logged under the address of the proxy')
  })
}

test('a header from a source that is not trusted is a bad identification string', async () => {
  await using host = await behindProxy()
  const raw = rawClient(host.daemon.port, '127.0.0.3', `${header('203.0.113.7')}${version}`)
  assert.match(await raw.ended, /^SSH-2\.0-.*Invalid SSH identification string\.\r\n$/s)
  const failed = await host.daemon.line('SSH_HANDSHAKE_FAILED')
  assert.equal(remoteOf(failed), '127.0.0.3')
  assert.match(failed.message, /does not speak SSH.*PROXY TCP4/)
})

test('a header in pieces, with the identification string behind it, is one, and nothing is said before it', async () => {
  await using host = await behindProxy({}, { timeout: '10s' })
  const raw = rawClient(host.daemon.port, proxyAddress)
  for (const piece of header('2001:DB8::7').match(/.{1,9}|\r\n/gs) ?? []) {
    await new Promise((resolve) => raw.socket.write(piece, resolve))
    await new Promise(setImmediate)
    if (!piece.endsWith('\n')) assert.equal(raw.text(), '')
  }
  raw.socket.write(version)
  assert.match(await raw.receives(/SSH-2\.0-.*\r\n/), /^SSH-2\.0-/)
  await connected(host, '2001:db8::7')
  raw.socket.destroy()
})

const refusals: readonly (readonly [string, string | Buffer, RegExp])[] = [
  ['no header', version, /it began with "SSH-2\.0-test\\r\\n" in place of a header/],
  ['garbage', '\u0000\u0001\u0002\u0003 garbage', /in place of a header/],
  ['a line that is too long', `PROXY TCP4 ${'1'.repeat(200)}`, /longer than 107 bytes/],
  ['a wrong address', 'PROXY TCP4 203.0.113.999 127.0.0.1 1 2\r\n', /wrong address/],
  ['a block that is too long', Buffer.from('0d0a0d0a000d0a515549540a2111ffff', 'hex'), /65535 bytes/],
]
for (const [what, bytes, reason] of refusals) {
  test(`a trusted proxy that sends ${what} is refused with a reason at once`, async () => {
    await using host = await behindProxy({}, { timeout: '1m' })
    const raw = rawClient(host.daemon.port, proxyAddress, bytes)
    assert.match(await raw.ended, /^Not allowed at this time: .* \(SSH_PROXY_HEADER_INVALID\)\r\n$/)
    const line = await host.daemon.line('SSH_PROXY_HEADER_INVALID')
    assert.match(line.message, reason)
    assert.equal(remoteOf(line), proxyAddress)
    assert.ok(!host.daemon.lines.some(({ code }) => code === 'SSH_CONNECTED'))
  })
}

test('a header that is not complete in time is too late', async () => {
  await using host = await behindProxy()
  const silent = rawClient(host.daemon.port, proxyAddress)
  assert.match(await silent.ended, /SSH_PROXY_HEADER_INVALID/)
  await host.daemon.line('SSH_PROXY_HEADER_INVALID', ({ message }) => /no header within 200 ms/.test(message))
  const slow = rawClient(host.daemon.port, proxyAddress, 'PROXY TCP4 203.0')
  assert.match(await slow.ended, /SSH_PROXY_HEADER_INVALID/)
  await host.daemon.line('SSH_PROXY_HEADER_INVALID', ({ message }) => /no complete header/.test(message))
})

test('where a header is not required, a connection without one is that of the proxy', async () => {
  await using host = await behindProxy({}, { required: false })
  const { code } = await host.client.run(['exit 9'], { options: ['-b', proxyAddress] })
  assert.equal(code, 9)
  await connected(host, proxyAddress)
  // A client that waits for the server's identification string first.
  const silent = rawClient(host.daemon.port, proxyAddress)
  assert.match(await silent.receives(/\r\n/), /^SSH-2\.0-/)
  silent.socket.destroy()
  const raw = rawClient(host.daemon.port, proxyAddress, `${header('203.0.113.7')}${version}`)
  await connected(host, '203.0.113.7')
  raw.socket.destroy()
})

test('limits and penalties are those of the client behind the proxy, and he reads why', async () => {
  const penalties = { enable: true, min: '1s', protocolError: '1m' }
  await using host = await behindProxy({ maxStartupsPerSource: 2, penalties })
  const open = (address: string) => rawClient(host.daemon.port, proxyAddress, header(address))
  const held = [open('203.0.113.7'), open('203.0.113.7'), open('2001:db8:0:1::1'), open('2001:db8:0:1::2')]
  for (const one of held) assert.match(await one.receives(/\r\n/), /^SSH-2\.0-/)
  assert.match(await open('203.0.113.7').ended, /^Not allowed .*\(SSH_HANDSHAKE_LIMIT\)\r\n$/)
  assert.match(await open('2001:db8:0:1:ffff::').ended, /^Not allowed .*\(SSH_HANDSHAKE_LIMIT\)\r\n$/)
  for (const address of ['203.0.113.8', '2001:db8:0:2::1']) {
    const other = open(address)
    assert.match(await other.receives(/\r\n/), /^SSH-2\.0-/)
    other.socket.write('GET / HTTP/1.1\r\n')
    await other.ended
    await host.daemon.line('SSH_PENALTY_BEGINS', ({ details }) =>
      String(details['source']).startsWith(address.slice(0, 9)),
    )
    const again = await open(address).ended
    assert.equal(again, 'Not allowed at this time: penalty for connections that broke the protocol (SSH_PENALTY)\r\n')
  }
  const line = await host.daemon.line('SSH_HANDSHAKE_LIMIT')
  assert.equal(remoteOf(line), '203.0.113.7')
  for (const one of held) one.socket.destroy()
})
