/** The OpenSSH client reaches targets of the session (-L, -D, -W) and is reached through it (-R). */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import type { Socket } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { until } from '../../rigs/daemon.ts'
import { anyForwarding, startServer, type TestServer } from '../../rigs/server.ts'
import { all, answering, converse, folder, freePort, reach, startService } from '../../rigs/services.ts'
import { finish, type SshProcess } from '../../rigs/ssh.ts'

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const large = randomBytes(8 * 1024 * 1024)
const echo = answering((received) => received)

let server: TestServer
const started: SshProcess[] = []
before(async () => {
  server = await startServer({ security: anyForwarding })
})
after(async () => {
  for (const ssh of started) ssh.kill('SIGKILL')
  await server[Symbol.asyncDispose]()
})

interface Forwarding extends AsyncDisposable {
  readonly ssh: SshProcess
  /** Waits for what the client says about its work. */
  said(pattern: RegExp): Promise<RegExpMatchArray>
}

/** A client that only forwards, from the moment when its program runs. */
async function forward(...options: readonly string[]): Promise<Forwarding> {
  const ssh = server.client.start(['wait'], ['-v', '-o', 'ExitOnForwardFailure=yes', ...options])
  started.push(ssh)
  let text = ''
  ssh.stderr.setEncoding('utf8').on('data', (more: string) => {
    text += more
  })
  await Promise.race([
    once(ssh.stdout, 'data'),
    once(ssh, 'exit').then(() => Promise.reject(new Error(`ssh ended:\n${text}`))),
  ])
  return {
    ssh,
    said: (pattern) => until(`${pattern} from ssh`, () => pattern.exec(text) ?? undefined),
    async [Symbol.asyncDispose]() {
      if (ssh.exitCode !== null || ssh.signalCode !== null) return
      ssh.kill()
      await once(ssh, 'exit')
    },
  }
}
const nobodyIsLeft = () => until('the room is left', () => server.room.inside() === 0 && server.room.doors.size === 0)

/** Each says something of its own, ends, and hears it again. */
async function eachIsAnswered(open: readonly Socket[]): Promise<void> {
  const answers = open.map(async (socket, i) => {
    const said = `${i} `.repeat(20_000)
    socket.end(said)
    assert.equal((await all(socket)).toString(), said)
  })
  await Promise.all(answers)
}

describe('ssh -L', () => {
  test('carries 8 MiB each way, from a port', async () => {
    await using service = await startService(echo)
    const port = await freePort()
    await using _ = await forward('-L', `127.0.0.1:${port}:127.0.0.1:${service.at}`)
    assert.equal(sha256(await converse(port, large)), sha256(large))
  })

  test('ends each direction on its own: a client that has ended is still answered, and the other way round', async () => {
    using sockets = folder()
    await using counting = await startService(answering((received) => `got ${received.length}`))
    await using hasty = await startService((socket) => {
      socket.end('first')
      all(socket).then(
        (received) => last.resolve(received.toString()),
        () => undefined,
      )
    })
    const last = Promise.withResolvers<string>()
    const [one, two] = [sockets.path('one'), sockets.path('two')]
    await using _ = await forward('-L', `${one}:127.0.0.1:${counting.at}`, '-L', `${two}:127.0.0.1:${hasty.at}`)
    assert.equal((await converse(one, Buffer.alloc(100_000))).toString(), 'got 100000')
    const socket = await reach(two)
    assert.equal((await all(socket)).toString(), 'first')
    socket.end('last')
    assert.equal(await last.promise, 'last')
  })

  test('reaches a socket of the room', async () => {
    using sockets = folder()
    const [here, there] = [sockets.path('here'), sockets.path('there')]
    await using service = await startService(echo, there)
    await using _ = await forward('-L', `${here}:${service.at}`)
    assert.equal((await converse(here, 'through two sockets')).toString(), 'through two sockets')
  })

  test('carries fifty connections at once', async () => {
    using sockets = folder()
    await using service = await startService(echo)
    const here = sockets.path('here')
    await using _ = await forward('-L', `${here}:127.0.0.1:${service.at}`)
    const open = await Promise.all(Array.from({ length: 50 }, () => reach(here)))
    await until('all are connected', () => service.accepted === 50)
    await eachIsAnswered(open)
  })

  test('is told that nobody listens, and that a target is prohibited', async () => {
    using sockets = folder()
    const [refused, prohibited] = [sockets.path('refused'), sockets.path('prohibited')]
    const port = await freePort()
    await using client = await forward('-L', `${refused}:127.0.0.1:${port}`, '-L', `${prohibited}:192.0.2.1:80`)
    await converse(refused, 'x').catch(() => undefined)
    await client.said(new RegExp(`connect failed: cannot connect to 127.0.0.1:${port}: ECONNREFUSED`))
    await converse(prohibited, 'x').catch(() => undefined)
    await client.said(/administratively prohibited: that target is not supported/)
    await server.line('SSH_FORWARD_CONNECT_FAILED')
    await server.line('SSH_NEW_CHANNEL_REJECTED')
  })

  test('leaves no connection to its targets behind when the client is killed', async () => {
    using sockets = folder()
    const gone = Promise.withResolvers<void>()
    await using service = await startService((socket) => {
      socket.write('welcome')
      socket.on('end', () => socket.end()).on('close', () => gone.resolve())
      socket.resume()
    })
    const here = sockets.path('here')
    await using client = await forward('-L', `${here}:127.0.0.1:${service.at}`)
    const socket = await reach(here)
    await once(socket, 'data')
    client.ssh.kill('SIGKILL')
    await gone.promise
    socket.destroy()
    await nobodyIsLeft()
  })
})

describe('ssh -W and -D', () => {
  test('-W connects the client itself with a target', async () => {
    await using service = await startService(answering((received) => sha256(received)))
    const { stdout } = await finish(server.client.start([], ['-W', `127.0.0.1:${service.at}`]), large)
    assert.equal(stdout.toString(), sha256(large))
  })

  test('-D serves SOCKS clients', async () => {
    await using service = await startService(echo)
    const port = await freePort()
    await using _ = await forward('-D', `127.0.0.1:${port}`)
    const socket = await reach(port)
    // RFC 1928: no authentication, then CONNECT to an IPv4 address.
    socket.write(Buffer.of(5, 1, 0))
    assert.deepEqual([...((await once(socket, 'data')) as [Buffer])[0]], [5, 0])
    const target = Number(service.at)
    socket.write(Buffer.of(5, 1, 0, 1, 127, 0, 0, 1, target >> 8, target & 0xff))
    const [reply] = (await once(socket, 'data')) as [Buffer]
    assert.equal(reply[1], 0)
    socket.end('over SOCKS')
    assert.equal((await all(socket)).toString(), 'over SOCKS')
  })
})

describe('ssh -R', () => {
  test('with port 0 learns the port, through which 8 MiB go each way', async () => {
    await using service = await startService(echo)
    await using client = await forward('-R', `0:127.0.0.1:${service.at}`)
    const [, port] = await client.said(/Allocated port (\d+) for remote forward/)
    assert.equal(sha256(await converse(Number(port), large)), sha256(large))
  })

  test('ends each direction on its own', async () => {
    await using service = await startService(answering((received) => `got ${received.length}`))
    await using client = await forward('-R', `0:127.0.0.1:${service.at}`)
    const [, port] = await client.said(/Allocated port (\d+) for remote forward/)
    assert.equal((await converse(Number(port), Buffer.alloc(100_000))).toString(), 'got 100000')
  })

  test('carries fifty connections at once', async () => {
    await using service = await startService(echo)
    await using client = await forward('-R', `0:127.0.0.1:${service.at}`)
    const [, port] = await client.said(/Allocated port (\d+) for remote forward/)
    const open = await Promise.all(Array.from({ length: 50 }, () => reach(Number(port))))
    await until('all are connected', () => service.accepted === 50)
    await eachIsAnswered(open)
  })

  test('listens at a socket of the room', async () => {
    using sockets = folder()
    await using service = await startService(echo)
    const there = sockets.path('there')
    await using client = await forward('-R', `${there}:127.0.0.1:${service.at}`)
    await client.said(/remote forward success/)
    assert.equal((await converse(there, 'from the room')).toString(), 'from the room')
  })

  test('is told that a port is taken', async () => {
    await using service = await startService(echo)
    const ssh = server.client.start(
      ['exit', '0'],
      [...['-o', 'ExitOnForwardFailure=yes'], ...['-R', `${service.at}:127.0.0.1:1`]],
    )
    const { code, stderr } = await finish(ssh)
    assert.equal(code, 255)
    assert.match(stderr, /remote port forwarding failed for listen port/)
    await server.line('SSH_GLOBAL_REQUEST_FAILED')
    await server.line('SSH_FORWARD_LISTEN_FAILED', (record) => record.labels['reason'] === 'EADDRINUSE')
  })

  test('whose own target does not answer drops the connection and lives on', async () => {
    const nobody = await freePort()
    await using client = await forward('-R', `0:127.0.0.1:${nobody}`)
    const [, port] = await client.said(/Allocated port (\d+) for remote forward/)
    assert.equal((await converse(Number(port), 'anybody?').catch(() => Buffer.alloc(0))).length, 0)
    await server.line('SSH_NEW_CHANNEL_REJECTED', (record) => record.labels['type'] === 'forwarded-tcpip')
    assert.equal(client.ssh.exitCode, null)
  })

  test('can be taken back, and its end ends the listening', async () => {
    using sockets = folder()
    await using service = await startService(echo)
    const fixed = await freePort()
    const there = sockets.path('there')
    const control = ['-o', `ControlPath=${sockets.path('control')}`]
    const master = await forward(...control, '-o', 'ControlMaster=yes', '-R', `${fixed}:127.0.0.1:${service.at}`)
    await master.said(/remote forward success/)
    const command = (...words: readonly string[]) => server.client.run([], { options: [...control, ...words] })
    assert.equal((await converse(fixed, 'fixed')).toString(), 'fixed')
    const dynamic = ['-R', `0:127.0.0.1:${service.at}`]
    const chosen = Number((await command('-O', 'forward', ...dynamic)).stdout.toString())
    assert.equal((await converse(chosen, 'chosen')).toString(), 'chosen')
    await command('-O', 'forward', '-R', `${there}:127.0.0.1:${service.at}`)
    assert.equal((await converse(there, 'socket')).toString(), 'socket')
    assert.equal(server.room.doors.size, 3)

    assert.equal((await command('-O', 'cancel', '-R', `${fixed}:127.0.0.1:${service.at}`)).code, 0)
    assert.equal((await command('-O', 'cancel', ...dynamic)).code, 0)
    await until('two doors are closed', () => server.room.doors.size === 1)
    for (const port of [fixed, chosen]) await assert.rejects(reach(port), /ECONNREFUSED/)
    assert.equal((await converse(there, 'still')).toString(), 'still')

    await master[Symbol.asyncDispose]()
    await nobodyIsLeft()
    assert.equal(existsSync(there), false)
  })
})
