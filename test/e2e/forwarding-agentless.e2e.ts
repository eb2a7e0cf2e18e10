/** The OpenSSH client reaches ports of containers without a guest agent, by what is in their images. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, before, describe, test } from 'node:test'
import { until } from '../rigs/daemon.ts'
import { derivedImage } from '../rigs/derived-image.ts'
import { image } from '../rigs/docker.ts'
import type { Login } from '../rigs/login.ts'
import { converse, folder, freePort, reach } from '../rigs/services.ts'
import { house, services, visit } from '../rigs/visit.ts'

for (const [tool, make] of Object.entries({
  nc: () => image('containerssh-test/busybox:1'),
  perl: () =>
    derivedImage('containerssh-test/forward-perl:1', 'containerssh-test/busybox:1', {
      paths: ['/usr/bin/perl', '/usr/lib/x86_64-linux-gnu/perl-base'],
    }),
})) {
  describe(`without an agent, by ${tool}`, () => {
    let home: Login
    before(async () => {
      home = await house(await make(), { agentMode: 'shell' })
    })
    after(() => home[Symbol.asyncDispose]())

    test('ssh -L reaches a port, and a refused one is told', async () => {
      const [echo, count, refused] = [await freePort(), await freePort(), await freePort()]
      const ports = [`${echo}:127.0.0.1:7000`, `${count}:127.0.0.1:7001`, `${refused}:127.0.0.1:1`]
      const busybox = services.replaceAll(/\bnc\b/g, 'busybox nc')
      await using client = await visit(
        home,
        busybox,
        ports.flatMap((one) => ['-L', one]),
      )
      const socket = await reach(echo)
      socket.write('there and back')
      assert.equal(String((await once(socket, 'data'))[0]), 'there and back')
      socket.destroy()
      assert.equal((await converse(count, Buffer.alloc(100_000))).toString().trim(), '100000')
      assert.equal((await converse(refused, 'x').catch(() => Buffer.alloc(0))).length, 0)
      // On a busy machine nc may pass for connected before it is refused.
      if (tool !== 'nc') await client.said(/connect failed: cannot connect to 127.0.0.1:1: /)
      await until('nothing is left of it', async () => {
        const { stdout } = await client.inside('ps | grep -E "127[.]0[.]0[.]1|nc 127" | grep -vc grep')
        return stdout.toString() === '0\n'
      })
    })

    test('everything else is refused, and the reason is told', async () => {
      using sockets = folder()
      const here = sockets.path('here')
      await using client = await visit(home, 'echo ready; cat', ['-L', `${here}:/tmp/socket`])
      await converse(here, 'x').catch(() => undefined)
      await client.said(/connect failed: cannot connect to \/tmp\/socket: no-agent/)
      assert.notEqual((await client.control('forward', '-R', '7070:127.0.0.1:1')).code, 0)
      const noAgent = ({ details }: { details: Readonly<Record<string, unknown>> }) => details['reason'] === 'no-agent'
      await home.daemon.line('SSH_FORWARD_CONNECT_FAILED', noAgent)
      await home.daemon.line('SSH_FORWARD_LISTEN_FAILED', noAgent)
      await home.daemon.line('DOCKER_FORWARDING_FAILED')
    })
  })
}
