/** sftp and scp into images that have no server for them, by the helper that is put into their containers. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { helper } from '../guest/program.ts'
import { derivedImage } from '../rigs/derived-image.ts'
import { call, engine, image } from '../rigs/docker.ts'
import { type Login, login } from '../rigs/login.ts'

const run = promisify(execFile)
const folder = mkdtempSync(join(tmpdir(), 'containerssh-copy-'))
const original = join(folder, 'original')
const content = randomBytes(3_000_000)

/** What the program, which is to fail, says. */
async function failed(program: string, args: readonly string[]): Promise<string> {
  const error = await run(program, args).then(
    () => undefined,
    (thrown: { stderr: string }) => thrown,
  )
  assert.ok(error !== undefined, `${program} ${args.join(' ')}`)
  return error.stderr
}

function ownScp(): string {
  const path = join(folder, 'scp')
  writeFileSync(path, '#!/bin/sh\nprintf "\\002this is my own %s\\n" "$*"\n')
  return path
}

async function daemon(execution: object, container: object = {}): Promise<Login> {
  const helped = await helper()
  return login({
    config: {
      docker: {
        connection: { host: (await engine()).host },
        execution: {
          container: { image: await image('containerssh-test/noshell:1'), ...container },
          agentBinary: { amd64: helped, arm64: helped },
          imagePullPolicy: 'Never',
          ...execution,
        },
      },
    },
  })
}

describe('copying files with the stock tools into an image that has nothing', { concurrency: 1 }, () => {
  before(() => writeFileSync(original, content))
  after(() => rmSync(folder, { recursive: true, force: true }))

  const common = (host: Login): string[] => [...host.client.options, '-P', String(host.client.port)]
  const remote = (host: Login, path: string): string => `${host.user}@127.0.0.1:${path}`
  /** Exit code and what was said. */
  const sftp = async (host: Login, batch: string): Promise<{ code: number; said: string }> => {
    const file = join(folder, 'batch')
    writeFileSync(file, batch)
    try {
      const { stdout, stderr } = await run('sftp', [...common(host), '-b', file, `${host.user}@127.0.0.1`])
      return { code: 0, said: stdout + stderr }
    } catch (error) {
      const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
      return { code, said: stdout + stderr }
    }
  }

  for (const mode of ['connection', 'session'] as const) {
    test(`scp and sftp bring a file there and back (${mode} mode)`, async () => {
      // Each copy is a connection, and a container, of its own: what it leaves is in a volume.
      const volume = `containerssh-test-${randomBytes(6).toString('hex')}`
      const host = { Mounts: [{ Type: 'volume', Source: volume, Target: '/data' }] }
      await using served = await daemon({ mode, host })
      const back = join(folder, `back-${mode}`)
      await run('scp', [...common(served), original, remote(served, '/data/by-scp')])
      await run('scp', [...common(served), remote(served, '/data/by-scp'), back])
      assert.ok(readFileSync(back).equals(content))
      const { code, said } = await sftp(
        served,
        `put ${original} /data/by-sftp\nls -l /data\nget /data/by-sftp ${back}\n`,
      )
      assert.equal(code, 0, said)
      assert.match(said, /3000000 .*by-sftp/)
      assert.ok(readFileSync(back).equals(content))
      // The old protocol, to an image without scp.
      const from = join(folder, `from-${mode}`)
      mkdirSync(join(from, 'below'), { recursive: true })
      writeFileSync(join(from, 'below', 'run'), content, { mode: 0o750 })
      utimesSync(join(from, 'below', 'run'), 1_000_000_000, 1_000_000_000)
      await run('scp', ['-O', '-r', '-p', ...common(served), from, remote(served, '/data/by-old')])
      await run('scp', ['-O', '-r', '-p', ...common(served), remote(served, '/data/by-o*'), `${from}-back`])
      const copied = join(`${from}-back`, 'below', 'run')
      assert.ok(readFileSync(copied).equals(content))
      const { mode: bits, mtimeMs } = statSync(copied)
      assert.deepEqual([bits & 0o777, mtimeMs], [0o750, 1_000_000_000_000])
      const missing = await failed('scp', ['-O', ...common(served), remote(served, '/data/nothing'), back])
      assert.match(missing, /nothing: no such file or directory/)
      await served.noContainers()
      await call((await engine()).socketPath, 'DELETE', `/volumes/${volume}`)
    })
  }

  test('scp -O is served by the scp of an image that has it', async () => {
    const name = await derivedImage('containerssh-test/with-scp:1', 'containerssh-test/busybox:1', {
      as: { '/usr/bin/scp': ownScp() },
    })
    await using served = await daemon({ container: { image: name }, shellCommand: ['/bin/sh'] })
    assert.match(
      await failed('scp', ['-O', ...common(served), original, remote(served, '/tmp/x')]),
      /this is my own -t/,
    )
  })

  test('a root is the whole of it, and read-only is that', async () => {
    await using served = await daemon({ sftp: { root: '/etc', readOnly: true } })
    const own = join(folder, 'hostname')
    const { code, said } = await sftp(served, `get /hostname ${own}\nls /\n`)
    assert.equal(code, 0, said)
    assert.doesNotMatch(said, /busybox/)
    assert.equal(readFileSync(own, 'utf8').length > 1, true)
    assert.equal((await sftp(served, `ls /../../../busybox\n`)).code, 1)
    const written = await sftp(served, `put ${original} /new\n`)
    assert.equal(written.code, 1)
    assert.match(written.said, /denied|read-only/i)
    await run('scp', ['-O', ...common(served), remote(served, '/hostname'), own])
    assert.equal(readFileSync(own, 'utf8').length > 1, true)
    await failed('scp', ['-O', ...common(served), remote(served, '/../../../busybox'), own])
    const refused = await failed('scp', ['-O', ...common(served), original, remote(served, '/new')])
    assert.match(refused, /nothing can be written here/)
  })

  test('bounds that nobody can keep refuse the subsystem', async () => {
    const missing = { amd64: '/no/such/helper', arm64: '/no/such/helper' }
    const idle = { idleCommand: ['/busybox', 'sleep', '3600'] }
    await using served = await daemon({ sftp: { readOnly: true }, agentBinary: missing, ...idle })
    assert.notEqual((await sftp(served, 'ls\n')).code, 0)
    const line = await served.daemon.line('DOCKER_SUBSYSTEM_NOT_SUPPORTED')
    assert.match(String(line.details['reason']), /cannot be put into the container/)
    await failed('scp', ['-O', ...common(served), original, remote(served, '/new')])
    await served.daemon.line('DOCKER_SUBSYSTEM_NOT_SUPPORTED', ({ details }) => details['subsystem'] === 'scp')
  })
})
