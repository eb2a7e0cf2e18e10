/** Our guest helper in containers whose image knows nothing of it: how it gets there, and what programs gain. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { appendFileSync, copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { helper } from '../guest/program.ts'
import { until } from '../rigs/daemon.ts'
import { call, engine } from '../rigs/docker.ts'
import { type EngineProxy, engineProxy } from '../rigs/engine-proxy.ts'
import { exec, type Mode, pty, type Rig, room, run, talk } from './rig.ts'

const idleCommand = ['/usr/bin/containerssh-agent', 'wait-signal', '--signal', 'INT', '--signal', 'TERM']
const noShell = 'containerssh-test/noshell:1' as const
const busybox = 'containerssh-test/busybox:1' as const
const injected = (more: object = {}) => ({
  agentMode: 'auto',
  idleCommand,
  agentBinary: { amd64: path, arm64: path },
  ...more,
})
/** A helper that no engine has seen: some bytes after the end of a program change nothing but its hash. */
const path = join(mkdtempSync(join(tmpdir(), 'containerssh-helper-')), 'agent')
const volumes = async (): Promise<string[]> => {
  const { body } = await call((await engine()).socketPath, 'GET', '/volumes')
  const { Volumes } = JSON.parse(body) as { Volumes: { Name: string }[] | null }
  return (Volumes ?? []).map(({ Name }) => Name).filter((name) => name.startsWith('containerssh-agent-'))
}
const modesOf = (rig: Rig) =>
  rig.records.filter(({ code }) => code === 'DOCKER_GUEST_MODE').map(({ labels }) => labels['agentMode'])
const fills = (proxy: EngineProxy) => proxy.seen.filter((line) => /^PUT .*path=%2F\.containerssh/.test(line)).length

describe('the injected helper', { concurrency: 1 }, () => {
  let others: string[] = []
  before(async () => {
    copyFileSync(await helper(), path)
    appendFileSync(path, randomBytes(16))
    others = await volumes()
  })
  after(async () => {
    const { socketPath } = await engine()
    for (const name of (await volumes()).filter((one) => !others.includes(one))) {
      await call(socketPath, 'DELETE', `/volumes/${name}`)
    }
    rmSync(path)
  })

  test('that the engine does not take is told, and the shell serves; the next to try has it', async () => {
    const broken = { match: /^PUT .*path=%2F\.containerssh/, times: 1, answer: { status: 500, message: 'disk full' } }
    await using proxy = await engineProxy([broken])
    await using rig = await room({ host: proxy.host, image: busybox, execution: injected() })
    const session = rig.enter()
    assert.equal((await run(session, 'echo on')).stdout, 'on\n')
    const line = await rig.logged('DOCKER_AGENT_INJECT_FAILED')
    assert.match(String(line.labels['reason']), /disk full/)
    assert.deepEqual(modesOf(rig), ['shell'])
    await session[Symbol.asyncDispose]()
  })

  test('reaches the engine once, however many rooms begin at the same time', async () => {
    await using proxy = await engineProxy()
    await using one = await room({ host: proxy.host, image: busybox, execution: injected() })
    await using two = await room({ host: proxy.host, image: noShell, execution: injected({ agentMode: 'inject' }) })
    const sessions = [one.enter(), one.enter(), two.enter()]
    const outputs = await Promise.all(
      sessions.map((session, i) => run(session, i < 2 ? 'echo on' : '/busybox echo on')),
    )
    assert.deepEqual(
      outputs.map(({ stdout }) => stdout),
      ['on\n', 'on\n', 'on\n'],
    )
    assert.equal(fills(proxy), 1)
    assert.deepEqual([...modesOf(one), ...modesOf(two)], ['inject', 'inject', 'inject'])
    assert.equal((await volumes()).length - others.length, 1)
    for (const session of sessions) await session[Symbol.asyncDispose]()
    assert.deepEqual([...(await one.containers()), ...(await two.containers())], [])
    // Nothing is missing, so nothing is warned about.
    assert.ok(!one.codes().includes('DOCKER_GUEST_AGENT_DISABLED'))
  })

  for (const mode of ['connection', 'session'] satisfies Mode[]) {
    test(`gives a shell-less image process numbers, signals and ends (${mode} mode)`, async () => {
      await using rig = await room({ mode, image: noShell, execution: injected() })
      const session = rig.enter()
      const { exit } = await run(session, '/no/such/program')
      assert.deepEqual(exit, { kind: 'status', code: 127 })
      const channel = await talk(session, { keepOpen: true })
      await channel.start(
        exec(`/busybox sh -c "trap 'echo got it; exit 5' USR1; echo ready; while :; do /busybox sleep 0.05; done"`),
      )
      await until('ready', () => channel.stdout.text.includes('ready'))
      await channel.start({ kind: 'signal', name: 'USR1' })
      assert.deepEqual(await channel.exit, { kind: 'status', code: 5 })
      assert.equal(channel.stdout.text, 'ready\ngot it\n')
      const terminal = await talk(session, { keepOpen: true })
      await terminal.start(pty(90, 20))
      await terminal.start(exec('/busybox sh -c "/busybox sleep 1; /busybox stty size"'))
      await terminal.exit
      assert.equal(terminal.stdout.text, '20 90\r\n')
      await session[Symbol.asyncDispose]()
      assert.deepEqual(await rig.containers(), [])
    })
  }

  test('ends a program whose channel is closed, in a shell-less image', async () => {
    await using rig = await room({ image: noShell, execution: injected() })
    const session = rig.enter()
    const channel = await talk(session, { keepOpen: true })
    await channel.start(exec(`/busybox sh -c "trap '' TERM HUP; echo ready; while :; do /busybox sleep 0.05; done"`))
    await until('ready', () => channel.stdout.text.includes('ready'))
    await channel.channel[Symbol.asyncDispose]()
    await until('its end', async () => !/trap/.test((await run(session, '/busybox ps')).stdout))
    await session[Symbol.asyncDispose]()
  })

  test('works for any user, and where the file system cannot be written', async () => {
    const container = { Image: busybox, User: '12345:54321' }
    await using rig = await room({ execution: injected({ container, host: { ReadonlyRootfs: true } }) })
    const session = rig.enter()
    assert.equal((await run(session, 'echo "$(id -u) $(id -g)"; echo x >/.containerssh/agent')).stdout, '12345 54321\n')
    assert.deepEqual(modesOf(rig), ['inject'])
    await session[Symbol.asyncDispose]()
  })

  test('comes after an agent in the image, unless that is not wanted', async () => {
    const image = 'containerssh-test/agent:1' as const
    await using own = await room({ image, execution: injected() })
    await using other = await room({ image, execution: injected({ disableAgent: true }) })
    for (const rig of [own, other]) {
      const session = rig.enter()
      assert.equal((await run(session, 'echo on')).stdout, 'on\n')
      await session[Symbol.asyncDispose]()
    }
    assert.deepEqual([...modesOf(own), ...modesOf(other)], ['image', 'inject'])
  })
})
