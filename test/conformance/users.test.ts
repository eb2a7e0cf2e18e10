/** What webhooks give a user reaches his container: variables, files, a section of his own, another engine. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, test } from 'node:test'
import { createUserConfigs } from '../../src/shared/config/user/index.ts'
import type { FileDatum, Metadatum } from '../../src/shared/webhook/data.ts'
import { createSession } from '../../src/workers/backends/session.ts'
import type { Member, Occupant } from '../../src/workers/ports.ts'
import { helper } from '../guest/program.ts'
import { until } from '../rigs/daemon.ts'
import { engineProxy } from '../rigs/engine-proxy.ts'
import { exec, type Mode, pty, type Rig, room, run, talk } from './rig.ts'

const texts = (entries: Readonly<Record<string, string>>, sensitive = true): ReadonlyMap<string, Metadatum> =>
  new Map(Object.entries(entries).map(([name, value]) => [name, { value, sensitive }]))
const files = (entries: Readonly<Record<string, string | Uint8Array>>): ReadonlyMap<string, FileDatum> =>
  new Map(Object.entries(entries).map(([name, value]) => [name, { value: Buffer.from(value), sensitive: true }]))
/** The failures, by file. */
const failures = (rig: Rig): Record<string, unknown> =>
  Object.fromEntries(
    rig.records
      .filter(({ code, level }) => code === 'DOCKER_FILE_WRITE_FAILED' && level === 'warning')
      .map(({ labels }) => [labels['file'], labels['reason']]),
  )

for (const mode of ['connection', 'session'] satisfies Mode[]) {
  describe(`a user of a webhook (${mode} mode)`, () => {
    test('has the environment in his container, and metadata where that is configured; the environment wins', async () => {
      const member = {
        environment: texts({ A: 'a b', BOTH: 'environment' }),
        metadata: texts({ M: 'm', BOTH: 'x', 'n=x': 'y' }, false),
      }
      await using rig = await room({ mode, member, execution: { exposeAuthMetadataAsEnv: true } })
      const session = rig.enter()
      assert.equal((await run(session, 'echo "$A,$M,$BOTH"')).stdout, 'a b,m,environment\n')
      await session[Symbol.asyncDispose]()
      await using plain = await room({ mode, member })
      const hidden = plain.enter()
      assert.equal((await run(hidden, 'echo "$A,$M,$BOTH"')).stdout, 'a b,,environment\n')
      await hidden[Symbol.asyncDispose]()
    })

    test('finds his files, which only he can read, before his program starts', async () => {
      const content = Buffer.from(Array.from({ length: 70_000 }, (_, i) => i % 251))
      const long = `/home/demo/${'ä'.repeat(120)}`
      const own = files({
        '/home/demo/a': 'alpha',
        '/etc/motd': 'hello\n',
        '/tmp/bytes': content,
        [long]: 'long',
        '/tmp/empty': '',
      })
      const container = { Image: 'containerssh-test/busybox:1', User: 'demo' }
      await using rig = await room({ mode, member: { files: own }, execution: { container } })
      const session = rig.enter()
      const command = `cat /home/demo/a /etc/motd ${long}; stat -c '%a %u %g %s' /home/demo/a /tmp/empty; sha1sum </tmp/bytes`
      const { stdout } = await run(session, command)
      const sum = createHash('sha1').update(content).digest('hex')
      assert.equal(stdout, `alphahello\nlong600 1000 1000 5\n600 1000 1000 0\n${sum}  -\n`)
      assert.equal(rig.codes().filter((code) => code === 'DOCKER_FILE_WRITE').length, own.size)
      assert.deepEqual(failures(rig), {})
      await session[Symbol.asyncDispose]()
    })

    test('does not have what cannot be written, is told nothing, and works all the same', async () => {
      const own = files({ '/no/such/folder': 'x', '/home': 'x', '/tmp/': 'x', '/tmp/good': 'good', '/proc/x': '' })
      await using rig = await room({ mode, member: { files: own } })
      const session = rig.enter()
      assert.equal((await run(session, 'cat /tmp/good; test -d /home && echo home')).stdout, 'goodhome\n')
      const { '/no/such/folder': missing, '/home': folder, ...others } = failures(rig)
      assert.match(String(missing), /Could not find the file \/no\/such/)
      assert.match(String(folder), /cannot overwrite directory/)
      assert.deepEqual(others, {
        '/tmp/': 'the path is that of a folder',
        '/proc/x': "/proc is the kernel's",
      })
      await session[Symbol.asyncDispose]()
    })

    test('finds his files in file systems in memory and in volumes, also where the root cannot be written', async () => {
      const paths = ['/run/own/x', '/run/own/deep/er/x', '/dev/shm/x', '/volume/x', '/etc/x']
      const own = files(Object.fromEntries(paths.map((path) => [path, `of ${path};`])))
      const container = { Image: 'containerssh-test/busybox:1', User: 'demo', Volumes: { '/volume': {} } }
      const host = { ReadonlyRootfs: true, Tmpfs: { '/run/own': 'mode=777' } }
      await using rig = await room({ mode, member: { files: own }, execution: { container, host } })
      const session = rig.enter()
      const good = paths.filter((path) => path !== '/etc/x')
      const { stdout } = await run(session, `cat ${good.join(' ')}; stat -c '%a %u %g' ${good.join(' ')}; cat`, 'input')
      assert.equal(stdout, `${good.map((path) => `of ${path};`).join('')}${'600 1000 1000\n'.repeat(4)}input`)
      assert.deepEqual(Object.keys(failures(rig)), ['/etc/x'])
      assert.match(String(failures(rig)['/etc/x']), /Read-only/)
      // A terminal shows nothing of how the program was held back.
      const terminal = await talk(session, { keepOpen: true })
      await terminal.start(pty(80, 24))
      await terminal.start(exec('echo ready; read -r line; cat /run/own/x; stty -a | grep -o " echo "'))
      await until('ready', () => terminal.stdout.text.includes('ready'))
      terminal.stdin.write('typed\n')
      await terminal.exit
      assert.equal(terminal.stdout.text, 'ready\r\ntyped\r\nof /run/own/x; echo \r\n')
      await session[Symbol.asyncDispose]()
    })

    test('finds them in an image without a shell by the guest agent, and is told nothing where that is missing', async () => {
      await helper()
      const member = { files: files({ '/dev/shm/x': 'content' }) }
      const options = { mode, image: 'containerssh-test/noshell:1', member } as const
      const idleCommand = ['/busybox', 'sleep', '3600']
      for (const [agentMode, expected] of [
        ['inject', 'content'],
        ['none', ''],
      ] as const) {
        await using rig = await room({ ...options, execution: { agentMode, idleCommand } })
        const session = rig.enter()
        assert.equal((await run(session, '/busybox cat /dev/shm/x')).stdout, expected)
        assert.equal(Object.keys(failures(rig)).length, agentMode === 'none' ? 1 : 0)
        await session[Symbol.asyncDispose]()
      }
    })
  })
}

test('files belong to whoever the container runs as, by name or number, with or without a group', async () => {
  for (const [User, owner] of [
    ['', '0 0'],
    ['demo', '1000 1000'],
    ['1000', '1000 1000'],
    ['77', '77 0'],
    ['77:demo', '77 1000'],
    ['demo:0', '1000 0'],
    ['3000000:4', '3000000 4'],
  ] as const) {
    const container = { Image: 'containerssh-test/busybox:1', User }
    await using rig = await room({ member: { files: files({ '/tmp/x': 'x' }) }, execution: { container } })
    const session = rig.enter()
    assert.equal((await run(session, "stat -c '%u %g' /tmp/x")).stdout, `${owner}\n`, User)
    await session[Symbol.asyncDispose]()
  }
})

/** The rig's occupant with this answer of a configuration server. */
const withSettings = (rig: Rig, config: object): Occupant => {
  const found = createUserConfigs(rig.config, ['docker']).settingsFor(config, (warning) => assert.fail(warning.message))
  assert.ok('settings' in found, JSON.stringify(found))
  const member: Member = { ...rig.occupant.member, settings: found.settings }
  return { ...rig.occupant, member }
}
const enterAs = (rig: Rig, who: Occupant) =>
  createSession(rig.backend, who, rig.backend.open(who, new AbortController().signal))

describe('a user with a docker section of his own', () => {
  test('has another image, user and mode than others of the same worker', async () => {
    await using rig = await room()
    const container = { Image: 'containerssh-test/busybox:1', User: 'demo', Env: ['OWN=yes'] }
    const own = enterAs(rig, withSettings(rig, { docker: { execution: { mode: 'session', container } } }))
    const others = rig.enter()
    assert.equal((await run(own, 'echo "$OWN $(id -u) $$"')).stdout.replace(/\d+\n$/, 'PID\n'), 'yes 1000 PID\n')
    assert.equal((await run(others, 'echo "$OWN $(id -u)"')).stdout, ' 0\n')
    await own[Symbol.asyncDispose]()
    await others[Symbol.asyncDispose]()
    assert.deepEqual(await rig.containers(), [])
  })

  test('is refused with the reason when no client can be made of it, and nobody else is', async () => {
    await using rig = await room()
    const who = withSettings(rig, { docker: { connection: { host: 'gopher://x' } } })
    await assert.rejects(rig.backend.open(who, new AbortController().signal), { code: 'DOCKER_CONFIG_ERROR' })
    const session = rig.enter()
    assert.equal((await run(session, 'echo on')).stdout, 'on\n')
    await session[Symbol.asyncDispose]()
  })

  test('may live on another engine, with which all its users share connections', async () => {
    await using other = await engineProxy()
    await using rig = await room()
    const docker = { connection: { host: other.host } }
    const users = ['1m', '2m'].map((idleTimeout) => withSettings(rig, { docker, limits: { idleTimeout } }))
    const own = withSettings(rig, { docker: { ...docker, execution: { container: { Labels: { l: 'x' } } } } })
    const sessions = [...users, own].map((who) => enterAs(rig, who))
    for (const session of sessions) assert.equal((await run(session, 'echo there')).stdout, 'there\n')
    assert.equal((await rig.containers()).length, 3)
    for (const session of sessions) await session[Symbol.asyncDispose]()
    assert.deepEqual(await rig.containers(), [])
    // The engine may not have the helper yet.
    const ours = other.seen.filter((line) => !line.includes('-filler'))
    const count = (start: string) => ours.filter((line) => line.startsWith(start)).length
    assert.deepEqual([count('GET /version'), count('GET /events'), count('POST /containers/create')], [1, 1, 3])
    // The image is the same, and so is what is known about it.
    assert.equal(count('GET /images/'), 1)
  })
})

test('a file for which the engine gives no answer is written at the next try', async () => {
  await using proxy = await engineProxy([{ match: /^PUT .*archive/, times: 1, cut: 'before' }])
  await using rig = await room({ host: proxy.host, member: { files: files({ '/tmp/x': 'x' }) } })
  const session = rig.enter()
  assert.equal((await run(session, 'cat /tmp/x')).stdout, 'x')
  const line = await rig.logged('DOCKER_FILE_WRITE_FAILED')
  assert.deepEqual([line.level, line.labels['file']], ['debug', '/tmp/x'])
  await session[Symbol.asyncDispose]()
})

test('without files, a login asks the engine for nothing more', async () => {
  await using proxy = await engineProxy()
  await using rig = await room({ host: proxy.host })
  const session = rig.enter()
  assert.equal((await run(session, 'echo on')).stdout, 'on\n')
  assert.ok(!proxy.seen.some((line) => /archive\?path=%2Fetc|^PUT/.test(line)))
  await session[Symbol.asyncDispose]()
})
