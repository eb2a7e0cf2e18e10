import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { Fault } from '../../../src/shared/codes/fault.ts'
import { defaults } from '../../../src/shared/config/schema.ts'
import { openOutput } from '../../../src/shared/log/output.ts'
import { syslogStream } from '../../../src/shared/log/syslog.ts'
import { formatSyslog } from '../../../src/shared/log/syslog-format.ts'
import type { LogRecord } from '../../../src/shared/log.ts'
import { until } from '../../rigs/daemon.ts'

let folder: string
let path: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'containerssh-syslog-'))
  path = join(folder, 'log')
})
afterEach(async () => {
  await rm(folder, { recursive: true, force: true })
})

const open = (destination: string, pid = false, queueBytes = log.queueBytes) =>
  openOutput({
    ...log,
    queueBytes,
    level: 'debug',
    format: 'text',
    destination: 'syslog',
    syslog: { ...log.syslog, destination, facility: 'local3', tag: 'foo', pid },
  })
const { log } = defaults()

const record = (message: string): LogRecord => ({ level: 'info', code: 'TEST', message, labels: { a: 1 }, time: 0 })

/** A syslog daemon on a stream socket; `lines(n)` waits until it has that many. */
async function streamDaemon(): Promise<{
  readonly lines: (count: number) => Promise<string[]>
  received(): string
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
    received: () => received,
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

/** A syslog daemon on a datagram socket. Node cannot listen on such a one; the perl of every Debian can. */
async function datagramDaemon() {
  const script = `use Socket; $| = 1; socket(S, PF_UNIX, SOCK_DGRAM, 0) or die; bind(S, sockaddr_un($ARGV[0])) or die;
    print "ready\\0"; while (defined recv(S, $m, 262144, 0)) { print "$m\\0" }`
  const daemon = spawn('perl', ['-e', script, path], { stdio: ['ignore', 'pipe', 'inherit'] })
  let received = ''
  daemon.stdout.setEncoding('utf8').on('data', (text) => {
    received += text
  })
  const datagrams = async (count: number): Promise<string[]> => {
    await until(`${count} datagrams`, () => received.split('\0').length > count + 1)
    return received.split('\0').slice(1, -1)
  }
  await until('the daemon to listen', () => received.startsWith('ready'))
  return {
    datagrams,
    pause: () => daemon.kill('SIGSTOP'),
    resume: () => daemon.kill('SIGCONT'),
    async stop() {
      daemon.kill('SIGKILL')
      await once(daemon, 'exit')
      await rm(path)
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

  it('whose connection breaks in the midst of a record gets it again, whole', async () => {
    // The first connection takes nothing, and what it had is with the second one.
    const first = createServer({ pauseOnConnect: true }).listen(path)
    const connections: Socket[] = []
    first.on('connection', (socket) => connections.push(socket))
    await once(first, 'listening')
    const output = await open(path)
    const count = 5000
    for (let n = 0; n < count; n++) output.write(record(`${n} ${'x'.repeat(200)}`))
    await until('the socket to be full', () => output.queuedBytes > 0)
    for (const socket of connections) socket.destroy()
    first.close()
    await once(first, 'close')
    const second = await streamDaemon()
    await until('the queue to be empty', () => output.queuedBytes === 0)
    output.write(record('last'))
    await until('the last record', () => second.received().includes(': last (a=1)\n'))
    const lines = second.received().split('\n').slice(0, -2)
    const numbers = lines.map((line) => Number(/foo: (\d+) x{200} \(a=1\)$/.exec(line)?.[1]))
    const from = numbers[0] ?? 0
    // What the kernel had taken of the first connection is gone; all that it had not is here, and no line is half.
    assert.ok(from < count)
    assert.deepEqual(
      numbers,
      numbers.map((_, n) => from + n),
    )
    assert.equal(numbers.at(-1), count - 1)
    assert.equal(output.dropped, 0)
    output.close()
    await second.stop()
  })

  it('over TCP has its messages counted, and is given time for the last ones', async () => {
    let received = ''
    const server = createServer((socket) => socket.setEncoding('utf8').on('data', (text) => (received += text)))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo // it listens on TCP
    const output = await open(`tcp://127.0.0.1:${port}`)
    for (let n = 0; n < 2000; n++) output.write(record(`é\n${n}`))
    await output.drain()
    output.close()
    server.close()
    await once(server, 'close')
    let rest = Buffer.from(received)
    const messages: string[] = []
    while (rest.length > 0) {
      const blank = rest.indexOf(' ')
      const end = blank + 1 + Number(rest.subarray(0, blank).toString())
      messages.push(rest.subarray(blank + 1, end).toString())
      rest = rest.subarray(end)
    }
    assert.equal(messages.length, 2000)
    for (const [n, message] of messages.entries()) assert.ok(message.endsWith(`foo: é\\n${n} (a=1)`), message)
  })

  it('that takes connections and reads nothing stops nothing; it is told afterwards what it missed', async () => {
    const sockets: Socket[] = []
    const server = createServer({ pauseOnConnect: true }, (socket) => sockets.push(socket)).listen(path)
    await once(server, 'listening')
    const output = await open(path, false, 64 * 1024)
    await until('the connection', () => sockets.length > 0)
    for (let n = 0; n < 5000; n++) output.write(record(`${n} ${'x'.repeat(200)}`))
    const { dropped } = output
    assert.ok(dropped > 0)
    let received = ''
    for (const socket of sockets)
      socket
        .setEncoding('utf8')
        .on('data', (text) => (received += text))
        .resume()
    await until('it to be told', () => {
      output.write(record('afterwards'))
      return received.includes('records are missing')
    })
    const [, told] = /: (\d+) records are missing before this one: /.exec(received) ?? []
    assert.equal(Number(told), dropped)
    output.close()
    server.close()
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

  it('on a datagram socket gets one datagram for each record', async () => {
    const daemon = await datagramDaemon()
    const output = await open(path)
    const long = 'x'.repeat(5000)
    output.write(record(`<one> & ${long}`))
    output.write({ ...record('two'), level: 'crit' })
    output.close()
    const [one, two] = await daemon.datagrams(2)
    assert.match(one ?? '', /^<158>\w{3} [ \d]\d \d\d:\d\d:\d\d foo: <one> & x{5000} \(a=1\)\n$/)
    assert.match(two ?? '', /^<154>.{15} foo: two \(a=1\)\n$/)
    await daemon.stop()
  })

  it('on a datagram socket gets records that are too long for it with their texts cut', async () => {
    const daemon = await datagramDaemon()
    const output = await open(path)
    output.write({ ...record('y'.repeat(200_000)), labels: { text: 'é'.repeat(100_000) } })
    output.close()
    const [only = ''] = await daemon.datagrams(1)
    assert.match(only, /^<158>.{15} foo: y{1000,}… \(text=é{1000,}…\)\n$/)
    assert.equal(output.dropped, 0)
    await daemon.stop()
  })

  it('on a datagram socket that nobody reads drops what is beyond the queue, and the rest arrives when it is read', async () => {
    const daemon = await datagramDaemon()
    daemon.pause()
    const output = await open(path, false, 64 * 1024)
    for (let n = 0; n < 2000; n++) output.write(record(`${n} ${'x'.repeat(200)}`))
    const { dropped } = output
    assert.ok(dropped > 0)
    assert.ok(output.queuedBytes <= 64 * 1024)
    daemon.resume()
    const received = await daemon.datagrams(2000 - dropped)
    const numbers = received.map((datagram) => Number(/foo: (\d+)/.exec(datagram)?.[1]))
    assert.deepEqual(
      numbers,
      numbers.map((_, n) => n),
    )
    assert.equal(output.dropped, dropped)
    output.close()
    await daemon.stop()
  })

  it('on a datagram socket that comes back later gets what was logged meanwhile', async () => {
    const first = await datagramDaemon()
    const output = await open(path)
    output.write(record('before'))
    await first.datagrams(1)
    await first.stop()
    output.write(record('meanwhile'))
    const second = await datagramDaemon()
    assert.match((await second.datagrams(1))[0] ?? '', /meanwhile/)
    output.close()
    await second.stop()
  })

  it('on a datagram socket is written through logger(1) where the addon is missing', async () => {
    const daemon = await datagramDaemon()
    const trouble = (error: unknown) => assert.fail(String(error))
    const target = { transport: 'unix', path } as const
    const destination = await syslogStream({ name: path, target, tag: 'foo', trouble, queueBytes: 64 * 1024 })
    const header = { ...log.syslog, facility: 'local3', tag: 'foo', pid: undefined, hostname: '' } as const
    destination.write(`${formatSyslog(record('one'), 'text', header)}\n`)
    destination.write(`${formatSyslog({ ...record('two'), level: 'crit' }, 'text', header)}\n`)
    destination.close(1000)
    const [one, two] = await daemon.datagrams(2)
    assert.match(one ?? '', /^<158>\w{3} [ \d]\d \d\d:\d\d:\d\d foo: one \(a=1\)$/)
    assert.match(two ?? '', /^<154>.{15} foo: two \(a=1\)$/)
    await daemon.stop()
  })

  it('that cannot be reached is a configuration error that names the option', async () => {
    for (const destination of [
      path,
      `/${'x'.repeat(200)}`,
      'tcp://127.0.0.1:1',
      'http://localhost:1',
      'nonsense',
      'localhost:0',
      'localhost:99999',
    ]) {
      await assert.rejects(open(destination), (error) => {
        assert.ok(error instanceof Fault)
        assert.equal(error.code, 'CORE_CONFIG_ERROR')
        assert.equal(error.labels['option'], 'log.syslog.destination')
        return true
      })
    }
  })
})
