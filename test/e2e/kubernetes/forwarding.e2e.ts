/** The OpenSSH client's agent and display, and its ports, in pods: by each way in which a guest agent gets there. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { before, describe, test } from 'node:test'
import { helper } from '../../guest/program.ts'
import { derivedImage } from '../../rigs/derived-image.ts'
import { sayHello, startDisplay, startOwnAgent } from '../../rigs/desktop.ts'
import { anyForwarding } from '../../rigs/server.ts'
import { answering, converse, freePort, startService } from '../../rigs/services.ts'
import { services, type Visit, visit } from '../../rigs/visit.ts'
import { type KubernetesLogin, kubernetesLogin } from './login.ts'
import { useCluster } from './rig.ts'

const paths = ['/usr/bin/ssh-add']
const [agentImage, shellImage, emptyImage] = ['agent', 'busybox', 'noshell'].map(
  (name) => `containerssh-test/pod-${name}:1`,
)
const bases = ['containerssh-test/agent:1', 'containerssh-test/busybox:1', 'containerssh-test/noshell:1'] as const
const byShell = (words: string): string => words
const byBusybox = (words: string): string =>
  `/busybox sh -c '${words.replace(/\b(cat|nc|tail)\b/g, '/busybox $1').replaceAll("'", `'\\''`)}'`
/** Who brings the agent: the image, a shell of the image, an init container. */
const ways = [
  { way: 'the agent of the image', image: agentImage, pod: {}, inside: byShell },
  { way: 'an agent that a shell has written', image: shellImage, pod: {}, inside: byShell },
  {
    way: 'an agent that an init container has copied',
    image: emptyImage,
    pod: { agentImage: 'containerssh-test/agent:1', agentMode: 'inject' },
    inside: byBusybox,
  },
] as const

describe('forwarding into pods', { concurrency: 3 }, () => {
  before(helper)
  const cluster = useCluster(() =>
    Promise.all(bases.map((base, i) => derivedImage([agentImage, shellImage, emptyImage][i] ?? '', base, { paths }))),
  )
  const house = (mode: 'connection' | 'session', image: string, pod: object): Promise<KubernetesLogin> => {
    const spec = { containers: [{ name: 'shell', image }] }
    return kubernetesLogin(cluster, {
      pod: { mode, spec, disableAgent: false, ...pod },
      config: { security: anyForwarding },
    })
  }
  const enter = (home: KubernetesLogin, ...how: [string, string[], NodeJS.ProcessEnv?]): Promise<Visit> =>
    visit({ ...home, noContainers: home.noPods }, ...how)
  const leave = async ({ ssh }: Visit, last = ''): Promise<void> => {
    ssh.stdin.end(last)
    await once(ssh, 'exit')
  }

  for (const mode of ['connection', 'session'] as const) {
    for (const { way, image = '', pod, inside } of ways) {
      test(`ssh -A and -X together (${mode} mode, ${way})`, async () => {
        await using agent = await startOwnAgent()
        await using display = await startDisplay()
        await using home = await house(mode, image, pod)
        const command = inside(`${sayHello}; /usr/bin/ssh-add -L; echo ready; cat`)
        await using client = await enter(home, command, ['-Y', '-A'], { ...display.env, ...agent.env })
        const [text] = await client.said(/[\s\S]*ready/)
        assert.match(text, /welcome/)
        assert.match(text, agent.said)
        assert.match(await display.heard, /request$/)
        // Another program has an agent, too, and a second one of its pod.
        const { stdout } = await client.inside(inside('/usr/bin/ssh-add -L'), ['-A'])
        assert.match(stdout.toString(), agent.said)
        await leave(client)
      })

      test(`ssh -tt -A (${mode} mode, ${way})`, async () => {
        await using agent = await startOwnAgent()
        await using home = await house(mode, image, pod)
        const command = inside('/usr/bin/ssh-add -L; echo ready; cat')
        await using client = await enter(home, command, ['-A', '-tt'], agent.env)
        const [text] = await client.said(/[\s\S]*ready/)
        assert.match(text, agent.said)
        assert.doesNotMatch(text, /SSH_AUTH_SOCK=/, 'nothing is seen of how the program was told')
        await leave(client, '\x04')
      })
    }

    test(`ssh -L and -R carry both directions to their ends (${mode} mode)`, async () => {
      await using home = await house(mode, agentImage ?? '', {})
      await using service = await startService(answering((received) => `got ${received.length}`))
      const [echo, back] = [await freePort(), await freePort()]
      await using client = await enter(home, services, ['-L', `${echo}:127.0.0.1:7000`])
      const large = Buffer.alloc(2 << 20, 'large ')
      assert.ok((await converse(echo, large)).equals(large))
      assert.equal((await client.control('forward', '-R', `7070:127.0.0.1:${service.at}`)).code, 0)
      assert.equal((await client.control('forward', '-L', `${back}:127.0.0.1:7070`)).code, 0)
      assert.equal((await converse(back, 'there and back')).toString(), 'got 14')
      await leave(client)
    })
  }

  test('ssh -A and -X are told of where no agent can be, and the program runs without', async () => {
    await using agent = await startOwnAgent()
    await using home = await house('connection', shellImage ?? '', { agentMode: 'shell' })
    await using client = await enter(home, 'echo "[$SSH_AUTH_SOCK]"; echo ready; cat', ['-A'], agent.env)
    await client.said(/^\[\]/m)
    await home.daemon.line('SSH_FORWARD_LISTEN_FAILED', ({ details }) => details['door'] === 'agent')
    await leave(client)
  })
})
