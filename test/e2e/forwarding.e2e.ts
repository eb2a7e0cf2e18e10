/** The OpenSSH client reaches into containers and is reached from them, by a guest agent. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { until } from '../rigs/daemon.ts'
import { derivedImage } from '../rigs/derived-image.ts'
import { sayHello, startDisplay, startOwnAgent } from '../rigs/desktop.ts'
import { image } from '../rigs/docker.ts'
import type { Login } from '../rigs/login.ts'
import { all, answering, converse, folder, freePort, reach, startService } from '../rigs/services.ts'
import { house, services, visit } from '../rigs/visit.ts'

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const large = randomBytes(4 * 1024 * 1024)
/** Of the guest agents: what is left when nothing is forwarded any more. */
const helpers = 'ps | grep -c "[f]orward-server"; ls -A /tmp | wc -l'

describe('with a guest agent in the image', () => {
  let home: Login
  before(async () => {
    const name = 'containerssh-test/forward-agent:1'
    home = await house(await derivedImage(name, 'containerssh-test/agent:1', { paths: ['/usr/bin/ssh-add'] }))
  })
  after(() => home[Symbol.asyncDispose]())

  test('ssh -L carries 4 MiB each way, ends each direction on its own, and fifty connections at once', async () => {
    const [echo, count, first] = [await freePort(), await freePort(), await freePort()]
    const ports = [echo, count, first].flatMap((port, i) => ['-L', `${port}:127.0.0.1:700${i}`])
    await using client = await visit(home, services, ports)
    assert.equal(sha256(await converse(echo, large)), sha256(large))
    assert.equal((await converse(count, Buffer.alloc(100_000))).toString().trim(), '100000')
    assert.equal((await all(await reach(first))).toString(), 'first\n')
    const open: Socket[] = []
    for (let i = 0; i < 50; i += 1) {
      const socket = await reach(echo)
      // nc takes one at a time; those that wait for it may be reset.
      socket.write('x')
      assert.equal(String((await once(socket, 'data'))[0]), 'x')
      open.push(socket)
    }
    const answers = await Promise.all(open.map((socket, i) => all(socket.end(`${i} `.repeat(5000)))))
    const wrong = answers.flatMap((answer, i) => (answer.toString() === `${i} `.repeat(5000) ? [] : [answer.length]))
    assert.deepEqual(wrong, [])
    const left = await client.inside('ps | grep -c "[f]orward-server"')
    assert.equal(left.stdout.toString().trim(), '1', 'all connections share a process')
    await home.daemon.line('DOCKER_EXEC', ({ details }) => String(details['command']).endsWith('forward-server'))
  })

  test('ssh -L is told that nobody listens, and of a name that there is not', async () => {
    const [refused, unknown] = [await freePort(), await freePort()]
    const ports = ['-L', `${refused}:127.0.0.1:1`, '-L', `${unknown}:nowhere.invalid:80`]
    await using client = await visit(home, services, ports)
    await converse(refused, 'x').catch(() => undefined)
    await client.said(/connect failed: cannot connect to 127.0.0.1:1: connection refused/)
    await converse(unknown, 'x').catch(() => undefined)
    await client.said(/connect failed: cannot connect to nowhere.invalid:80: /)
    await home.daemon.line('AGENTPROTO_REMOTE_ERROR')
  })

  test('ssh -D serves SOCKS clients', async () => {
    const port = await freePort()
    await using _ = await visit(home, services, ['-D', String(port)])
    const socket = await reach(port)
    // RFC 1928: no authentication, then CONNECT to a name.
    socket.write(Buffer.of(5, 1, 0))
    assert.deepEqual([...((await once(socket, 'data')) as [Buffer])[0]], [5, 0])
    const name = Buffer.from('localhost')
    socket.write(Buffer.concat([Buffer.of(5, 1, 0, 3, name.length), name, Buffer.of(7000 >> 8, 7000 & 0xff)]))
    assert.equal(((await once(socket, 'data')) as [Buffer])[0][1], 0)
    assert.equal((await all(socket.end('over SOCKS'))).toString(), 'over SOCKS')
  })

  test('ssh -R reaches the client from a port, from one that is chosen, and from a socket; -L a socket', async () => {
    using sockets = folder()
    await using service = await startService(answering((received) => `got ${received.length}`))
    const forwards = [`7070:127.0.0.1:${service.at}`, `0:127.0.0.1:${service.at}`, `/tmp/door:127.0.0.1:${service.at}`]
    const here = sockets.path('here')
    const back = ['-L', `${here}:/tmp/door`]
    await using client = await visit(home, services, [...forwards.flatMap((one) => ['-R', one]), ...back])
    const [, port] = await client.said(/Allocated port (\d+) for remote forward/)
    for (const at of ['7070', port]) {
      const { stdout } = await client.inside(`head -c 100000 /dev/zero | nc localhost ${at}`)
      assert.equal(stdout.toString(), 'got 100000')
    }
    assert.equal((await converse(here, 'through two sockets')).toString(), 'got 19')
    for (const one of forwards) assert.equal((await client.control('cancel', '-R', one)).code, 0)
    await until('nothing is left of it', async () => {
      // The one that dials, and what the services have put into /tmp, which is nothing.
      const { stdout } = await client.inside(helpers)
      return stdout.toString() === '1\n0\n'
    })
  })

  test('ssh -R is told that a port is taken', async () => {
    await using client = await visit(home, services)
    const { code } = await client.control('forward', '-R', '7000:127.0.0.1:1')
    assert.notEqual(code, 0)
    await home.daemon.line('SSH_FORWARD_LISTEN_FAILED', ({ details }) => details['reason'] === 'address already in use')
  })

  test('ssh -A gives programs the agent of the client', async () => {
    await using agent = await startOwnAgent()
    const command = 'ssh-add -L; echo ready; ls -ld $(dirname $SSH_AUTH_SOCK); cat'
    await using client = await visit(home, command, ['-A'], agent.env)
    await client.said(agent.said)
    await client.said(/^drwx------/m)
    client.ssh.stdin.end()
    await until('nothing is left of it', async () => {
      const { stdout } = await client.inside(helpers)
      return stdout.toString() === '0\n0\n'
    })
  })

  test('ssh -X brings programs to the display of the client, with its cookie, and no xauth in the image', async () => {
    await using display = await startDisplay()
    await using client = await visit(home, `${sayHello}; echo; echo ready; cat`, ['-Y'], display.env)
    await client.said(/welcome/)
    assert.match(await display.heard, /request$/)
    client.ssh.stdin.end()
    await until('nothing is left of it', async () => (await client.inside(helpers)).stdout.toString() === '0\n0\n')
  })

  test('an agent that somebody kills in the container is told about, and the next connection starts another', async () => {
    const port = await freePort()
    await using client = await visit(home, services, ['-L', `${port}:127.0.0.1:7000`])
    const socket = await reach(port)
    socket.write('x')
    await once(socket, 'data')
    const closed = once(socket, 'end')
    await client.inside('kill -KILL $(pidof containerssh-agent | tr " " "\\n" | grep -vx 1)')
    await closed
    socket.destroy()
    await home.daemon.line('DOCKER_AGENT_FAILED', ({ details }) => details['exitCode'] === 137)
    assert.equal((await converse(port, 'again')).toString(), 'again')
  })

  test('a client that vanishes leaves neither connections nor a container', async () => {
    let [came, gone] = [false, false]
    await using service = await startService((socket) => {
      came = true
      socket.on('end', () => socket.end())
      socket.on('close', () => {
        gone = true
      })
      socket.resume()
    })
    const port = await freePort()
    const ports = ['-L', `${port}:127.0.0.1:7000`, '-R', `7070:127.0.0.1:${service.at}`]
    const calling = services.replace(/cat$/, 'while ! nc localhost 7070; do sleep 0.1; done')
    await using client = await visit(home, calling, ports)
    const socket = await reach(port)
    socket.write('x')
    await once(socket, 'data')
    await until('the container reaches us', () => came)
    client.ssh.kill('SIGKILL')
    await until('our end is closed', () => gone)
    socket.destroy()
    await home.noContainers()
  })
})

test('an image with nothing inside is forwarded into and out of by the agent that is put into it', async () => {
  await using home = await house(await image('containerssh-test/noshell:1'))
  await using service = await startService(answering((received) => `got ${received.length}`))
  const port = await freePort()
  const command =
    "/busybox sh -c 'busybox=/busybox; $busybox nc -ll -p 7000 -e /busybox cat & echo ready; exec $busybox cat'"
  await using client = await visit(home, command, ['-L', `${port}:localhost:7000`, '-R', `0:127.0.0.1:${service.at}`])
  const [, chosen] = await client.said(/Allocated port (\d+) for remote forward/)
  await until('there and back', async () => (await converse(port, 'hello')).toString() === 'hello')
  const { stdout } = await client.inside(`/busybox sh -c '/busybox echo hello | /busybox nc localhost ${chosen}'`)
  assert.equal(stdout.toString(), 'got 6')
})

test('an agent in the image that is none is told about, and refuses nothing but what it was asked', async () => {
  using scripts = folder()
  const script = scripts.path('agent')
  writeFileSync(
    script,
    `#!/bin/sh
command=$1; shift
case $command in
  wait-signal) trap 'exit 0' TERM INT; while :; do sleep 3600 & wait $!; done ;;
  console) while [ "$1" != -- ]; do shift; done; shift
    # The number of the process in four bytes; small in a new container.
    printf "\\\\$(printf %o $$)\\\\0\\\\0\\\\0"; exec "$@" ;;
  forward-server) printf 'I am a \\033[1mstranger' >&2; sleep 1; echo '{"level": "info"}'; exit 3 ;;
esac
`,
  )
  const as = { '/usr/bin/containerssh-agent': script }
  const name = await derivedImage('containerssh-test/forward-stranger:1', 'containerssh-test/busybox:1', { as })
  await using home = await house(name)
  const port = await freePort()
  await using client = await visit(home, 'echo ready; cat', ['-L', `${port}:127.0.0.1:7000`])
  await converse(port, 'x').catch(() => undefined)
  await client.said(/connect failed: cannot connect to 127.0.0.1:7000: the guest agent does not answer as one/)
  await home.daemon.line('AGENTPROTO_DECODE_FAILED')
  await home.daemon.line('DOCKER_AGENT_LOG', ({ details }) => details['text'] === 'I am a  [1mstranger')
  assert.equal((await client.inside('echo still here')).stdout.toString(), 'still here\n')
})
