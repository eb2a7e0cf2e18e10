/** Records that are not stored: who waits, how long, and what becomes of connections that cannot be recorded. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import type { AuditRecord } from '../../../src/shared/audit/record.ts'
import { processCounters } from '../../../src/shared/metric.ts'
import { type AuditLog, everything } from '../../rigs/audit.ts'
import { until } from '../../rigs/daemon.ts'
import { patternHash } from '../../rigs/room.ts'
import { type ServerOptions, startServer, type TestServer } from '../../rigs/server.ts'
import { type Finished, finish, type SshProcess } from '../../rigs/ssh.ts'

const connectionBytes = 256 * 1024
/** One block of each writer goes out before it hears that it has to wait, and a record has a head. */
const slackBytes = 80 * 1024

const recorded = (options: ServerOptions = {}): Promise<TestServer> =>
  startServer({ audit: { intercept: everything, connectionBytes }, ...options })
function begin(context: TestContext, server: TestServer, command: string[], options: string[] = []): SshProcess {
  const ssh = server.client.start(command, options)
  context.after(() => ssh.kill('SIGKILL'))
  return ssh
}
const logOf = (server: TestServer, index = 0): AuditLog => {
  const log = server.archive.logs[index]
  assert.ok(log)
  return log
}
const bytesOf = (records: readonly AuditRecord[], stream: number): Buffer =>
  Buffer.concat(
    records.flatMap((record) =>
      record.type === 'io' && record.payload.stream === stream ? [record.payload.data ?? Buffer.alloc(0)] : [],
    ),
  )
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const counted = (name: string): number =>
  processCounters.read().reduce((sum, [counter, , by]) => (counter === name ? sum + by : sum), 0)

/** Waits until the connection waits. */
async function isFull(waits: number): Promise<void> {
  await until('the connection waits', () => counted('containerssh_audit_waits_total') > waits)
}

test('output waits while its records are not stored, and goes on without a loss', async (context) => {
  await using server = await recorded()
  const { archive } = server
  archive.store = false
  const waits = counted('containerssh_audit_waits_total')
  const length = 8_000_000
  const done = finish(begin(context, server, ['source', String(length)]))
  for (let round = 1; round <= 3; round++) {
    await isFull(waits + round - 1)
    assert.ok(archive.recorders.waitingBytes > connectionBytes)
    assert.ok(archive.recorders.waitingBytes <= connectionBytes + slackBytes, `${archive.recorders.waitingBytes}`)
    archive.catchUp()
  }
  archive.store = true
  archive.catchUp()
  const { stdout } = await done
  assert.equal(sha256(stdout), patternHash(length))
  const records = await archive.ended()
  assert.equal(sha256(bytesOf(records, 1)), patternHash(length))
  assert.ok(records.every(({ timestamp }, index) => timestamp >= (records[index - 1]?.timestamp ?? 0n)))
  await until('everything is stored', () => archive.recorders.waitingBytes === 0)
})

test('input waits, too, and its client is not read any more than its window allows', async (context) => {
  await using server = await recorded()
  const { archive } = server
  archive.store = false
  const waits = counted('containerssh_audit_waits_total')
  const input = randomBytes(4_000_000)
  const done = finish(begin(context, server, ['sink']), input)
  await isFull(waits)
  assert.ok(archive.recorders.waitingBytes <= connectionBytes + slackBytes, `${archive.recorders.waitingBytes}`)
  archive.store = true
  archive.catchUp()
  assert.equal((await done).stdout.toString(), sha256(input))
  assert.ok(bytesOf(await archive.ended(), 0).equals(input))
})

test('one connection that waits does not stop another, until the limit of all is reached', async (context) => {
  const workerBytes = 400 * 1024
  await using server = await recorded({ audit: { intercept: everything, connectionBytes, workerBytes } })
  const { archive } = server
  archive.store = false
  const clients = [begin(context, server, ['source', '4000000']), begin(context, server, ['source', '4000000'])]
  const done = clients.map((client) => finish(client))
  await until('both are told to wait', () => archive.recorders.waitingBytes > workerBytes)
  assert.ok(archive.recorders.waitingBytes <= workerBytes + 2 * slackBytes, `${archive.recorders.waitingBytes}`)
  // Somebody new gets in, is recorded, and waits as soon as it has something to say.
  const waits = counted('containerssh_audit_waits_total')
  const third = finish(begin(context, server, ['source', '100000']))
  await isFull(waits)
  archive.store = true
  archive.catchUp()
  assert.deepEqual(
    (await Promise.all(done)).map(({ stdout }) => stdout.length),
    [4_000_000, 4_000_000],
  )
  assert.equal((await third).stdout.length, 100_000)
})

test('a link to the primary that is not read holds records back, and everybody waits', async (context) => {
  await using server = await recorded()
  const { archive } = server
  const client = begin(context, server, ['cat'])
  let received = 0
  client.stdout.on('data', (bytes: Buffer) => {
    received += bytes.length
  })
  client.stdin.write('a')
  await until('the program runs', () => received === 1)
  const before = logOf(server).batches.length
  archive.congested = true
  const waits = counted('containerssh_audit_waits_total')
  client.stdin.write(randomBytes(300_000))
  await isFull(waits)
  assert.ok(logOf(server).batches.length <= before + 2)
  archive.congested = false
  client.stdin.end()
  await once(client, 'close')
  assert.equal(received, 300_001)
  assert.equal(bytesOf(await archive.ended(), 1).length, 300_001)
})

test('records of a quiet session are sent although nothing follows them', async (context) => {
  await using server = await recorded()
  const client = begin(context, server, ['wait'])
  await once(client.stdout, 'data')
  await until('the output is sent', () => bytesOf(server.archive.records(logOf(server)), 1).includes('ready'))
})

test('no session begins before its log does', async (context) => {
  await using server = await recorded()
  const { archive } = server
  archive.begin = false
  archive.store = false
  const client = begin(context, server, ['exit', '7'])
  const done = finish(client)
  await until('the user is in', () => server.records.some(({ code }) => code === 'SSH_AUTH_SUCCESSFUL'))
  assert.equal(server.room.inside(), 0)
  assert.equal(
    server.records.some(({ code }) => code === 'SSH_HANDSHAKE_SUCCESSFUL'),
    false,
  )
  archive.store = true
  archive.recorders.answered({ kind: 'audit-stored', ticket: logOf(server).ticket, bytes: 0 })
  assert.equal((await done).code, 7)
})

test('a client that leaves while its log does not begin leaves nothing behind', async (context) => {
  await using server = await recorded()
  server.archive.begin = false
  server.archive.store = false
  const client = begin(context, server, ['exit', '7'])
  await until('the user is in', () => server.records.some(({ code }) => code === 'SSH_AUTH_SUCCESSFUL'))
  client.kill('SIGKILL')
  await until('the connection is gone', () => server.intake.size === 0)
  assert.equal(logOf(server).closed, true)
})

/** What a user reads whose session cannot be recorded. */
const told = /This session cannot be recorded and ends\./

test('a log that does not begin in time ends its connection', async (context) => {
  await using server = await recorded({ auditLimits: { stallMs: 60_000, beginMs: 100 } })
  server.archive.begin = false
  server.archive.store = false
  const { code, stderr } = await finish(begin(context, server, ['exit', '7']))
  assert.equal(code, 255)
  assert.match(stderr, told)
  const { labels } = await server.line('AUDIT_RECORDING_FAILED')
  assert.equal(labels['reason'], 'the log did not begin within 100 ms')
  assert.equal(server.room.occupants.length, 0)
})

for (const options of [[], ['-tt']]) {
  test(`a log that fails ends the session ${options.length > 0 ? 'at a terminal' : 'of a command'}`, async (context) => {
    await using server = await recorded()
    const client = begin(context, server, ['source', '1000000000'], options)
    await once(client.stdout, 'data')
    const log = logOf(server)
    server.archive.fail(log, 'no space left on the device')
    const sent = log.batches.length
    const { code, stderr } = await finish(client)
    assert.equal(code, 255)
    assert.match(stderr, told)
    const { labels } = await server.line('AUDIT_RECORDING_FAILED')
    assert.deepEqual([labels['log'], labels['reason']], [log.connectionId, 'no space left on the device'])
    await until('the room is left', () => server.room.inside() === 0 && server.room.running.size === 0)
    assert.equal(log.batches.length, sent)
    assert.equal(server.archive.recorders.waitingBytes, 0)
  })
}

test('a log that fails before the login ends the connection', async () => {
  await using server = await recorded()
  server.archive.begin = false
  const done = server.client.run(['exit', '7'])
  await until('the log is begun', () => server.archive.logs.length === 1)
  server.archive.fail(logOf(server), 'no directory')
  assert.equal((await done).code, 255)
  await server.line('AUDIT_RECORDING_FAILED')
  await until('the connection is gone', () => server.intake.size === 0)
})

test('where it may, a connection goes on unrecorded, with one warning', async (context) => {
  await using server = await recorded({ audit: { intercept: everything, connectionBytes, onFailure: 'continue' } })
  const { archive } = server
  archive.store = false
  const waits = counted('containerssh_audit_waits_total')
  const done: Promise<Finished> = finish(begin(context, server, ['source', '4000000']))
  await isFull(waits)
  const log = logOf(server)
  const sent = log.batches.length
  archive.fail(log, 'no space left on the device')
  const { code, stdout } = await done
  assert.deepEqual([code, stdout.length], [0, 4_000_000])
  await until('the connection is gone', () => server.intake.size === 0)
  assert.equal(server.records.filter(({ code: each }) => each === 'AUDIT_RECORDING_ABANDONED').length, 1)
  assert.equal(log.batches.length, sent)
  assert.equal(log.closed, false)
})

for (const onFailure of ['end', 'continue'] as const) {
  test(`a storage that hangs: the connection is to ${onFailure}`, async (context) => {
    const audit = { intercept: everything, connectionBytes, onFailure }
    await using server = await recorded({ audit, auditLimits: { stallMs: 200, beginMs: 10_000 } })
    server.archive.store = false
    const { code, stderr, stdout } = await finish(begin(context, server, ['source', '4000000']))
    if (onFailure === 'end') {
      assert.equal(code, 255)
      assert.match(stderr, told)
      await server.line('AUDIT_RECORDING_STALLED')
      // What there is of the log ends as any other.
      assert.equal((await server.archive.ended()).at(-1)?.type, 'disconnect')
    } else {
      assert.deepEqual([code, stdout.length], [0, 4_000_000])
      await server.line('AUDIT_RECORDING_ABANDONED')
    }
  })
}

test('nothing is recorded, and nobody waits, when audit is off', async () => {
  await using server = await startServer()
  const { stdout } = await server.client.run(['source', '100000'])
  assert.equal(stdout.length, 100_000)
  assert.equal(server.archive.logs.length, 0)
})

test('each kind of bytes is recorded on its own', async () => {
  for (const name of ['stdin', 'stdout', 'stderr'] as const) {
    const none = { stdin: false, stdout: false, stderr: false, passwords: false, forwarding: false, echoOff: false }
    await using server = await startServer({ audit: { intercept: { ...none, [name]: true } } })
    await server.client.run(['both', 'words'])
    await server.client.run(['cat'], { input: Buffer.from('words') })
    const records = [...(await server.archive.ended(0)), ...(await server.archive.ended(1))]
    const streams = records.flatMap((record) => (record.type === 'io' ? [Number(record.payload.stream)] : []))
    const expected = { stdin: [0], stdout: [1, 1], stderr: [2] }
    assert.deepEqual(streams, expected[name])
  }
})
