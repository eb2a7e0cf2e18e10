/** The socket of `containerssh ctl`: who has it at a start, after a death and after an upgrade. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { ListView, StatusView } from '../../src/primary/control/views.ts'
import { ctl, document } from '../rigs/control.ts'
import { cli, startDaemon, until } from '../rigs/daemon.ts'
import { stay } from '../rigs/live.ts'
import { configFor, login } from '../rigs/login.ts'

const folder = mkdtempSync(join(tmpdir(), 'containerssh-control-'))
after(() => rmSync(folder, { recursive: true, force: true }))

test('a socket that is in use, or has no place, stops the start; one that a dead daemon left behind does not', async () => {
  const path = join(folder, 'second.sock')
  const config = (control: object) => ({ config: { workers: 1, control } })
  await using first = await login(config({ path }))
  const user = { user: first.user, key: first.key }
  const code = async (control: object): Promise<string> => {
    const own = mkdtempSync(join(folder, 'start-'))
    writeFileSync(join(own, 'c.yaml'), JSON.stringify(await configFor(user.user, user.key, config(control))))
    const { promise, resolve } = Promise.withResolvers<string>()
    execFile(process.execPath, [cli, '--config', join(own, 'c.yaml')], { timeout: 60_000 }, (_error, stdout) => {
      const last = stdout.trimEnd().split('\n').at(-1) ?? '{}'
      resolve((JSON.parse(last) as { code: string }).code)
    })
    return promise
  }
  assert.equal(await code({ path }), 'CONTROL_SOCKET_IN_USE')
  assert.equal(await code({ path: join(folder, 'missing', 'control.sock') }), 'CONTROL_SOCKET_FAILED')
  mkdirSync(join(folder, 'a-folder.sock'))
  assert.equal(await code({ path: join(folder, 'a-folder.sock') }), 'CONTROL_SOCKET_FAILED')
  assert.equal(await code({ path: join(folder, 'third.sock'), group: 'no-such-group' }), 'CONTROL_SOCKET_FAILED')
  assert.equal((await ctl(path, ['status'])).status, 0)

  first.daemon.kill('SIGKILL')
  await first.daemon.exited
  assert.equal((await ctl(path, ['status'])).status, 3)
  await using next = await startDaemon(await configFor(first.user, first.key, config({ path })))
  assert.equal((await document<StatusView>(path, ['status'])).pid, next.pid)
  assert.equal(existsSync(`${path}.${first.daemon.pid}`), false)
})

test('after an upgrade the path leads to the new process, which tells of the old one', async () => {
  const path = join(folder, 'upgrade.sock')
  await using host = await login({ config: { workers: 1, control: { path } } })
  const { daemon } = host
  const live = stay(host.client)
  await live.answers()
  daemon.kill('SIGUSR2')
  const successor = Number((await daemon.line('CORE_HANDED_OVER', () => true, 60_000)).details['pid'])
  try {
    const { pid, connections, others } = await document<StatusView>(path, ['status'])
    assert.deepEqual([pid, connections], [successor, 0])
    assert.deepEqual(others, [{ pid: daemon.pid, socket: `${path}.${daemon.pid}`, connections: 1 }])
    const { stderr } = await ctl(path, ['list'])
    assert.match(stderr, new RegExp(`${daemon.pid}\\) still holds 1 connection: `))
    const old = await document<ListView>(`${path}.${daemon.pid}`, ['list'])
    assert.equal(old.connections[0]?.username, host.user)
    assert.equal(await live.end(), 0)
    await daemon.exited
    const after = await document<StatusView>(path, ['status'])
    assert.deepEqual([after.pid, after.others], [successor, []])
  } finally {
    process.kill(successor, 'SIGTERM')
    await until('the successor to end', () => !existsSync(`/proc/${successor}`), 30_000)
  }
  assert.equal(existsSync(path), false)
})
