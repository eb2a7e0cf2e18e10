/** What every room does, through the session core, against the real engine. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import type { Session } from '../../../src/workers/ports.ts'
import { exec, type Mode, pty, run, size, talk } from '../../conformance/rig.ts'
import { until } from '../../rigs/daemon.ts'

import { type Cluster, startCluster } from '../../rigs/kubernetes/cluster.ts'
import { type KubernetesRig, kubernetesRoom } from './rig.ts'

let cluster: Cluster
before(async () => {
  cluster = await startCluster()
})
after(async () => {
  await cluster[Symbol.asyncDispose]()
})
const status = (code: number) => ({ kind: 'status', code })

for (const mode of ['connection', 'session'] satisfies Mode[]) {
  describe(`the kubernetes room in ${mode} mode`, { concurrency: 1 }, () => {
    let rig: KubernetesRig
    let session: Session
    before(async () => {
      rig = await kubernetesRoom(cluster, { mode })
      session = rig.enter()
    })
    after(async () => {
      await session[Symbol.asyncDispose]()
      assert.deepEqual(await rig.pods(), [])
      await rig[Symbol.asyncDispose]()
    })

    for (const [command, code] of [
      ['true', 0],
      ['exit 42', 42],
      ['/bin/false', 1],
      ['no-such-program', 127],
      ['exit 255', 255],
    ] as const) {
      test(`${command} gives the exit status ${code}`, async () => {
        assert.deepEqual((await run(session, command)).exit, status(code))
      })
    }

    test('an empty command is a shell', async () => {
      const channel = await talk(session, { input: 'echo from the shell\nexit 3\n' })
      await channel.start(exec('  '))
      assert.deepEqual(await channel.exit, status(3))
      assert.equal(channel.stdout.text, 'from the shell\n')
    })

    test('environment variables arrive with their blanks, and a later one of a name wins', async () => {
      const channel = await talk(session)
      await channel.start({ kind: 'env', name: 'GREETING', value: 'bye' })
      await channel.start({ kind: 'env', name: 'GREETING', value: 'hello  "world"' })
      await channel.start(exec('printf %s "$GREETING"'))
      await channel.exit
      assert.equal(channel.stdout.text, 'hello  "world"')
    })

    test('standard output and standard error stay apart, and both sinks are ended before the exit', async () => {
      const channel = await talk(session)
      await channel.start(exec('echo out; echo err >&2'))
      await channel.exit
      assert.equal(channel.stdout.text, 'out\n')
      assert.equal(channel.stderr.text, 'err\n')
      assert.ok(channel.stdout.ended && channel.stderr.ended)
    })

    test('a megabyte comes back from cat, and the end of the input ends it', async () => {
      const bytes = randomBytes(512 * 1024).toString('hex')
      const { stdout, exit } = await run(session, 'cat', bytes)
      assert.ok(stdout === bytes)
      assert.deepEqual(exit, status(0))
    })

    test('the end of the input does not end a program that goes on', async () => {
      const { stdout, exit } = await run(session, 'cat; sleep 0.5; echo after; exit 6', 'in ')
      assert.equal(stdout, 'in after\n')
      assert.deepEqual(exit, status(6))
    })

    test('output of a program that ends at once is complete', async () => {
      const results = await Promise.all(Array.from({ length: 5 }, () => run(session, 'seq 1 500')))
      const expected = Array.from({ length: 500 }, (_, i) => `${i + 1}\n`).join('')
      for (const { stdout } of results) assert.equal(stdout, expected)
    })

    test('the last words of a program that was silent for long are not lost', async () => {
      const results = await Promise.all(
        Array.from({ length: 8 }, (_, i) => run(session, `sleep 2.5; echo last words ${i}`)),
      )
      assert.deepEqual(
        results.map(({ stdout }) => stdout),
        results.map((_, i) => `last words ${i}\n`),
      )
    })

    test('ten thousand lines arrive in order', async () => {
      const { stdout } = await run(session, 'seq 1 10000')
      assert.equal(stdout, Array.from({ length: 10_000 }, (_, i) => `${i + 1}\n`).join(''))
    })

    test('a terminal has the size and type asked for, and another size after a resize', async () => {
      const channel = await talk(session, { keepOpen: true })
      await channel.start(pty(101, 33, 'vt220'))
      await channel.start({ kind: 'shell' })
      channel.stdin.write('stty size; echo "<$TERM>"\n')
      await until(`size; saw ${channel.stdout.text}`, () => /33 101\r\n<vt220>/.test(channel.stdout.text))
      await channel.start({ kind: 'window-change', size: size(140, 50) })
      channel.stdin.write('stty size; exit 4\n')
      assert.deepEqual(await channel.exit, status(4))
      assert.match(channel.stdout.text, /50 140\r\n/)
      assert.equal(channel.stderr.bytes, 0)
      await channel.channel[Symbol.asyncDispose]()
    })

    test('a terminal has its size from the first moment', async () => {
      const channel = await talk(session, { keepOpen: true })
      await channel.start(pty(77, 22))
      await channel.start(exec('stty size'))
      await channel.exit
      assert.equal(channel.stdout.text, '22 77\r\n')
    })

    test('input that is there before the shell neither hides nor damages its output on a terminal', async () => {
      const channel = await talk(session, { input: 'echo early bird\nexit\n', keepOpen: true })
      await channel.start(pty(80, 24))
      await channel.start({ kind: 'shell' })
      await channel.exit
      assert.match(channel.stdout.text, /\nearly bird\r\n/)
    })

    test('Ctrl-C on a terminal ends the program', async () => {
      const channel = await talk(session, { keepOpen: true })
      await channel.start(pty(80, 24))
      await channel.start(exec('echo ready; sleep 100; echo not reached'))
      await until('ready', () => channel.stdout.text.includes('ready'))
      channel.stdin.write('\x03')
      assert.deepEqual(await channel.exit, status(130))
      assert.doesNotMatch(channel.stdout.text, /not reached/)
    })

    test('a program that kills itself gives exit-signal, an interactive shell the number', async () => {
      assert.deepEqual((await run(session, 'kill -TERM $$; sleep 5')).exit, {
        kind: 'signal',
        name: 'TERM',
        coreDumped: false,
        message: '',
      })
      const shell = await talk(session, { input: 'exit 143\n' })
      await shell.start({ kind: 'shell' })
      assert.deepEqual(await shell.exit, status(143))
    })

    test('a signal reaches the program and may be handled', async () => {
      const channel = await talk(session, { keepOpen: true })
      await channel.start(exec('trap "echo got it; exit 5" USR1; echo ready; while :; do sleep 0.05; done'))
      await until('ready', () => channel.stdout.text.includes('ready'))
      await channel.start({ kind: 'signal', name: 'USR1' })
      assert.deepEqual(await channel.exit, status(5))
      assert.equal(channel.stdout.text, 'ready\ngot it\n')
    })

    test('a signal that is not handled gives exit-signal with its name', async () => {
      const channel = await talk(session, { keepOpen: true })
      await channel.start(exec('echo ready; sleep 100'))
      await until('ready', () => channel.stdout.text.includes('ready'))
      await channel.start({ kind: 'signal', name: 'INT' })
      const exit = await channel.exit
      assert.equal(exit.kind === 'signal' && exit.name, 'INT')
    })

    test('an unknown signal, and one after the end, are refused', async () => {
      const channel = await talk(session, { keepOpen: true })
      await channel.start(exec('echo ready; cat'))
      const unknown = await channel.ask({ kind: 'signal', name: 'NOSUCH' })
      assert.ok(!unknown.accepted)
      channel.stdin.end()
      await channel.exit
      const late = await channel.ask({ kind: 'signal', name: 'TERM' })
      assert.equal(!late.accepted && late.fault.code, 'DOCKER_SIGNAL_FAILED_NO_PID')
    })

    test('one channel has one program', async () => {
      const channel = await talk(session, { keepOpen: true })
      const early = await channel.ask({ kind: 'window-change', size: size(1, 1) })
      assert.equal(!early.accepted && early.fault.code, 'DOCKER_PROGRAM_NOT_RUNNING')
      await channel.start(exec('cat'))
      for (const request of [exec('true'), { kind: 'env', name: 'A', value: 'b' } as const, pty(80, 24)]) {
        const verdict = await channel.ask(request)
        assert.equal(!verdict.accepted && verdict.fault.code, 'DOCKER_PROGRAM_ALREADY_RUNNING')
      }
      channel.stdin.end()
      assert.deepEqual(await channel.exit, status(0))
    })

    test('an unknown subsystem and an unknown request are refused and told', async () => {
      const channel = await talk(session)
      const verdict = await channel.ask({ kind: 'subsystem', name: 'nosuch' })
      assert.equal(!verdict.accepted && verdict.fault.code, 'DOCKER_SUBSYSTEM_NOT_SUPPORTED')
      await rig.logged('DOCKER_SUBSYSTEM_NOT_SUPPORTED', ({ labels }) => labels['subsystem'] === 'nosuch')
      const other = await channel.ask({ kind: 'unknown', type: 'nobody@example.org', payload: new Uint8Array() })
      assert.equal(!other.accepted && other.fault.code, 'DOCKER_REQUEST_NOT_SUPPORTED')
    })

    test('a process left in the background delays the exit but does not keep it back', async () => {
      const { exit, stdout } = await run(session, 'sleep 60 & echo done; exit 8')
      assert.deepEqual(exit, status(8))
      assert.equal(stdout, 'done\n')
    })

    test('a program whose output is closed runs to its end', async () => {
      const { exit } = await run(session, 'exec >&- 2>&-; sleep 1; exit 9')
      assert.deepEqual(exit, status(9))
    })

    test('200 MB wait in the container while nobody takes them', async () => {
      const channel = await talk(session, { keepOpen: true, keepOutput: false })
      await channel.start(exec('yes | head -c 200000000'))
      await until('output', () => channel.stdout.bytes > 0)
      channel.stdout.hold()
      let seen = -1
      await until('the flow to stop', async () => {
        const still = channel.stdout.bytes === seen
        seen = channel.stdout.bytes
        await new Promise((resolve) => setTimeout(resolve, 300))
        return still
      })
      const before = process.memoryUsage().rss
      await new Promise((resolve) => setTimeout(resolve, 500))
      assert.equal(channel.stdout.bytes, seen, 'nothing is pushed at a sink that said no')
      assert.ok(seen < 150_000_000, `${seen} bytes came before the pause`)
      assert.ok(process.memoryUsage().rss - before < 16 << 20, 'memory stays flat')
      channel.stdout.release()
      assert.deepEqual(await channel.exit, status(0))
      assert.equal(channel.stdout.bytes, 200_000_000)
    })

    test('closing a channel ends its program and nothing else', async () => {
      const other = await talk(session, { keepOpen: true })
      await other.start(exec('echo ready; cat'))
      const channel = await talk(session, { keepOpen: true })
      await channel.start(exec('trap "" TERM HUP; echo ready; touch /tmp/alive; while :; do sleep 0.05; done'))
      await until('ready', () => channel.stdout.text.includes('ready'))
      await channel.channel[Symbol.asyncDispose]()
      if (mode === 'connection') {
        await until('its end', async () => !/touch .tmp.alive/.test((await run(session, 'ps; true')).stdout))
      } else {
        await until('its end', async () => (await rig.pods()).length === 1)
      }
      other.stdin.write('still here')
      other.stdin.end()
      assert.deepEqual(await other.exit, status(0))
      assert.match(other.stdout.text, /still here/)
    })
  })

  describe(`containers of the kubernetes room in ${mode} mode`, { concurrency: 1 }, () => {
    test('disposal removes the container although a program runs', async () => {
      await using rig = await kubernetesRoom(cluster, { mode })
      const session = rig.enter()
      const channel = await talk(session, { keepOpen: true })
      await channel.start(exec('trap "" TERM INT HUP; while :; do sleep 1; done'))
      assert.equal((await rig.pods()).length, 1)
      await session[Symbol.asyncDispose]()
      assert.deepEqual(await rig.pods(), [])
      assert.ok(rig.codes().includes('DOCKER_CONTAINER_REMOVE_SUCCESSFUL'))
    })

    for (const afterMs of [0, 30, 100, 250]) {
      test(`a client that leaves ${afterMs} ms after its login leaves no container`, async () => {
        const rig = await kubernetesRoom(cluster, { mode })
        const leaving = new AbortController()
        const session = rig.enter(leaving.signal)
        const channel = await talk(session, { keepOpen: true })
        const asked = channel.ask(exec('sleep 100'))
        await new Promise((resolve) => setTimeout(resolve, afterMs))
        leaving.abort()
        await channel.channel[Symbol.asyncDispose]()
        await session[Symbol.asyncDispose]()
        await asked
        await rig[Symbol.asyncDispose]()
        assert.deepEqual(await rig.pods(), [])
      })
    }
  })
}
