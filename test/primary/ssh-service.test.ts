import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { createPool } from '../../src/primary/services.ts'
import { sshService } from '../../src/primary/ssh-service.ts'
import { asFault, Fault } from '../../src/shared/codes/fault.ts'
import { defaults } from '../../src/shared/config/schema.ts'
import { formatLine } from '../../src/shared/log/format.ts'
import { createLog, type LogRecord } from '../../src/shared/log.ts'
import { record as keepForCodes } from '../rigs/daemon.ts'
import { echoWorker, until } from './rig.ts'

const service = (listen: string) => {
  const records: LogRecord[] = []
  const write = (record: LogRecord): void => {
    records.push(record)
    keepForCodes(formatLine(record, 'ljson').trimEnd())
  }
  const base = defaults()
  const config = { ...base, workers: 1, ssh: { ...base.ssh, listen } }
  const log = createLog({ level: 'debug', write })
  return {
    log,
    records,
    ssh: sshService({
      workerUser: () => undefined,
      config,
      hostKeys: [],
      workerEntry: echoWorker,
      log,
      write,
      audit: undefined,
      country: { of: () => 'XX' },
    }),
  }
}

test('a service that is started twice is SSH_ALREADY_RUNNING, and the first goes on', async () => {
  const { ssh, log, records } = service('127.0.0.1:0')
  const first = createPool([ssh], log)
  const ended = first.run()
  await until('the first', () => first.state === 'running')
  const crash = await createPool([ssh], log).run()
  assert.ok(crash?.error instanceof Fault)
  assert.equal(crash.error.code, 'SSH_ALREADY_RUNNING')
  // As main.ts does it.
  log.fault(asFault(crash.error), 'crit')
  assert.ok(records.some(({ code, level }) => code === 'SSH_ALREADY_RUNNING' && level === 'crit'))
  assert.equal(first.state, 'running')
  first.stop()
  assert.equal(await ended, undefined)
})

test('a service whose port is taken crashes with SSH_START_FAILED before any worker is started', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => other.once('listening', resolve))
  const { port } = other.address() as { port: number }
  const { ssh, log, records } = service(`127.0.0.1:${port}`)
  const crash = await createPool([ssh], log).run()
  assert.ok(crash?.error instanceof Fault)
  assert.equal(crash.error.code, 'SSH_START_FAILED')
  assert.ok(!records.some(({ code }) => code === 'WORKER_STARTED'))
  other.close()
})
