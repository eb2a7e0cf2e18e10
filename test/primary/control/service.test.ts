/** The interface of the control socket: paths, bodies, errors, bounds. The workers' part is in the end-to-end tests. */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readlinkSync, rmSync, statSync } from 'node:fs'
import { request as open } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { type Control, controlService } from '../../../src/primary/control/index.ts'
import { controlPathOf } from '../../../src/primary/control/socket.ts'
import type { Located, Switchboard } from '../../../src/primary/control/switchboard.ts'
import type { WorkerState } from '../../../src/primary/fleet.ts'
import { defaults } from '../../../src/shared/config/schema.ts'
import { createLog, type LogRecord } from '../../../src/shared/log.ts'

const folder = mkdtempSync(join(tmpdir(), 'control-test-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const one = (connectionId: string, username = 'alice'): Located => ({
  ...{ ticket: 1, connectionId, username, address: '192.0.2.1', port: 1234, country: 'XX', clientVersion: '' },
  ...{ ageMs: 5000, authenticatedMs: 4000, idleMs: 0, room: '', channels: [], channelCount: 0 },
  ...{ receivedBytes: 0, sentBytes: 0, worker: 1, pid: 1, stage: 'current' as const },
})
const ids = ['aaaa0000'.padEnd(32, '0'), 'aaaa1111'.padEnd(32, '0')]

async function start(name: string, watching = 0) {
  const path = join(folder, name)
  const records: LogRecord[] = []
  const told: string[] = []
  const switchboard: Switchboard = {
    list: async () => ({ connections: ids.map((id) => one(id)), silent: [] }),
    tell: async (_where, text) => told.push(text),
    expel: async () => true,
    watch: async () => undefined,
    watching: () => watching,
    report: () => undefined,
    closed: () => undefined,
  }
  const workers: readonly WorkerState[] = []
  const control: Control = controlService({
    path,
    config: { ...defaults().control, mode: '0640' },
    log: createLog({ level: 'debug', write: (record) => void records.push(record) }),
    ssh: {
      ...{ switchboard, connections: 2, isDraining: false },
      fleet: { workers, missing: 0, isServing: true },
    },
    isRelieving: false,
    isReady: () => true,
    measure: () => ({}),
  })
  const stop = new AbortController()
  const running = Promise.withResolvers<void>()
  const ended = control.run({ stop: stop.signal, running: running.resolve })
  await Promise.race([running.promise, ended])
  return {
    path,
    records,
    told,
    async [Symbol.asyncDispose]() {
      stop.abort()
      await ended
    },
  }
}

interface Answer {
  readonly status: number
  readonly body: { readonly error?: string; readonly message?: string; readonly [name: string]: unknown }
}
function ask(socketPath: string, method: string, path: string, body = ''): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  const request = open({ socketPath, method, path, agent: false }, (response) => {
    let text = ''
    response.setEncoding('utf8').on('data', (part: string) => {
      text += part
    })
    response.on('end', () => resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) }))
  })
  request.on('error', reject).end(body)
  return promise
}

test('without a path there is a socket only where systemd made a folder', () => {
  const { control } = defaults()
  assert.equal(controlPathOf(control, {}), undefined)
  assert.equal(controlPathOf(control, { RUNTIME_DIRECTORY: '/run/a:/run/b' }), '/run/a/control.sock')
  assert.equal(controlPathOf({ ...control, path: '/x/y' }, { RUNTIME_DIRECTORY: '/run/a' }), '/x/y')
  assert.equal(controlPathOf({ ...control, path: '/x/y', enable: false }, {}), undefined)
})

test('the path is a link to a socket with the configured mode, and both go with the service', async () => {
  const control = await start('place.sock')
  const { path } = control
  assert.equal(readlinkSync(path), `place.sock.${process.pid}`)
  assert.equal(statSync(path).mode & 0o777, 0o640)
  assert.equal((await ask(path, 'GET', '/v1/status')).body['connections'], 2)
  await control[Symbol.asyncDispose]()
  assert.deepEqual([existsSync(path), existsSync(`${path}.${process.pid}`)], [false, false])
})

test('each wrong request gets one clear error', async () => {
  await using control = await start('errors.sock')
  const cases: readonly (readonly [method: string, path: string, body: string, status: number, error: string])[] = [
    ['GET', '/', '', 404, 'no-such-path'],
    ['GET', '/v2/status', '', 404, 'no-such-path'],
    ['POST', '/v1/status', '', 400, 'malformed'],
    ['GET', '/v1/connections/aaaa', '', 409, 'ambiguous'],
    ['GET', '/v1/connections/aaa', '', 400, 'malformed'],
    ['GET', '/v1/connections/AAAA0', '', 400, 'malformed'],
    ['GET', '/v1/connections/%zz', '', 400, 'malformed'],
    ['GET', '/v1/connections/bbbb', '', 404, 'unknown'],
    ['GET', '/v1/connections/aaaa0/output?channel=x', '', 400, 'malformed'],
    ['GET', '/v1/connections/aaaa0/output', '', 404, 'unknown'],
    ['POST', '/v1/connections/aaaa0/message', '{', 400, 'malformed'],
    ['POST', '/v1/connections/aaaa0/message', '{}', 400, 'malformed'],
    ['POST', '/v1/connections/aaaa0/message', '{"text":""}', 400, 'malformed'],
    ['POST', '/v1/connections/aaaa0/message', '{"text":"a\\nb"}', 400, 'malformed'],
    ['POST', '/v1/connections/aaaa0/message', '{"text":"\\u001b[2J"}', 400, 'malformed'],
    ['POST', '/v1/connections/aaaa0/message', '{"text":"a","more":1}', 400, 'malformed'],
    ['POST', '/v1/connections/aaaa0/message', JSON.stringify({ text: 'x'.repeat(1001) }), 400, 'malformed'],
    ['POST', '/v1/connections/aaaa0/kill', JSON.stringify({ reason: 'x'.repeat(9000) }), 400, 'malformed'],
    ['POST', '/v1/users/bob/kill', '', 404, 'unknown'],
    ['POST', '/v1/drain', '{"for":"1h"}', 400, 'malformed'],
  ]
  for (const [method, path, body, status, error] of cases) {
    const answer = await ask(control.path, method, path, body)
    assert.deepEqual([answer.status, answer.body.error], [status, error], `${method} ${path} ${body.slice(0, 40)}`)
    assert.match(answer.body.message ?? '', /^[^\n]+$/)
  }
  assert.deepEqual(control.told, [])
  const failed = control.records.filter(({ code }) => code === 'CONTROL_REQUEST_FAILED')
  assert.equal(failed.length, cases.length)
})

test('there is an end to how many watch', async () => {
  await using control = await start('watches.sock', 16)
  const answer = await ask(control.path, 'GET', '/v1/connections/aaaa0/output')
  assert.deepEqual([answer.status, answer.body.error], [503, 'busy'])
})

test('there is an end to how many clients there are, and the next is served when one has left', async () => {
  await using control = await start('clients.sock')
  const sockets = Array.from({ length: 64 }, () => connect(control.path))
  await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once('connect', resolve))))
  await assert.rejects(ask(control.path, 'GET', '/v1/status'))
  for (const socket of sockets) socket.destroy()
  for (let tries = 0; ; tries++) {
    const status = await ask(control.path, 'GET', '/v1/status').then(
      (answer) => answer.status,
      () => 0,
    )
    if (status === 200) break
    assert.ok(tries < 100)
  }
})

test('what is done is logged with who did it', async () => {
  await using control = await start('acts.sock')
  assert.deepEqual((await ask(control.path, 'POST', '/v1/connections/aaaa0/kill')).body, { killed: [ids[0]] })
  assert.deepEqual((await ask(control.path, 'POST', '/v1/users/alice/kill', '{"reason":"late"}')).body, { killed: ids })
  const killed = control.records.filter(({ code }) => code === 'CONTROL_KILLED')
  assert.deepEqual(
    killed.map(({ labels }) => [labels['connectionId'], labels['reason']]),
    [
      [ids[0], 'an administrator ended this connection'],
      [ids[0], 'late'],
      [ids[1], 'late'],
    ],
  )
  for (const { labels } of killed) assert.equal(labels['uid'], process.getuid?.())
})
