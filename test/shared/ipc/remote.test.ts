import assert from 'node:assert/strict'
import { test } from 'node:test'
import { remoteOf, type TcpHandle } from '../../../src/shared/ipc/handle.ts'

/** What the kernel says about a client, as Node reports it. */
const handle = (address: string, result = 0): TcpHandle => ({
  fd: 3,
  getpeername(peer) {
    peer.address = address
    peer.family = 'IPv6'
    peer.port = 4711
    return result
  },
  close: () => undefined,
})

test('a client on a link is its address, without the name of our interface', () => {
  assert.deepEqual(remoteOf(handle('fe80::1%eth0')), { address: 'fe80::1', port: 4711 })
})

test('a client over IPv4 of a dual-stack listener is an IPv4 address', () => {
  assert.deepEqual(remoteOf(handle('::ffff:192.0.2.1')), { address: '192.0.2.1', port: 4711 })
})

test('a client that has hung up is nobody', () => {
  assert.equal(remoteOf(handle('192.0.2.1', -107)), undefined)
})
