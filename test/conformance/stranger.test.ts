/** Images that have something at the path of the guest agent that is none. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { helper } from '../guest/program.ts'
import { derivedImage } from '../rigs/derived-image.ts'
import { type Rig, room, run } from './rig.ts'

const path = '/usr/bin/containerssh-agent'
const busybox = 'containerssh-test/busybox:1'
const folder = mkdtempSync(join(tmpdir(), 'containerssh-stranger-'))
const idleCommand = [path, 'wait-signal', '--signal', 'INT', '--signal', 'TERM']

/** What is there, and what is said about it. */
const strangers = {
  silent: { content: '#!/bin/sh\nexec sleep 3600\n', reason: /it says nothing for 10 s/ },
  // The engine says it in one way or another.
  ending: { content: '#!/bin/sh\nexit 0\n', reason: /has ended|cannot exec in a|says nothing and ends/ },
  talking: { content: '#!/bin/sh\necho "$@"; [ "$1" = console ] || sleep 3600\n', reason: /it says "console --pid/ },
  garbage: {
    content: 'no program\0at all',
    reason: /has ended|cannot exec in a|exec format|says "OCI|says nothing and ends/,
  },
  unexecutable: { content: undefined, reason: /permission denied|not executable/ },
} as const
type Kind = keyof typeof strangers

async function withStranger(kind: Kind): Promise<string> {
  const name = `containerssh-test/stranger-${kind}:1`
  const { content } = strangers[kind]
  if (content === undefined) return derivedImage(name, busybox, { without: [path] })
  writeFileSync(join(folder, kind), content)
  return derivedImage(name, busybox, { as: { [path]: join(folder, kind) } })
}

const recordsOf = (rig: Rig, wanted: string) => rig.records.filter(({ code }) => code === wanted)
const modesOf = (rig: Rig) => recordsOf(rig, 'DOCKER_GUEST_MODE').map(({ labels }) => labels['agentMode'])
const execution = async (kind: Kind, more: object = {}) => {
  const ours = await helper()
  return {
    ...{ container: { Image: await withStranger(kind) }, agentMode: 'auto', idleCommand },
    ...{ agentBinary: { amd64: ours, arm64: ours }, ...more },
  }
}

describe('a guest agent that is none', { concurrency: 2 }, () => {
  after(() => rmSync(folder, { recursive: true }))

  for (const kind of ['silent', 'ending', 'talking', 'garbage', 'unexecutable'] satisfies Kind[]) {
    test(`is left alone, with one record, and ours serves: ${kind}`, async () => {
      await using rig = await room({ execution: await execution(kind) })
      for (const _login of [1, 2]) {
        const session = rig.enter()
        const { stdout, exit } = await run(session, 'echo on; exit 3')
        assert.deepEqual([stdout, exit], ['on\n', { kind: 'status', code: 3 }])
        await session[Symbol.asyncDispose]()
      }
      const told = recordsOf(rig, 'DOCKER_GUEST_AGENT_INVALID')
      assert.deepEqual(
        told.map(({ level, labels }) => [level, labels['path']]),
        [['warning', path]],
      )
      assert.match(String(told[0]?.labels['reason']), strangers[kind].reason)
      assert.deepEqual(modesOf(rig).slice(-2), ['inject', 'inject'])
      assert.deepEqual(await rig.containers(), [])
    })
  }

  test('is left alone by containers that are made ahead', async () => {
    await using rig = await room({ execution: await execution('ending'), docker: { pool: { min: 1 } } })
    await rig.logged('DOCKER_POOL_FILLED')
    const session = rig.enter()
    assert.equal((await run(session, 'echo on')).stdout, 'on\n')
    assert.equal(recordsOf(rig, 'DOCKER_GUEST_AGENT_INVALID').length, 1)
    await rig.logged('DOCKER_POOL_CLAIMED')
    await session[Symbol.asyncDispose]()
  })

  test('leaves the shell, where ours cannot be had', async () => {
    const nowhere = { agentBinary: { amd64: '/no/such/helper', arm64: '/no/such/helper' } }
    await using rig = await room({ execution: await execution('talking', nowhere) })
    const session = rig.enter()
    assert.equal((await run(session, 'echo on')).stdout, 'on\n')
    assert.deepEqual(modesOf(rig), ['image', 'shell'])
    await session[Symbol.asyncDispose]()
  })

  test('is what the operator wants, who asked for it: each program ends with 137', async () => {
    const own = { agentMode: 'image', idleCommand: ['/bin/sleep', '3600'] }
    await using rig = await room({ execution: await execution('ending', own) })
    const session = rig.enter()
    assert.deepEqual((await run(session, 'echo on')).exit, { kind: 'status', code: 137 })
    await rig.logged('DOCKER_EXEC_PID_READ_FAILED')
    assert.deepEqual(recordsOf(rig, 'DOCKER_GUEST_AGENT_INVALID'), [])
    await session[Symbol.asyncDispose]()
  })
})

test('an agent that is one is asked once for each image', async () => {
  await using rig = await room({
    image: 'containerssh-test/agent:1',
    execution: { agentMode: 'auto', idleCommand },
  })
  for (const _login of [1, 2]) {
    const session = rig.enter()
    assert.equal((await run(session, 'echo on')).stdout, 'on\n')
    await session[Symbol.asyncDispose]()
  }
  const asked = recordsOf(rig, 'DOCKER_EXEC').filter(({ labels }) => labels['command'] === `${path} --help`)
  assert.equal(asked.length, 1)
  assert.deepEqual(modesOf(rig), ['image', 'image'])
})
