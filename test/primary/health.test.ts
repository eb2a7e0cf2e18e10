import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { healthService } from '../../src/primary/health.ts'
import { Fault } from '../../src/shared/codes/fault.ts'
import { defaults } from '../../src/shared/config/schema.ts'
import { createLog, type LogRecord } from '../../src/shared/log.ts'

const settings = { ...defaults().health, enable: true, listen: '127.0.0.1:0' }

async function startHealth(isReady: () => boolean) {
  const records: LogRecord[] = []
  const stop = new AbortController()
  const log = createLog({ level: 'debug', write: (record) => void records.push(record) })
  const running = Promise.withResolvers<void>()
  const ended = healthService(settings, log, isReady).run({ stop: stop.signal, running: running.resolve })
  await running.promise
  const [record] = records
  assert.equal(record?.code, 'HEALTH_AVAILABLE')
  assert.equal(record?.labels['module'], 'health')
  return {
    url: String(record?.labels['url']),
    async [Symbol.asyncDispose]() {
      stop.abort()
      await ended
    },
  }
}

test('200 while ready, otherwise 503, for every path and method', async () => {
  let ready = false
  await using health = await startHealth(() => ready)
  for (const [path, method] of [
    ['', 'GET'],
    ['any/where?x=1', 'GET'],
    ['', 'POST'],
    ['', 'DELETE'],
  ] as const) {
    ready = false
    assert.equal((await fetch(health.url + path, { method })).status, 503)
    ready = true
    assert.equal((await fetch(health.url + path, { method })).status, 200)
  }
})

test('the body is JSON unless only text is asked for', async () => {
  await using health = await startHealth(() => true)
  const body = async (accept: string): Promise<string> => (await fetch(health.url, { headers: { accept } })).text()
  for (const accept of ['*/*', 'application/json', 'text/plain, application/json;q=0.5', 'application/xml']) {
    assert.equal(await body(accept), '"ok"', accept)
  }
  for (const accept of ['text/plain', 'text/html', 'text/*;q=0.3']) assert.equal(await body(accept), 'ok', accept)
})

test('a port that is taken is HTTP_LISTEN_FAILED with the address', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => other.once('listening', resolve))
  const { port } = other.address() as { port: number }
  const log = createLog({ level: 'emerg', write: () => undefined })
  const service = healthService({ ...settings, listen: `127.0.0.1:${port}` }, log, () => true)
  await assert.rejects(service.run({ stop: new AbortController().signal, running: assert.fail }), (error) => {
    assert.ok(error instanceof Fault)
    assert.equal(error.code, 'HTTP_LISTEN_FAILED')
    assert.match(error.message, new RegExp(`127.0.0.1:${port}`))
    return true
  })
  other.close()
})

test('who asks for liveness hears that we live, ready or not', async () => {
  await using health = await startHealth(() => false)
  assert.equal((await fetch(`${health.url}livez`)).status, 200)
  assert.equal((await fetch(`${health.url}livez?verbose`)).status, 200)
  assert.equal((await fetch(`${health.url}readyz`)).status, 503)
})
