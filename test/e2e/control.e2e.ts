/** `containerssh ctl` at a real daemon with two workers, real clients and containers. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { ConnectionView, ListView, OutputEvent, StatusView } from '../../src/primary/control/views.ts'
import { withUsers } from '../rigs/accounts.ts'
import { ctl, document } from '../rigs/control.ts'
import { cli, cliIn, until } from '../rigs/daemon.ts'
import { stay } from '../rigs/live.ts'
import { type Login, login } from '../rigs/login.ts'
import { finish } from '../rigs/ssh.ts'

/** Who may be another user wherever this checkout lies. */
const accounts = withUsers([])
after(() => accounts[Symbol.dispose]())
const nobody = 65_534
const asNobody = [
  ...accounts.through,
  ...['setpriv', `--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups'],
  ...cliIn(accounts.checkout),
]

const folder = mkdtempSync(join(tmpdir(), 'containerssh-control-'))
after(() => rmSync(folder, { recursive: true, force: true }))

describe('a daemon with two workers', () => {
  const path = join(folder, 'control.sock')
  let host: Login
  const connections = async (): Promise<readonly ConnectionView[]> =>
    (await document<ListView>(path, ['list'])).connections.filter(({ username }) => username !== null)
  const only = async (): Promise<ConnectionView> => {
    const [one, ...others] = await connections()
    assert.ok(one !== undefined && others.length === 0)
    return one
  }

  before(async () => {
    const health = { enable: true, listen: '127.0.0.1:0' }
    const audit = {
      enable: true,
      format: 'binary',
      storage: 'file',
      file: { directory: folder },
      redact: ['secret\\w+'],
    }
    host = await login({ config: { workers: 2, control: { path, mode: '0600' }, health, audit } })
  })
  after(async () => {
    await host?.[Symbol.asyncDispose]()
    assert.equal(existsSync(path), false)
    assert.equal(existsSync(`${path}.${host.daemon.pid}`), false)
  })

  test('list and show say who is there, where, and what runs', async () => {
    const live = [stay(host.client), stay(host.client), stay(host.client, ['cat # secretWord'])]
    await Promise.all(live.map((one) => one.answers()))
    const all = await connections()
    assert.equal(all.length, 3)
    assert.deepEqual([...new Set(all.map(({ worker }) => worker))].sort(), [1, 2])
    const containers = await host.containers()
    for (const one of all) {
      assert.equal(one.username, host.user)
      assert.equal(one.remoteAddress, '127.0.0.1')
      assert.ok(containers.includes(one.room ?? ''), one.room ?? 'no room')
      assert.ok(host.daemon.workers().includes(one.pid))
      assert.ok(one.receivedBytes > 0 && one.sentBytes > 0)
      const [channel] = one.channels
      assert.equal(channel?.type, 'session')
      assert.equal(channel?.program, 'exec')
    }
    assert.deepEqual(all.map(({ channels }) => channels[0]?.detail).sort(), ['cat', 'cat', 'cat # ***'])
    const known = host.daemon.lines.filter(({ code }) => code === 'SSH_HANDSHAKE_SUCCESSFUL')
    assert.deepEqual(all.map(({ id }) => id).sort(), known.map(({ details }) => details['connectionId']).sort())

    const { stdout } = await ctl(path, ['list'])
    assert.match(stdout, /^ID +USER +FROM/)
    assert.equal(stdout.trimEnd().split('\n').length, 4)
    const { stdout: shown } = await ctl(path, ['show', all[0]?.id.slice(0, 8) ?? ''])
    assert.match(shown, new RegExp(`^Id: +${all[0]?.id}$`, 'm'))
    assert.match(shown, new RegExp(`^Room: +${all[0]?.room}$`, 'm'))
    for (const one of live) assert.equal(await one.end(), 0)
    await until('their end', async () => (await connections()).length === 0)
    await host.noContainers()
  })

  test('watch shows what a session puts out, and says when it is over', async () => {
    const child = host.client.start(['-tt', 'stty -echo; read a; echo seen $a; read b; echo oops >&2'])
    await until('the program', async () => (await connections())[0]?.channels[0]?.program === 'exec')
    const one = await only()
    const closed = once(child, 'close')
    assert.notEqual(one.channels[0]?.terminal, null)
    const watcher = spawn(process.execPath, [cli, 'ctl', '--socket', path, '--json', 'watch', one.id])
    let said = ''
    watcher.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
    const exited = new Promise<number | null>((resolve) => watcher.on('exit', resolve))
    await host.daemon.line('CONTROL_WATCH_BEGAN', ({ details }) => details['connectionId'] === one.id)
    const events = (): OutputEvent[] =>
      said
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line) as OutputEvent)
    const output = (): string =>
      events()
        .map((event) => (event.event === 'output' ? Buffer.from(event.data, 'base64').toString() : ''))
        .join('')
    child.stdin.write('this\n')
    await until('the output', () => output().includes('seen this'))
    child.stdin.write('\n')
    await until('the complaint', () => output().includes('oops'))
    await closed
    await until('the end of the watch', () => events().some(({ event }) => event === 'end'))
    assert.equal(await exited, 0)
    const { details } = await host.daemon.line('CONTROL_WATCH_ENDED', (line) => line.details['connectionId'] === one.id)
    assert.equal(details['bytes'], output().length)
    assert.equal(details['lostBytes'], 0)
    assert.equal(details['uid'], 0)
  })

  test('an operator who does not read slows no session, and is told what he has missed', async () => {
    const live = stay(host.client, ['cat; head -c 40000000 /dev/zero | tr "\\\\0" x; echo done; cat'])
    await live.answers()
    const { id } = await only()
    const watcher = spawn(process.execPath, [cli, 'ctl', '--socket', path, '--json', 'watch', id])
    await host.daemon.line('CONTROL_WATCH_BEGAN', ({ details }) => details['connectionId'] === id)
    process.kill(watcher.pid ?? 0, 'SIGSTOP')
    assert.equal(await live.end(), 0)
    process.kill(watcher.pid ?? 0, 'SIGCONT')
    const said: OutputEvent[] = []
    let rest = ''
    for await (const text of watcher.stdout.setEncoding('utf8')) {
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      said.push(...lines.map((line) => JSON.parse(line) as OutputEvent))
    }
    const lost = said.reduce((sum, event) => sum + (event.event === 'lost' ? event.bytes : 0), 0)
    const { details } = await host.daemon.line('CONTROL_WATCH_ENDED', (line) => line.details['connectionId'] === id)
    assert.ok(lost > 30_000_000, `${lost} bytes were told as lost`)
    assert.equal(details['lostBytes'], lost)
    assert.equal(Number(details['bytes']) + lost, 40_000_005)
  })

  test('a message reaches terminals, and standard error where that is wanted', async () => {
    const terminal = host.client.start(['-tt', 'cat'])
    let [shown, complaint] = ['', '']
    terminal.stdout.setEncoding('utf8').on('data', (text: string) => {
      shown += text
    })
    terminal.stderr.setEncoding('utf8').on('data', (text: string) => {
      complaint += text
    })
    await until('the program', async () => (await connections())[0]?.channels[0]?.program === 'exec')
    const { id } = await only()
    const { status, stdout } = await ctl(path, ['message', id, 'Backup at noon'])
    assert.deepEqual([status, stdout], [0, 'written to 1 program\n'])
    await until('the message', () => (shown + complaint).includes('\r\nBackup at noon\r\n'))
    terminal.kill()

    await until('its end', async () => (await connections()).length === 0)
    const plain = host.client.start(['cat'])
    plain.stderr.setEncoding('utf8').on('data', (text: string) => {
      complaint += text
    })
    await until('the program', async () => (await connections())[0]?.channels[0]?.program === 'exec')
    const other = await only()
    const refused = await ctl(path, ['message', other.id, 'hello'])
    assert.equal(refused.status, 1)
    assert.match(refused.stderr, /has no terminal/)
    assert.equal((await ctl(path, ['message', '--stderr', other.id, 'hello there'])).status, 0)
    await until('the line', () => complaint.includes('hello there\n'))
    const bad = await ctl(path, ['message', other.id, 'bell\x07'])
    assert.equal(bad.status, 2)
    assert.equal(bad.stderr, 'text: has control characters in it; expected one line of text\n')
    plain.stdin.end()
    await until('its end', async () => (await connections()).length === 0)
    const { details } = await host.daemon.line('CONTROL_MESSAGE_SENT', (line) => line.details['connectionId'] === id)
    assert.equal(details['text'], 'Backup at noon')
  })

  test('kill ends one connection, or all of a user, and their containers', async () => {
    const clients = Array.from({ length: 3 }, () => finish(host.client.start(['sleep 600'], ['-o', 'LogLevel=INFO'])))
    await until('the sessions', async () => {
      const all = await connections()
      return all.length === 3 && all.every(({ channels }) => channels[0]?.program === 'exec')
    })
    const [first] = await connections()
    const id = first?.id ?? ''
    const { status, stdout } = await ctl(path, ['kill', '--reason', 'out of office hours', id.slice(0, 10)])
    assert.deepEqual([status, stdout], [0, `ended ${id}\n`])
    const one = await Promise.race(clients)
    assert.equal(one.code, 255)
    assert.match(one.stderr, /out of office hours/)
    await until('its end', async () => (await connections()).length === 2)
    await until('its container', async () => (await host.containers()).length === 2)
    const { killed } = await document<{ killed: string[] }>(path, ['kill', '--user', host.user])
    assert.equal(killed.length, 2)
    for (const { code, stderr } of await Promise.all(clients)) {
      assert.equal(code, 255)
      assert.match(stderr, /Received disconnect/)
    }
    await host.noContainers()
    assert.equal((await ctl(path, ['kill', '--user', host.user])).status, 5)
    const records = host.daemon.lines.filter(({ code }) => code === 'CONTROL_KILLED')
    assert.deepEqual(records.map(({ details }) => details['connectionId']).sort(), [id, ...killed].sort())
  })

  test('drain turns newcomers away and leaves the others alone', async () => {
    const url = String((await host.daemon.line('HEALTH_AVAILABLE')).details['url'])
    const live = stay(host.client)
    await live.answers()
    assert.equal((await ctl(path, ['drain'])).status, 0)
    assert.equal((await fetch(url)).status, 503)
    assert.equal((await fetch(`${url}livez`)).status, 200)
    const status = await document<StatusView>(path, ['status'])
    assert.deepEqual([status.draining, status.ready, status.connections], [true, false, 1])
    assert.equal((await host.client.run(['true'])).code, 255)
    await host.daemon.line('SSH_CONNECTION_REFUSED', ({ message }) => message.includes('takes no new connections'))
    await live.answers()
    assert.equal((await ctl(path, ['undrain'])).status, 0)
    assert.equal((await fetch(url)).status, 200)
    assert.equal((await host.client.run(['true'])).code, 0)
    assert.equal(await live.end(), 0)
    await host.daemon.line('CONTROL_DRAIN_BEGAN')
    await host.daemon.line('CONTROL_DRAIN_ENDED')
  })

  test('workers and metrics are told', async () => {
    const { stdout } = await ctl(path, ['workers'])
    assert.equal(stdout.match(/^\d+ +\d+ +serving /gm)?.length, 2)
    const metrics = await ctl(path, ['metrics', 'refusals'])
    assert.match(metrics.stdout, /^containerssh_ssh_refusals_total\{reason="drain"\} +1$/m)
    assert.doesNotMatch(metrics.stdout, /handshakes/)
  })

  test('after a reload sessions of the old workers are still there', async () => {
    const live = stay(host.client)
    await live.answers()
    host.daemon.kill('SIGHUP')
    await host.daemon.line('CORE_RELOADED')
    const younger = stay(host.client)
    await younger.answers()
    const all = await connections()
    assert.deepEqual(all.map(({ retired }) => retired).sort(), [false, true])
    assert.equal((await ctl(path, ['workers'])).stdout.match(/ retired /g)?.length, 1)
    const old = all.find(({ retired }) => retired)
    assert.equal((await ctl(path, ['message', '--stderr', old?.id ?? '', 'still here'])).status, 0)
    await live.answers()
    assert.equal(await live.end(), 0)
    assert.equal(await younger.end(), 0)
  })

  test('what cannot be is one line, with a status of its own', async () => {
    const unknown = await ctl(path, ['show', 'ffffffff'])
    assert.deepEqual([unknown.status, unknown.stderr], [5, 'there is no connection ffffffff\n'])
    assert.equal((await ctl(path, ['show', 'xyz'])).status, 2)
    assert.equal((await ctl(path, ['nonsense'])).status, 2)
    const nowhere = await ctl(join(folder, 'nowhere.sock'), ['list'])
    assert.equal(nowhere.status, 3)
    assert.equal(nowhere.stderr.trimEnd().split('\n').length, 1)
    await host.daemon.line('CONTROL_REQUEST_FAILED', ({ details }) => details['status'] === 404)
  })

  test('another user may do nothing until the mode says so', async () => {
    chmodSync(folder, 0o755)
    assert.equal(statSync(path).mode & 0o777, 0o600)
    const refused = await ctl(path, ['list'], asNobody)
    assert.equal(refused.status, 4, refused.stderr)
    assert.match(refused.stderr, /you may not use this socket/)
    chmodSync(`${path}.${host.daemon.pid}`, 0o666)
    assert.equal((await ctl(path, ['drain'], asNobody)).status, 0)
    assert.equal((await ctl(path, ['undrain'], asNobody)).status, 0)
    await host.daemon.line('CONTROL_DRAIN_BEGAN', ({ details }) => details['uid'] === nobody)
  })
})
