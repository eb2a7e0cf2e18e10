/** Images without a shell, with and without the guest agent; engines that are not there; owners that are dead. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { describe, test } from 'node:test'
import { Fault } from '../../src/shared/codes/fault.ts'
import { ownerLabel } from '../../src/shared/identity.ts'
import { until } from '../rigs/daemon.ts'
import { podman } from '../rigs/podman.ts'
import { containersOf, exec, type Mode, pty, room, run, talk } from './rig.ts'

const noShell = { image: 'containerssh-test/noshell:1' as const }

for (const mode of ['connection', 'session'] satisfies Mode[]) {
  test(`an image without a shell runs programs by their path (${mode} mode)`, async () => {
    const execution = { idleCommand: ['/busybox', 'sleep', '3600'] }
    await using rig = await room({ ...noShell, mode, execution })
    const session = rig.enter()
    assert.equal((await run(session, '/busybox echo plain')).stdout, 'plain\n')
    // Quotes are read although nobody is there who expands.
    assert.equal((await run(session, "/busybox echo 'a  b' $HOME;")).stdout, 'a  b $HOME;\n')
    const terminal = await talk(session, { keepOpen: true })
    await terminal.start(pty(90, 20))
    await terminal.start(exec(`/busybox sh -c '/busybox sleep 1; /busybox stty size'`))
    await terminal.exit
    assert.equal(terminal.stdout.text, '20 90\r\n')
    await session[Symbol.asyncDispose]()
    assert.deepEqual(await rig.containers(), [])
  })
}

test('a program that an image without a shell does not have gives 127, and the reason on standard error', async () => {
  await using rig = await room({ ...noShell, execution: { idleCommand: ['/busybox', 'sleep', '3600'] } })
  const session = rig.enter()
  const { exit, stdout, stderr } = await run(session, '/no/such/program')
  assert.deepEqual(exit, { kind: 'status', code: 127 })
  assert.equal(stdout, '')
  assert.match(stderr, /no such file/)
  const channel = await talk(session, { keepOpen: true })
  await channel.start(exec('/busybox cat'))
  const verdict = await channel.ask({ kind: 'signal', name: 'TERM' })
  assert.equal(!verdict.accepted && verdict.fault.code, 'DOCKER_EXEC_SIGNAL_FAILED_NO_AGENT')
  await session[Symbol.asyncDispose]()
})

describe('a guest agent that is wanted from the image', () => {
  const idleCommand = ['/bin/sh', '-c', 'sleep 3600']
  for (const [agentPath, what, codes] of [
    ['/bin/true', 'says nothing', ['DOCKER_AGENT_READ_FAILED', 'DOCKER_EXEC_PID_READ_FAILED']],
    ['/bin/echo', 'says something else', ['DOCKER_EXEC_PID_READ_FAILED']],
    ['/no/agent', 'is not there', ['DOCKER_EXEC_PID_READ_FAILED']],
  ] as const) {
    test(`and ${what}: exit status 137, and the log says why`, async () => {
      await using rig = await room({ execution: { agentMode: 'image', agentPath, idleCommand } })
      const session = rig.enter()
      const { exit, stdout, stderr } = await run(session, 'echo hello')
      assert.deepEqual(exit, { kind: 'status', code: 137 })
      assert.equal(stdout, '')
      if (agentPath === '/no/agent') assert.match(stderr, /\/no\/agent.*(no such file|not found)/s)
      for (const code of codes) await rig.logged(code)
      await session[Symbol.asyncDispose]()
    })
  }
})

test('a missing image fails at once with its name when it may not be pulled', async () => {
  const execution = { container: { Image: 'containerssh-test/nosuch:1' }, imagePullPolicy: 'Never' }
  await using rig = await room({ execution })
  const error = await rig.backend.open(rig.occupant, new AbortController().signal).catch((thrown: unknown) => thrown)
  assert.ok(error instanceof Fault)
  assert.equal(error.code, 'DOCKER_CONTAINER_CREATE_FAILED')
  assert.equal(error.level, 'error')
  assert.match(error.message, /containerssh-test\/nosuch:1/)
})

test('in session mode the user is told on his channel that there will be no container', async () => {
  const execution = { container: { Image: 'containerssh-test/nosuch:1' }, imagePullPolicy: 'Never' }
  await using rig = await room({ mode: 'session', execution })
  const session = rig.enter()
  const channel = await talk(session)
  const verdict = await channel.ask(exec('true'))
  assert.equal(!verdict.accepted && verdict.fault.code, 'DOCKER_CONTAINER_CREATE_FAILED')
  assert.equal(channel.stderr.text, 'The container cannot be made.\n')
  await session[Symbol.asyncDispose]()
})

test('a main process that the image does not have fails the start at once', async () => {
  await using rig = await room({ execution: { idleCommand: ['/no/such/idle'] } })
  const error = await rig.backend.open(rig.occupant, new AbortController().signal).catch((thrown: unknown) => thrown)
  assert.ok(error instanceof Fault)
  assert.equal(error.code, 'DOCKER_CONTAINER_START_FAILED')
  await until('the container to go', async () => (await rig.containers()).length === 0)
})

test('without an engine the fault names the host', async () => {
  await using rig = await room({
    host: 'unix:///no/engine.sock',
    timeouts: { containerStart: 700, containerStop: 300 },
  })
  const error = await rig.backend.open(rig.occupant, new AbortController().signal).catch((thrown: unknown) => thrown)
  assert.ok(error instanceof Fault)
  assert.match(String(error.labels['reason']), /the engine at unix:\/\/\/no\/engine\.sock does not answer/)
  assert.equal(await rig.backend.reap(AbortSignal.timeout(500)), 0)
  await rig.logged('DOCKER_REAP_FAILED')
})

for (const host of ['foo', 'ftp://foo:1', 'unix://relative', 'tcp://']) {
  test(`the engine URL ${host} is a configuration error that names it`, async () => {
    await assert.rejects(room({ host }), (error: unknown) => {
      assert.ok(error instanceof Fault)
      assert.equal(error.code, 'DOCKER_CONFIG_ERROR')
      assert.ok(error.message.includes(host))
      return true
    })
  })
}

test('the containers of a dead process are removed, those of a living one are not', async () => {
  // A process that has ended: its label was taken while it ran.
  const script = `import(${JSON.stringify(import.meta.resolve('../../src/shared/identity.ts'))}).then((m) => console.log(m.ownerLabel()))`
  const dead = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' }).stdout.trim()
  assert.notEqual(dead, '')
  // An engine that nobody else on this machine looks after.
  await using engine = await podman()
  await using alive = await room({ engine })
  const kept = alive.enter()
  await run(kept, 'true')
  const orphaned = await room({ engine, owner: dead })
  const session = orphaned.enter()
  await run(session, 'true')
  assert.equal((await containersOf(`containerssh_owner=${dead}`, engine)).length, 1)
  assert.equal(await alive.backend.reap(AbortSignal.timeout(20_000)), 1)
  await alive.logged('DOCKER_REAPED', ({ labels }) => labels['owner'] === dead)
  assert.deepEqual(await containersOf(`containerssh_owner=${dead}`, engine), [])
  assert.equal((await containersOf(`containerssh_owner=${ownerLabel()}`, engine)).length, 1)
  await session[Symbol.asyncDispose]()
  await kept[Symbol.asyncDispose]()
  await orphaned[Symbol.asyncDispose]()
})

for (const mode of ['connection', 'session'] satisfies Mode[])
  test(`a program that the kernel kills for want of memory is told so, and so is its user (${mode} mode)`, async () => {
    const execution = { host: { Memory: 16 << 20, MemorySwap: 16 << 20 } }
    await using rig = await room({ mode, execution })
    const session = rig.enter()
    const { exit, stderr } = await run(session, 'exec awk \'BEGIN { s = "x"; while (1) s = s s }\'')
    assert.equal(exit.kind === 'signal' && exit.name, 'KILL')
    assert.match(exit.kind === 'signal' ? exit.message : '', /out of memory/)
    assert.match(stderr, /the container has run out of memory/)
    await rig.logged('DOCKER_OUT_OF_MEMORY')
    await session[Symbol.asyncDispose]()
  })
