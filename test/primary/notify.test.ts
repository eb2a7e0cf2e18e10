/** sd_notify(3) to a real datagram socket, which Node cannot open: Python receives. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { openNotify } from '../../src/primary/notify.ts'
import { supervise } from '../../src/primary/supervision.ts'
import { formatLine } from '../../src/shared/log/format.ts'
import { createLog, type LogRecord } from '../../src/shared/log.ts'
import { record as keepForCodes } from '../rigs/daemon.ts'
import { until } from './rig.ts'

const receiver = `
import json, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print(json.dumps("bound"), flush=True)
while True: print(json.dumps(s.recv(4096).decode()), flush=True)
`

async function listen() {
  const folder = mkdtempSync(join(tmpdir(), 'containerssh-notify-'))
  const path = join(folder, 'socket')
  const child = spawn('python3', ['-c', receiver, path], { stdio: ['ignore', 'pipe', 'inherit'] })
  const messages: string[] = []
  createInterface({ input: child.stdout }).on('line', (line) => void messages.push(JSON.parse(line) as string))
  await until('the socket', () => messages.shift() === 'bound')
  return {
    path,
    messages,
    next: () => until('a message', () => messages.shift()),
    [Symbol.dispose]() {
      child.kill()
      rmSync(folder, { recursive: true })
    },
  }
}

function logged() {
  const records: LogRecord[] = []
  const write = (record: LogRecord): void => {
    records.push(record)
    keepForCodes(formatLine(record, 'ljson').trimEnd())
  }
  return { records, log: createLog({ level: 'debug', write }) }
}

test('systemd hears of start, watchdog, reload and stop; children find nothing of it', async () => {
  using systemd = await listen()
  const env: NodeJS.ProcessEnv = { PATH: '/bin', NOTIFY_SOCKET: systemd.path, WATCHDOG_USEC: '90000' }
  const { log, records } = logged()
  const notify = openNotify(env, log)
  assert.deepEqual(env, { PATH: '/bin' })
  assert.equal(notify.watchdogMs, 90)
  assert.deepEqual(notify.environment, { NOTIFY_SOCKET: systemd.path, WATCHDOG_USEC: '90000' })
  const service = { connections: 2, serving: 1, isDraining: false, isLively: true }
  const supervision = supervise(notify, service)

  supervision.ready()
  assert.equal(await systemd.next(), `READY=1\nMAINPID=${process.pid}`)
  assert.equal(await systemd.next(), 'STATUS=2 connections, 1 workers')
  assert.equal(await systemd.next(), 'WATCHDOG=1')
  service.isLively = false
  supervision.reloading()
  const isReload = (one: string): boolean => one.startsWith('RELOADING=1\n')
  const reloading = (await until('the reload', () => systemd.messages.find(isReload))) ?? ''
  assert.match(reloading, /\nMONOTONIC_USEC=\d+\n/)
  systemd.messages.splice(0)
  supervision.reloaded(false)
  assert.equal(await systemd.next(), 'READY=1')
  assert.equal(await systemd.next(), 'STATUS=2 connections, 1 workers; the last reload failed')
  // Since the worker hangs, nothing has fed the watchdog.
  assert.deepEqual(systemd.messages, [])
  supervision.stopping()
  assert.equal(await systemd.next(), 'STOPPING=1\nSTATUS=Ending 2 connections')
  assert.deepEqual(records, [])
})

test('the process that was relieved says nothing any more', async () => {
  using systemd = await listen()
  const supervision = supervise(openNotify({ NOTIFY_SOCKET: systemd.path }, logged().log), {
    connections: 0,
    serving: 1,
    isDraining: false,
    isLively: true,
  })
  supervision.ready()
  await systemd.next()
  await systemd.next()
  supervision.handedOver()
  supervision.stopping()
  openNotify({ NOTIFY_SOCKET: systemd.path }, logged().log).tell({ STATUS: 'last' })
  assert.equal(await systemd.next(), 'STATUS=last')
})

test('a watchdog of another process is none, and without a socket nothing is sent', () => {
  const notify = openNotify({ WATCHDOG_USEC: '1000000', WATCHDOG_PID: '1' }, logged().log, 2)
  assert.equal(notify.watchdogMs, undefined)
  assert.deepEqual(notify.environment, {})
  notify.tell({ READY: 1 })
})

test('a socket that is not there is a warning', async () => {
  const { log, records } = logged()
  openNotify({ NOTIFY_SOCKET: '/nowhere/socket' }, log).tell({ READY: 1 })
  await until('the record', () => records.length === 1)
  assert.equal(records[0]?.code, 'SERVICE_NOTIFY_FAILED')
  assert.match(records[0]?.message ?? '', /ENOENT.*\/nowhere\/socket/)
})
