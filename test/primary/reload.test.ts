import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createReload } from '../../src/primary/reload.ts'
import type { SshSettings } from '../../src/primary/ssh-service.ts'
import { fault } from '../../src/shared/codes/fault.ts'
import { ConfigErrors } from '../../src/shared/config/load.ts'
import { type Config, defaults } from '../../src/shared/config/schema.ts'
import { formatLine } from '../../src/shared/log/format.ts'
import { createLog, type LogRecord } from '../../src/shared/log.ts'
import { record as keepForCodes } from '../rigs/daemon.ts'

/** `load`: what is in the file at the moment. */
function rig(load: () => Config) {
  const records: LogRecord[] = []
  const applied: SshSettings[] = []
  let refusal: Error | undefined
  const write = (record: LogRecord): void => {
    records.push(record)
    keepForCodes(formatLine(record, 'ljson').trimEnd())
  }
  const reload = createReload({
    config: defaults(),
    configPath: '/etc/x.yaml',
    log: createLog({ level: 'debug', write }),
    load: async () => ({ config: load(), warnings: [], deprecations: [] }),
    hostKeys: async () => ['key'],
    async apply(settings) {
      if (refusal !== undefined) throw refusal
      applied.push(settings)
    },
  })
  const refuse = (error: Error | undefined): void => {
    refusal = error
  }
  return { reload, applied, records, refuse, codes: () => records.map(({ code }) => code) }
}
const withBanner = (banner: string): Config => ({ ...defaults(), ssh: { ...defaults().ssh, banner } })

test('what is in the file holds, together with host keys', async () => {
  const { reload, applied, codes } = rig(() => withBanner('new'))
  await reload()
  assert.equal(applied[0]?.config.ssh.banner, 'new')
  assert.deepEqual(applied[0]?.hostKeys, ['key'])
  assert.deepEqual(codes(), ['CORE_RELOADED'])
})

test('a file that cannot be used is told of place by place, and nothing is applied', async () => {
  const { reload, applied, records } = rig(() => {
    throw new ConfigErrors('/etc/x.yaml', ['line one', 'line two'])
  })
  await reload()
  assert.deepEqual(applied, [])
  assert.deepEqual(
    records.map(({ code, message }) => [code, /line \w+/.exec(message)?.[0]]),
    [
      ['CORE_CONFIG_ERROR', 'line one'],
      ['CORE_CONFIG_ERROR', 'line two'],
      ['CORE_RELOAD_FAILED', undefined],
    ],
  )
})

test('options of the primary process keep their values, and are named', async () => {
  const { reload, applied, records } = rig(() => ({
    ...withBanner('new'),
    ssh: { ...defaults().ssh, listen: '0.0.0.0:1', banner: 'new' },
    metrics: { ...defaults().metrics, enable: true },
    log: { ...defaults().log, level: 'debug', format: 'text' },
  }))
  await reload()
  const config = applied[0]?.config
  assert.equal(config?.ssh.listen, defaults().ssh.listen)
  assert.equal(config?.metrics.enable, false)
  assert.deepEqual([config?.log.level, config?.log.format], ['debug', defaults().log.format])
  assert.equal(config?.ssh.banner, 'new')
  assert.deepEqual(
    records.flatMap(({ code, labels }) => (code === 'CORE_RELOAD_NEEDS_RESTART' ? [labels['option']] : [])),
    ['ssh.listen', 'log', 'metrics'],
  )
})

test('a configuration with which no worker starts is said to have failed, and the next one is tried', async () => {
  const { reload, applied, records, refuse, codes } = rig(() => withBanner('new'))
  refuse(fault('WORKER_START_FAILED', { worker: 3, reason: 'no room' }))
  await reload()
  assert.match(records[0]?.message ?? '', /goes on with the one that it has.*Worker 3 cannot start: no room/)
  refuse(undefined)
  await reload()
  assert.deepEqual(codes(), ['CORE_RELOAD_FAILED', 'CORE_RELOADED'])
  assert.equal(applied.length, 1)
})

test('signals that come while one is obeyed are one more round, with what is in the file then', async () => {
  let reads = 0
  const { reload, applied } = rig(() => withBanner(String(++reads)))
  await Promise.all([reload(), reload(), reload()])
  assert.deepEqual(
    applied.map(({ config }) => config.ssh.banner),
    ['1', '2'],
  )
})
