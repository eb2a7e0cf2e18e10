/** The OpenSSH client reaches into containers that each have a program of their own, and is reached from them. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { helper } from '../guest/program.ts'
import { derivedImage } from '../rigs/derived-image.ts'
import { sayHello, startDisplay, startOwnAgent } from '../rigs/desktop.ts'
import { image } from '../rigs/docker.ts'
import { answering, converse, folder, freePort, startService } from '../rigs/services.ts'
import { house, services, visit } from '../rigs/visit.ts'

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const large = randomBytes(4 * 1024 * 1024)
const mode = 'session'

test('in session mode ssh -L and -R go into the container of the program that runs', async () => {
  await using home = await house(await image('containerssh-test/agent:1'), { mode: 'session' })
  await using service = await startService(answering((received) => `got ${received.length}`))
  const port = await freePort()
  await using client = await visit(home, services, ['-L', `${port}:127.0.0.1:7000`])
  assert.equal(sha256(await converse(port, large)), sha256(large))
  assert.equal((await client.control('forward', '-R', `7070:127.0.0.1:${service.at}`)).code, 0)
  const back = await client.control('forward', '-L', `${await freePort()}:127.0.0.1:7070`)
  assert.equal(back.code, 0)
  client.ssh.stdin.end()
  await once(client.ssh, 'exit')
})

describe('in session mode the container, which is made for the program, has', { concurrency: 1 }, () => {
  const paths = ['/usr/bin/ssh-add']
  const byShell = (words: string): string => words
  const byBusybox = (words: string): string => `/busybox sh -c '${words.replace(/\bcat\b/, '/busybox cat')}'`
  const agentImage = ['agent', 'containerssh-test/agent:1', byShell] as const
  const emptyImage = ['noshell', 'containerssh-test/noshell:1', byBusybox] as const
  for (const [what, options, [name, base, inside]] of [
    ['an agent and a shell', [], agentImage],
    ['an agent and a shell (on a terminal)', ['-tt'], agentImage],
    ['nothing', [], emptyImage],
    ['nothing (on a terminal)', ['-tt'], emptyImage],
  ] as const) {
    test(`the agent of the client, by ssh -A: the image has ${what}`, async () => {
      await using agent = await startOwnAgent()
      await using home = await house(await derivedImage(`containerssh-test/session-${name}:1`, base, { paths }), {
        mode,
      })
      const command = inside('/usr/bin/ssh-add -L; echo "[$SSH_AUTH_SOCK]"; echo ready; cat')
      await using client = await visit(home, command, ['-A', ...options], agent.env)
      const text = await client.said(/[\s\S]*ready/)
      assert.match(text[0], agent.said)
      // On a terminal nothing is seen of how the program was told.
      assert.doesNotMatch(text[0], /SSH_AUTH_SOCK=/)
      client.ssh.stdin.end(options.length > 0 ? '\x04' : '')
      await once(client.ssh, 'exit')
    })
  }

  test('the display of the client, by ssh -X, and both at the same time', async () => {
    await using agent = await startOwnAgent()
    await using display = await startDisplay()
    const name = await derivedImage('containerssh-test/session-agent:1', 'containerssh-test/agent:1', { paths })
    await using home = await house(name, { mode })
    const env = { ...display.env, ...agent.env }
    await using client = await visit(home, `${sayHello}; ssh-add -L; echo ready; cat`, ['-Y', '-A'], env)
    const [text] = await client.said(/[\s\S]*ready/)
    assert.match(text, /welcome/)
    assert.match(text, agent.said)
    assert.match(await display.heard, /request$/)
    // Another program of the connection has a container of its own, and an agent.
    const { stdout } = await client.inside('ssh-add -L; echo $DISPLAY', ['-A'])
    assert.match(stdout.toString(), agent.said)
    client.ssh.stdin.end()
    await once(client.ssh, 'exit')
  })

  test('no agent at first, where what the image has is none: from the next program on ours serves', async () => {
    await helper()
    using scripts = folder()
    writeFileSync(scripts.path('stranger'), '#!/bin/sh\necho "I am a stranger"\n')
    const as = { '/usr/bin/containerssh-agent': scripts.path('stranger') }
    const name = await derivedImage('containerssh-test/session-stranger:1', 'containerssh-test/busybox:1', {
      paths,
      as,
    })
    await using agent = await startOwnAgent()
    await using home = await house(name, { mode })
    await using client = await visit(home, 'echo "[$SSH_AUTH_SOCK]"; echo ready; cat', ['-A'], agent.env)
    await client.said(/^\[\]/m)
    await home.daemon.line('DOCKER_GUEST_AGENT_INVALID')
    const { stdout } = await client.inside('ssh-add -L', ['-A'])
    assert.match(stdout.toString(), agent.said)
    client.ssh.stdin.end()
    await once(client.ssh, 'exit')
  })

  test('neither where there is no guest agent: the program runs, and the log tells', async () => {
    await using agent = await startOwnAgent()
    await using home = await house(await image('containerssh-test/busybox:1'), { mode, agentMode: 'shell' })
    await using client = await visit(home, 'echo "[$SSH_AUTH_SOCK]"; echo ready; cat', ['-A'], agent.env)
    await client.said(/^\[\]/m)
    await home.daemon.line('SSH_FORWARD_LISTEN_FAILED', ({ details }) => details['door'] === 'agent')
    client.ssh.stdin.end()
    await once(client.ssh, 'exit')
  })
})
