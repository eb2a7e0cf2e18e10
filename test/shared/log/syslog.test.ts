import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { Fault } from '../../../src/shared/codes/fault.ts'
import { openOutput } from '../../../src/shared/log/output.ts'
import type { LogRecord } from '../../../src/shared/log.ts'

let folder: string
let path: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'containerssh-syslog-'))
  path = join(folder, 'log')
})
afterEach(async () => {
  await rm(folder, { recursive: true, force: true })
})

const open = (destination: string, pid = false) =>
  openOutput({
    level: 'debug',
    format: 'text',
    destination: 'syslog',
    file: '',
    syslog: { destination, facility: 'local3', tag: 'foo', pid },
  })

const record = (message: string): LogRecord => ({ level: 'info', code: 'TEST', message, labels: { a: 1 }, time: 0 })

/** A syslog daemon on a stream socket; `lines(n)` waits until it has that many. */
async function streamDaemon(): Promise<{
  readonly lines: (count: number) => Promise<string[]>
  stop(): Promise<void>
}> {
  const server: Server = createServer()
  const sockets = new Set<Socket>()
  let received = ''
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.setEncoding('utf8').on('data', (text) => {
      received += text
      server.emit('received')
    })
  })
  server.listen(path)
  await once(server, 'listening')
  return {
    async lines(count) {
      while (received.split('\n').length <= count) await once(server, 'received')
      return received.split('\n').slice(0, -1)
    },
    async stop() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

describe('syslog', { timeout: 30_000 }, () => {
  it('on a stream socket gets frames of one line', async () => {
    const daemon = await streamDaemon()
    const output = await open(path, true)
    output.write(record('one'))
    output.write(record('two\nlines'))
    output.close()
    const [one, two] = await daemon.lines(2)
    assert.match(
      one ?? '',
      new RegExp(`^<158>\\w{3} [ \\d]\\d \\d\\d:\\d\\d:\\d\\d foo\\[${process.pid}\\]: one \\(a=1\\)$`),
    )
    assert.match(two ?? '', /: two\\nlines \(a=1\)$/)
    await daemon.stop()
  })

  it('that was restarted and rotated gets what is logged afterwards', async () => {
    const first = await streamDaemon()
    const output = await open(path)
    output.write(record('before'))
    await first.lines(1)
    await first.stop()
    const second = await streamDaemon()
    await output.rotate()
    output.write(record('after'))
    assert.match((await second.lines(1)).at(-1) ?? '', /after/)
    output.close()
    await second.stop()
  })

  it('that comes back later gets what was logged meanwhile', async () => {
    const first = await streamDaemon()
    const output = await open(path)
    output.write(record('before'))
    await first.lines(1)
    await first.stop()
    while (output.queuedBytes === 0) {
      output.write(record('meanwhile'))
      await new Promise(setImmediate)
    }
    const second = await streamDaemon()
    assert.match((await second.lines(1)).at(-1) ?? '', /meanwhile/)
    output.close()
    await second.stop()
  })

  it('over UDP gets one datagram for each record', async () => {
    const daemon = createSocket('udp4').bind(0, '127.0.0.1')
    await once(daemon, 'listening')
    const output = await open(`127.0.0.1:${daemon.address().port}`)
    const received: string[] = []
    daemon.on('message', (message) => received.push(message.toString()))
    output.write(record('one'))
    output.write(record('two'))
    output.close()
    while (received.length < 2) await once(daemon, 'message')
    assert.match(received[0] ?? '', /^<158>.{15} foo: one \(a=1\)\n$/)
    assert.match(received[1] ?? '', /^<158>.{15} foo: two \(a=1\)\n$/)
    daemon.close()
  })

  it('on a datagram socket gets frames through logger(1)', async () => {
    // Node cannot listen on such a socket; the perl of every Debian can.
    const script = `use Socket; $| = 1; socket(S, PF_UNIX, SOCK_DGRAM, 0) or die; bind(S, sockaddr_un($ARGV[0])) or die;
      print "ready\\n"; for (1, 2) { recv(S, $m, 65536, 0); print "$m\\n" }`
    const daemon = spawn('perl', ['-e', script, path], { stdio: ['ignore', 'pipe', 'inherit'] })
    let received = ''
    daemon.stdout.setEncoding('utf8').on('data', (text) => {
      received += text
    })
    while (!received.includes('ready')) await once(daemon.stdout, 'data')
    const output = await open(path)
    const long = 'x'.repeat(5000)
    output.write(record(`<one> & ${long}`))
    output.write({ ...record('two'), level: 'crit' })
    output.close()
    await once(daemon, 'exit')
    const [, one, two] = received.split('\n')
    assert.match(one ?? '', /^<158>\w{3} [ \d]\d \d\d:\d\d:\d\d foo: <one> & x{5000} \(a=1\)$/)
    assert.match(two ?? '', /^<154>.{15} foo: two \(a=1\)$/)
  })

  it('that cannot be reached is a configuration error that names the option', async () => {
    for (const destination of [path, 'nonsense', 'localhost:0', 'localhost:99999']) {
      await assert.rejects(open(destination), (error) => {
        assert.ok(error instanceof Fault)
        assert.equal(error.code, 'CORE_CONFIG_ERROR')
        assert.equal(error.labels['option'], 'log.syslog.destination')
        return true
      })
    }
  })
})
