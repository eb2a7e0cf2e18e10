import assert from 'node:assert/strict'
import { connect, createServer } from 'node:net'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import type { Refusal } from '../../src/primary/limits.ts'
import { createListener } from '../../src/primary/listener.ts'
import { createRefusals } from '../../src/primary/refusal.ts'
import { Fault, fault } from '../../src/shared/codes/fault.ts'
import { remoteOf, type TcpHandle } from '../../src/shared/ipc/handle.ts'
import { formatLine } from '../../src/shared/log/format.ts'
import { createLog, type LogRecord } from '../../src/shared/log.ts'
import { record as keepForCodes } from '../rigs/daemon.ts'
import { until } from './rig.ts'

const recorder = () => {
  const records: LogRecord[] = []
  const write = (record: LogRecord): void => {
    records.push(record)
    keepForCodes(formatLine(record, 'ljson').trimEnd())
  }
  return { records, log: createLog({ level: 'debug', write }) }
}
const portOf = (address: string): number => Number(/:(\d+)$/.exec(address)?.[1])
const codeIs =
  (code: string, pattern = /./) =>
  (error: unknown): boolean => {
    assert.ok(error instanceof Fault)
    assert.equal(error.code, code)
    assert.match(`${error.message} ${error.cause}`, pattern)
    return true
  }

test('a listener without a host takes IPv4 and IPv6, and IPv4 clients look like that', async () => {
  const handles: TcpHandle[] = []
  const listener = createListener({ listen: ':0', log: recorder().log, accept: (handle) => void handles.push(handle) })
  const port = portOf(await listener.open())
  const sockets = [connect(port, '127.0.0.1'), connect(port, '::1')]
  await until('both', () => handles.length === 2)
  assert.deepEqual(handles.map((handle) => remoteOf(handle)?.address).sort(), ['127.0.0.1', '::1'])
  assert.ok(handles.every((handle) => (remoteOf(handle)?.port ?? 0) > 0))
  for (const socket of sockets) socket.destroy()
  for (const handle of handles) handle.close()
  await listener.close()
})

test('an IPv6 address in brackets is listened on and shown so', async () => {
  const listener = createListener({ listen: '[::1]:0', log: recorder().log, accept: (handle) => handle.close() })
  assert.match(await listener.open(), /^\[::1\]:\d+$/)
  await listener.close()
})

test('a port that is taken is SSH_START_FAILED with the address', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => other.once('listening', resolve))
  const { port } = other.address() as { port: number }
  const listener = createListener({
    listen: `127.0.0.1:${port}`,
    log: recorder().log,
    accept: (handle) => handle.close(),
  })
  await assert.rejects(listener.open(), codeIs('SSH_START_FAILED', new RegExp(`127.0.0.1:${port}.*EADDRINUSE`)))
  other.close()
  await listener.close()
})

test('a second start is SSH_ALREADY_RUNNING', async () => {
  const listener = createListener({ listen: '127.0.0.1:0', log: recorder().log, accept: (handle) => handle.close() })
  await listener.open()
  await assert.rejects(listener.open(), codeIs('SSH_ALREADY_RUNNING'))
  await listener.close()
})

test('a failure to close is SSH_LISTEN_CLOSE_FAILED and no more', async () => {
  const { records, log } = recorder()
  const listener = createListener({ listen: '127.0.0.1:0', log, accept: (handle) => handle.close() })
  await listener.open()
  await listener.close()
  await listener.close()
  assert.deepEqual(
    records.map((record) => record.code),
    ['SSH_LISTEN_CLOSE_FAILED'],
  )
})

test('after close() nobody can connect', async () => {
  const listener = createListener({ listen: '127.0.0.1:0', log: recorder().log, accept: (handle) => handle.close() })
  const port = portOf(await listener.open())
  await listener.close()
  const error = await new Promise<NodeJS.ErrnoException>((resolve) => connect(port, '127.0.0.1').once('error', resolve))
  assert.equal(error.code, 'ECONNREFUSED')
})

const refusalFor = (remoteAddr: string): Refusal => ({
  reason: 'connections',
  fault: fault('SSH_CONNECTION_REFUSED', { remoteAddr, reason: 'too many connections' }),
})

test('a refused client reads the reason in one line, even if it has sent something already', async () => {
  const { records, log } = recorder()
  const refusals = createRefusals(log)
  const accept = (handle: TcpHandle): void => refusals.refuse(handle, refusalFor(remoteOf(handle)?.address ?? ''))
  const listener = createListener({ listen: '127.0.0.1:0', log, accept })
  const port = portOf(await listener.open())
  for (const greeting of ['', 'SSH-2.0-OpenSSH_9.2\r\n']) {
    const socket = connect(port, '127.0.0.1')
    socket.write(greeting)
    assert.equal(await text(socket), 'Not allowed at this time: too many connections (SSH_CONNECTION_REFUSED)\r\n')
  }
  assert.deepEqual(
    records.map((record) => [record.code, record.labels['remoteAddr'], record.labels['reason']]),
    [
      ['SSH_CONNECTION_REFUSED', '127.0.0.1', 'too many connections'],
      ['SSH_CONNECTION_REFUSED', '127.0.0.1', 'too many connections'],
    ],
  )
  await listener.close()
  refusals.close()
})

test('a flood of refusals is summed up in the log and leaves no descriptors open', async () => {
  const { records, log } = recorder()
  const refusals = createRefusals(log)
  let refused = 0
  const accept = (handle: TcpHandle): void => {
    refused += 1
    refusals.refuse(handle, refusalFor('192.0.2.1'))
  }
  const listener = createListener({ listen: '127.0.0.1:0', log, accept })
  const port = portOf(await listener.open())
  const sockets = Array.from({ length: 300 }, () => connect(port, '127.0.0.1').on('error', () => undefined))
  await until('all', () => refused === 300)
  await until('the end of all', () => sockets.every((socket) => socket.closed || socket.resume().closed))
  await listener.close()
  refusals.close()
  const single = records.filter((record) => record.code === 'SSH_CONNECTION_REFUSED').length
  const summed = records.filter((record) => record.code === 'SSH_REFUSALS_SUPPRESSED')
  assert.ok(single < 100)
  assert.equal(single + summed.reduce((sum, record) => sum + Number(record.labels['count']), 0), 300)
})

test('when descriptors run out, listening pauses for a moment, says so, and goes on at the same port', async () => {
  const { records, log } = recorder()
  let accepted = 0
  const accept = (handle: TcpHandle): void => {
    accepted += 1
    handle.close()
  }
  const listener = createListener({ listen: '127.0.0.1:0', log, accept, descriptorLimit: 16 })
  const port = portOf(await listener.open())
  const reach = (): Promise<boolean> =>
    new Promise((resolve) => {
      const socket = connect(port, '127.0.0.1')
      socket.once('error', () => resolve(false))
      socket.once('connect', () => resolve(true))
    })
  assert.equal(await reach(), true)
  await until('the pause', () => records.length === 1)
  assert.equal(records[0]?.code, 'SSH_ACCEPT_FAILED')
  assert.equal(records[0]?.labels['reason'], 'EMFILE')
  assert.equal(await reach(), false)
  while (!(await reach())) await new Promise((resolve) => setTimeout(resolve, 20))
  await until('the connection', () => accepted === 2)
  await listener.close()
})

test('a listener that is closed while it pauses stays closed', async () => {
  const { records, log } = recorder()
  const accept = (handle: TcpHandle): void => handle.close()
  const listener = createListener({ listen: '127.0.0.1:0', log, accept, descriptorLimit: 16 })
  const port = portOf(await listener.open())
  connect(port, '127.0.0.1').on('error', () => undefined)
  await until('the pause', () => records.length === 1)
  await listener.close()
  for (let i = 0; i < 20; i++) {
    const error = await new Promise((resolve) =>
      connect(port, '127.0.0.1').once('error', resolve).once('connect', resolve),
    )
    assert.ok(error instanceof Error)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
})
