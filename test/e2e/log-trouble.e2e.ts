/** Whatever becomes of the log: sessions go on, and what is missing is counted. */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, openSync, readFileSync, statSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { type LogLine, record, until } from '../rigs/daemon.ts'
import { knock, type QuietDaemon, startQuietDaemon } from '../rigs/quiet-daemon.ts'
import { smallDisk } from '../rigs/small-disk.ts'
import { contentsOf } from '../shared/audit/rig.ts'

const small = { queueBytes: 64 * 1024, flood: { records: 0 } }

/** A whole session, with enough input, output and exit status to see that nothing of it is missing. */
async function works({ client }: QuietDaemon): Promise<void> {
  const input = Buffer.alloc(300_000, 'log')
  const { code, stdout } = await client.run(['cat; exit 7'], { input })
  assert.equal(code, 7)
  assert.ok(stdout.equals(input))
}

/** Connections that say nothing make records, until there were enough. */
const knockUntil = ({ client }: QuietDaemon, what: string, over: () => boolean): Promise<unknown> =>
  until(
    what,
    async () => {
      await knock(client.port, 50)
      return over()
    },
    60_000,
  )

const droppedIn = (stderr: string): number => {
  const lines = stderr.split('\n').filter((line) => line.includes('"LOG_WRITE_FAILED"'))
  return lines.reduce((sum, line) => sum + Number((JSON.parse(line) as LogLine).details['dropped']), 0)
}
const told = (text: string): LogLine | undefined => {
  const line = text.split('\n').find((each) => each.includes('"LOG_RECORDS_DROPPED"'))
  if (line === undefined) return undefined
  record(line)
  return JSON.parse(line) as LogLine
}

test('the disk of the log is full: sessions work, standard error says so, and afterwards the log what is missing', async () => {
  using disk = smallDisk(2 ** 26)
  const file = join(disk.folder, 'log')
  disk.fill(32 * 1024)
  await using daemon = await startQuietDaemon({ log: { destination: 'file', file, ...small } })
  await knockUntil(daemon, 'records to be dropped', () => droppedIn(daemon.stderr()) > 0)
  assert.match(daemon.stderr(), /ENOSPC/)
  await works(daemon)
  // So much that it is not full again before the log is tried.
  disk.fill(2 ** 25)
  await knockUntil(daemon, 'the log to tell', () => told(readFileSync(file, 'utf8')) !== undefined)
  const line = told(readFileSync(file, 'utf8'))
  assert.ok(Number(line?.details['dropped']) > 0)
  assert.equal(line?.details['destination'], file)
  assert.equal(await daemon.stop(), 0)
  // Not a line of it is half, although the disk was full in the midst of one.
  for (const each of readFileSync(file, 'utf8').trimEnd().split('\n')) JSON.parse(each)
  assert.ok(statSync(file).size > 32 * 1024)
})

for (const onFailure of ['end', 'continue'] as const) {
  test(`the disk of the log and of the audit log is full, sessions ${onFailure} as configured, standard error has the codes, and both recover`, async () => {
    using disk = smallDisk(2 ** 25)
    const [directory, file] = [join(disk.folder, 'audit'), join(disk.folder, 'log')]
    mkdirSync(directory)
    const audit = {
      ...{ enable: true, format: 'binary', storage: 'file', file: { directory }, lowDiskBytes: 0, onFailure },
      intercept: { stdout: true },
    }
    await using daemon = await startQuietDaemon({ log: { destination: 'file', file, ...small }, config: { audit } })
    disk.fill(0)
    await knockUntil(daemon, 'the log to fail', () => droppedIn(daemon.stderr()) > 0)
    const { code, stdout, stderr } = await daemon.client.run(['head -c 1000000 /dev/urandom | base64; echo done >&2'])
    if (onFailure === 'end') {
      assert.equal(code, 255)
      assert.match(stderr, /cannot be recorded/)
    } else {
      assert.deepEqual([code, stderr.trim()], [0, 'done'])
      assert.ok(stdout.length > 1_300_000)
    }
    await until('the codes', () => /"AUDIT_(OPEN|WRITE)_FAILED"/.test(daemon.stderr()))
    // So much that it is not full again before the log is tried.
    disk.fill(2 ** 24)
    await until('a session', async () => (await daemon.client.run(['exit 3'])).code === 3, 60_000)
    await knockUntil(daemon, 'the log to tell', () => told(readFileSync(file, 'utf8')) !== undefined)
    assert.equal((await daemon.client.run(['exit 4'])).code, 4)
    assert.equal(await daemon.stop(), 0)
    // The login after the trouble is in both.
    const logins = readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line.includes('"SSH_AUTH_SUCCESSFUL"'))
    const { connectionId } = (JSON.parse(logins.at(-1) ?? '{}') as LogLine).details
    const { records, problems } = await contentsOf(readFileSync(join(directory, String(connectionId))))
    assert.deepEqual([problems, records.at(-1)?.type], [[], 'disconnect'])
  })
}

test('nobody reads standard output: sessions work, and its reader is told later what it missed', async () => {
  const folder = execFileSync('mktemp', ['-d'], { encoding: 'utf8' }).trim()
  const fifo = join(folder, 'fifo')
  execFileSync('mkfifo', [fifo])
  // Open for both, or opening would wait for a reader.
  const pipe = openSync(fifo, 'r+')
  await using daemon = await startQuietDaemon({ log: small, stdio: ['ignore', pipe, 'pipe'] })
  await knockUntil(daemon, 'records to be dropped', () => droppedIn(daemon.stderr()) > 0)
  await works(daemon)
  const reader = spawn('cat', [fifo], { stdio: ['ignore', 'pipe', 'inherit'] })
  closeSync(pipe)
  let text = ''
  reader.stdout.setEncoding('utf8').on('data', (more: string) => {
    text += more
  })
  const ended = once(reader, 'close')
  await knockUntil(daemon, 'the log to tell', () => told(text) !== undefined)
  assert.ok(Number(told(text)?.details['dropped']) > 0)
  assert.equal(await daemon.stop(), 0)
  await ended
  const codes = text
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as LogLine).code)
  assert.ok(codes.includes('SERVICE_POOL_STOPPED'))
  execFileSync('rm', ['-r', folder])
})

test('syslog takes connections and never reads: sessions work, and it is told later what it missed', async () => {
  const sockets: Socket[] = []
  const server = createServer({ pauseOnConnect: true }, (socket) => sockets.push(socket)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  const log = { destination: 'syslog', syslog: { destination: `tcp://127.0.0.1:${address.port}` }, ...small }
  await using daemon = await startQuietDaemon({ log })
  await works(daemon)
  // TCP on loopback takes megabytes before it takes no more.
  await knockUntil(daemon, 'records to be dropped', () => droppedIn(daemon.stderr()) > 0)
  await works(daemon)
  let text = ''
  for (const socket of sockets)
    socket
      .setEncoding('utf8')
      .on('data', (more: string) => (text += more))
      .resume()
  await knockUntil(daemon, 'it to be told', () => text.includes('"LOG_RECORDS_DROPPED"'))
  assert.equal(await daemon.stop(), 0)
  await until('the last record', () => text.includes('"SERVICE_POOL_STOPPED"'))
  server.close()
})
