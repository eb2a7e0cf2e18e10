/** Who helps with programs in a container, step by step: the agent of the image, the injected helper, a shell, nobody. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Fault } from '../../src/shared/codes/fault.ts'
import { until } from '../rigs/daemon.ts'
import { engineProxy } from '../rigs/engine-proxy.ts'
import { exec, type Mode, type Rig, room, run, talk } from './rig.ts'

const idleCommand = ['/usr/bin/containerssh-agent', 'wait-signal', '--signal', 'INT', '--signal', 'TERM']
const noShell = { image: 'containerssh-test/noshell:1' as const }
/** A helper that cannot be had, whatever was built on this machine. */
const agentBinary = { amd64: '/no/such/helper', arm64: '/no/such/helper' }
const modes = (rig: Rig) =>
  rig.records.filter(({ code }) => code === 'DOCKER_GUEST_MODE').map((line) => line.labels['agentMode'])
const faultOf = async (rig: Rig): Promise<Fault> => {
  const error = await rig.backend.open(rig.occupant, new AbortController().signal).catch((thrown: unknown) => thrown)
  assert.ok(error instanceof Fault)
  return error
}

for (const mode of ['connection', 'session'] satisfies Mode[]) {
  test(`an image without the agent is served by its shell, which is found out once (${mode} mode)`, async () => {
    await using proxy = await engineProxy()
    await using rig = await room({ mode, host: proxy.host, execution: { agentMode: 'auto', idleCommand, agentBinary } })
    for (const _login of [1, 2]) {
      const session = rig.enter()
      const { stdout, stderr } = await run(session, 'echo on')
      assert.deepEqual([stdout, stderr], ['on\n', ''])
      await session[Symbol.asyncDispose]()
    }
    assert.deepEqual(modes(rig), ['shell', 'shell'])
    const looks = proxy.seen.filter((line) => line.startsWith('HEAD /containers/'))
    assert.equal(looks.length, 4)
    const warnings = rig.records.filter(({ code }) => code === 'DOCKER_GUEST_AGENT_DISABLED')
    assert.equal(warnings.length, 1)
    assert.equal(warnings[0]?.level, 'warning')
    assert.match(String(warnings[0]?.labels['missing']), /forwarding/)
    assert.deepEqual(await rig.containers(), [])
  })
}

test('a helper that cannot be read is told, and the shell serves', async () => {
  await using rig = await room({ execution: { agentMode: 'auto', agentBinary } })
  const session = rig.enter()
  assert.equal((await run(session, 'echo on')).stdout, 'on\n')
  const line = await rig.logged('DOCKER_AGENT_INJECT_FAILED')
  assert.match(String(line.labels['reason']), /no\/such\/helper/)
  await session[Symbol.asyncDispose]()
})

test('a helper that must be injected and cannot be read refuses the login, and leaves nothing', async () => {
  await using rig = await room({ execution: { agentMode: 'inject', agentBinary } })
  assert.equal((await faultOf(rig)).code, 'DOCKER_AGENT_INJECT_FAILED')
  assert.deepEqual(await rig.containers(), [])
})

test('an image in which nothing can idle is refused with what to do about it', async () => {
  await using rig = await room({ ...noShell, execution: { agentMode: 'auto', idleCommand, agentBinary } })
  const fault = await faultOf(rig)
  assert.equal(fault.code, 'DOCKER_CONTAINER_START_FAILED')
  assert.match(String(fault.labels['reason']), /neither the guest agent nor a shell.*mode: session/)
  await until('the container to go', async () => (await rig.containers()).length === 0)
})

test('with agentMode none the shell still runs commands, but no signal arrives', async () => {
  await using rig = await room({ execution: { agentMode: 'none' } })
  const session = rig.enter()
  assert.equal((await run(session, 'echo $((1 + 1))')).stdout, '2\n')
  const channel = await talk(session, { keepOpen: true })
  await channel.start(exec('echo ready; cat'))
  const verdict = await channel.ask({ kind: 'signal', name: 'TERM' })
  assert.equal(!verdict.accepted && verdict.fault.code, 'DOCKER_EXEC_SIGNAL_FAILED_NO_AGENT')
  assert.deepEqual(modes(rig), ['none'])
  await session[Symbol.asyncDispose]()
})

test('a look into a container that the engine refuses is tried again, and given up with the login', async () => {
  const look = { match: /^HEAD \/containers/, answer: { status: 500, message: '' } }
  await using proxy = await engineProxy([{ ...look, times: 1 }])
  await using rig = await room({ host: proxy.host, timeouts: { containerStart: 20_000 } })
  const session = rig.enter()
  assert.equal((await run(session, 'echo on')).stdout, 'on\n')
  await rig.logged('DOCKER_GUEST_LOOK_FAILED', ({ level }) => level === 'debug')
  await session[Symbol.asyncDispose]()
  proxy.rules = [look]
  await using other = await room({ host: proxy.host, timeouts: { containerStart: 1000 } })
  const fault = await faultOf(other)
  assert.equal(fault.code, 'DOCKER_GUEST_LOOK_FAILED')
  assert.match(String(fault.labels['reason']), /gave up after \d attempts/)
  await until('the container to go', async () => (await other.containers()).length === 0)
})
