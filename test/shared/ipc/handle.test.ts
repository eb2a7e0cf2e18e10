import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, Socket } from 'node:net'
import { test } from 'node:test'
import { createListener } from '../../../src/primary/listener.ts'
import { hangUp, isTcpHandle, remoteOf, type TcpHandle } from '../../../src/shared/ipc/handle.ts'
import { createLog } from '../../../src/shared/log.ts'

/** A real connection: the client's socket and the raw handle of the other side. */
async function accepted(first: string) {
  const log = createLog({ level: 'emerg', write: () => undefined })
  const got = Promise.withResolvers<TcpHandle>()
  const listener = createListener({ listen: '127.0.0.1:0', log, accept: got.resolve })
  const client = connect(Number((await listener.open()).split(':')[1]), '127.0.0.1')
  client.write(first)
  const handle = await got.promise
  await listener.close()
  return { client, handle }
}
const fake = (status: number, peer: object): TcpHandle => ({
  fd: 1,
  close: () => undefined,
  getpeername(target) {
    Object.assign(target, peer)
    return status
  },
})

test('a raw handle becomes a socket with a fixed read buffer, and what came before is in it', async () => {
  const { client, handle } = await accepted('early')
  assert.equal(isTcpHandle(handle), true)
  assert.ok(handle.fd > 2)
  assert.deepEqual(remoteOf(handle), { address: '127.0.0.1', port: client.localPort })
  const buffer = Buffer.alloc(1024)
  const read = Promise.withResolvers<string>()
  const callback = (length: number): boolean => {
    read.resolve(buffer.toString('latin1', 0, length))
    return true
  }
  const options: object = { handle, onread: { buffer, callback } }
  const socket = new Socket(options)
  socket.resume()
  assert.equal(await read.promise, 'early')
  socket.write('answer')
  assert.equal(String((await once(client, 'data'))[0]), 'answer')
  socket.destroy()
  client.destroy()
})

test('who is hung up on reads an end, and the handle is closed', async () => {
  const { client, handle } = await accepted('unread')
  assert.ok(handle.fd > 2)
  client.on('error', () => undefined)
  client.resume()
  hangUp(handle)
  await once(client, 'close')
  assert.ok(handle.fd < 0)
})

test('an IPv4 client of a dual-stack listener has an IPv4 address', () => {
  assert.equal(remoteOf(fake(0, { address: '::ffff:192.0.2.7', port: 5 }))?.address, '192.0.2.7')
  assert.equal(remoteOf(fake(0, { address: '2001:db8::7', port: 5 }))?.address, '2001:db8::7')
})

test('a client that has already gone has no address', () => {
  assert.equal(remoteOf(fake(-107, {})), undefined)
})

test('anything else is no handle', () => {
  for (const value of [undefined, null, 1, 'x', {}, { close() {} }]) assert.equal(isTcpHandle(value), false)
})
