/** Streams past the engine: when they go there, when they do not, and what is left of them. */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { ownerLabel } from '../../src/shared/identity.ts'
import { streamsFolder } from '../../src/shared/runtime-folder.ts'
import { until } from '../rigs/daemon.ts'
import { call, engine } from '../rigs/docker.ts'
import { type EngineProxy, engineProxy } from '../rigs/engine-proxy.ts'
import { exec, pty, type Rig, type RoomOptions, room, run, talk } from './rig.ts'

/** What a program's standard output is, `pipe:…` for the engine's. */
const where = 'readlink /proc/self/fd/1'
const ours = join(streamsFolder(), ownerLabel())
/** Folders of containers, of all engines. */
const folders = (): string[] =>
  existsSync(ours)
    ? readdirSync(ours).flatMap((engine) => readdirSync(join(ours, engine)).filter((name) => name !== 'stock'))
    : []
const openStreams = (): string[] =>
  readdirSync('/proc/self/fd')
    .map((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`)
      } catch {
        return '' // the one of the listing
      }
    })
    .filter((path) => path.startsWith(ours))

async function reasonOf(rig: Rig): Promise<string> {
  return String((await rig.logged('DOCKER_STREAMS_INDIRECT')).labels['reason'])
}

/** Runs a program in a room whose streams the engine has after all. */
async function indirect(options: RoomOptions): Promise<string> {
  const rig = await room(options)
  const session = rig.enter()
  const { stdout, exit } = await run(session, `cat; ${where}; exit 3`, 'input ')
  assert.match(stdout, /^input pipe:/)
  assert.deepEqual(exit, { kind: 'status', code: 3 })
  const reason = await reasonOf(rig)
  await session[Symbol.asyncDispose]()
  assert.deepEqual(await rig.containers(), [])
  await rig[Symbol.asyncDispose]()
  return reason
}

const infoWith = (more: object): Promise<EngineProxy> =>
  engineProxy([{ match: /^GET \/info/, rewrite: (body) => JSON.stringify({ ...JSON.parse(body), ...more }) }])

describe('streams past the engine', { concurrency: 1 }, () => {
  for (const agentMode of ['shell', 'inject'] as const) {
    test(`are a program's (${agentMode}), and nothing of them is left: no name while it runs, no folder after its container`, async () => {
      const rig = await room({ execution: { agentMode } })
      const session = rig.enter()
      const channel = await talk(session, { keepOpen: true })
      await channel.start(exec(`${where}; read line; ls -A /.containerssh-streams; cat; exit 4`))
      await until('its words', () => channel.stdout.text.includes('\n'))
      assert.match(channel.stdout.text, /^\/\.containerssh-streams\/[\da-f-]+\.out( \(deleted\))?\n$/)
      assert.equal(folders().length, 1)
      assert.equal(openStreams().length, 3)
      channel.stdin.write('list them\nand on')
      channel.stdin.end()
      assert.deepEqual(await channel.exit, { kind: 'status', code: 4 })
      assert.match(channel.stdout.text, /^[^\n]*\nand on$/)
      await channel.channel[Symbol.asyncDispose]()
      await until('descriptors to be closed', () => openStreams().length === 0)
      await session[Symbol.asyncDispose]()
      await until('the folder to go', () => folders().length === 0)
      await rig[Symbol.asyncDispose]()
      assert.equal(existsSync(ours), false)
    })
  }

  test('a terminal is of the engine', async () => {
    const rig = await room({})
    const session = rig.enter()
    const channel = await talk(session)
    await channel.start(pty(80, 24))
    await channel.start(exec(where))
    await channel.exit
    assert.match(channel.stdout.text, /^\/dev\/pts\//)
    await session[Symbol.asyncDispose]()
    await rig[Symbol.asyncDispose]()
  })

  test('are not taken where that is not wanted', async () => {
    const rig = await room({ execution: { directStreams: false } })
    const session = rig.enter()
    assert.match((await run(session, where)).stdout, /^pipe:/)
    assert.deepEqual(folders(), [])
    await session[Symbol.asyncDispose]()
    await rig[Symbol.asyncDispose]()
  })

  test('an engine that cannot mount the folder is asked once, and has the streams from then on', async () => {
    const host = { Binds: ['/var/empty:/.containerssh-streams'] }
    assert.match(await indirect({ execution: { host } }), /Duplicate mount point/)
  })

  test('many that are refused at once have the streams of the engine, all of them', async () => {
    const host = { Binds: ['/var/empty:/.containerssh-streams'] }
    const rig = await room({ execution: { host } })
    const sessions = Array.from({ length: 6 }, () => rig.enter())
    const answers = await Promise.all(sessions.map((session) => run(session, where)))
    for (const { stdout } of answers) assert.match(stdout, /^pipe:/)
    for (const session of sessions) await session[Symbol.asyncDispose]()
    assert.deepEqual(await rig.containers(), [])
    await rig[Symbol.asyncDispose]()
  })

  test('a container in which something else is there has those of the engine', async () => {
    const host = { Tmpfs: { '/.containerssh-streams': '' } }
    assert.match(await indirect({ execution: { host } }), /does not see them/)
  })

  test('a container that does not see them has those of the engine', async () => {
    const elsewhere = mkdtempSync(join(tmpdir(), 'containerssh-elsewhere-'))
    const ask = (body: string): string => body.replace(/"Source":"[^"]*streams[^"]*"/, `"Source":"${elsewhere}"`)
    await using proxy = await engineProxy([{ match: /^POST \/containers\/create/, ask }])
    assert.match(await indirect({ host: proxy.host }), /does not see them/)
    rmSync(elsewhere, { recursive: true })
  })

  test('an engine with another kernel, name or runtime has the streams itself', async () => {
    for (const [more, expected] of [
      [{ KernelVersion: '5.0.0-linuxkit' }, /another kernel: 5.0.0-linuxkit/],
      [{ Name: 'docker-desktop' }, /another machine: docker-desktop/],
      [{ DefaultRuntime: 'kata' }, /runtime is kata/],
    ] as const) {
      await using proxy = await infoWith(more)
      assert.match(await indirect({ host: proxy.host }), expected)
    }
  })

  test('somebody in a shared container, whoever made it, has them too', async () => {
    const docker = { share: { by: 'user', linger: 0 } }
    const member = { username: `direct-${Date.now()}` }
    const [maker, guest] = [await room({ docker, member }), await room({ docker, member })]
    const [first, second] = [maker.enter(), guest.enter()]
    for (const session of [first, second]) {
      assert.match((await run(session, where)).stdout, /^\/\.containerssh-streams\//)
    }
    for (const session of [first, second]) await session[Symbol.asyncDispose]()
    for (const rig of [maker, guest]) await rig[Symbol.asyncDispose]()
    const { socketPath } = await engine()
    await until(
      'its end',
      async () => !(await call(socketPath, 'GET', '/containers/json?all=1')).body.includes(member.username),
    )
  })
})
