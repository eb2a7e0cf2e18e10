/** Workers run as a user without rights, and have no secrets but those that they work with. */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { stringify } from 'yaml'
import { type Accounts, withUsers } from '../rigs/accounts.ts'
import { cli, type Daemon, startDaemon, until } from '../rigs/daemon.ts'
import { engine } from '../rigs/docker.ts'
import { configFor, noContainersOf, uniqueUser } from '../rigs/login.ts'
import { type Client, client, type Key, makeKey } from '../rigs/ssh.ts'

const name = 'containerssh-worker'
const id = 64_321
const secret = 's3-secret-of-nobody'

/** The group that the engine's socket belongs to. */
async function engineGroup(): Promise<{ readonly name: string; readonly id: number }> {
  const { gid } = statSync((await engine()).socketPath)
  const entry = execFileSync('getent', ['group', String(gid)], { encoding: 'utf8' })
  return { name: entry.split(':')[0] ?? '', id: gid }
}

const status = (pid: number, field: string): string =>
  new RegExp(`^${field}:\\s*(.*)$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]?.trim() ?? ''
const threads = (pid: number): number[] => readdirSync(`/proc/${pid}/task`).map(Number)

interface Host extends AsyncDisposable {
  readonly daemon: Daemon
  readonly accounts: Accounts
  readonly client: Client
  readonly folder: string
  readonly configure: (more: object) => void
}

async function start(more: object = {}, environment: NodeJS.ProcessEnv = {}): Promise<Host> {
  const group = await engineGroup()
  const accounts = withUsers([{ name, id, groups: [group.name] }])
  const { through, checkout } = accounts
  const folder = mkdtempSync(join(tmpdir(), 'containerssh-least-'))
  chmodSync(folder, 0o755)
  const hostKey = join(folder, 'host_key')
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', hostKey])
  const [user, key]: [string, Key] = [uniqueUser(), makeKey()]
  const base = await configFor(user, key, { ssh: { hostkeys: [hostKey] } })
  const config = { ...base, workers: 2, ...more }
  const daemon = await startDaemon(config, { folder, through, checkout, env: environment })
  return {
    ...{ daemon, accounts, folder },
    client: client(daemon.port, key, user),
    configure: (other) =>
      void execFileSync('tee', [daemon.configPath], {
        input: stringify({ log: { level: 'debug' }, ...config, ...other }),
      }),
    async [Symbol.asyncDispose]() {
      await daemon[Symbol.asyncDispose]()
      await noContainersOf(user)
      key[Symbol.dispose]()
      accounts[Symbol.dispose]()
      rmSync(folder, { recursive: true })
    },
  }
}

/** What the worker's user can read. */
const asWorker = async (path: string): Promise<number | null> => {
  const group = await engineGroup()
  const ids = [`--reuid=${id}`, `--regid=${id}`, `--groups=${group.id}`]
  return spawnSync('setpriv', [...ids, 'cat', path], { stdio: 'ignore' }).status
}

/** Whether the text is anywhere in what the process can write to: its environment, heaps and stacks. */
function holds(pid: number, text: string): boolean {
  const memory = openSync(`/proc/${pid}/mem`, 'r')
  try {
    return readFileSync(`/proc/${pid}/maps`, 'utf8')
      .split('\n')
      .some((line) => {
        const [, from = '', to = ''] = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line) ?? []
        if (from === '') return false
        const [start, end] = [Number.parseInt(from, 16), Number.parseInt(to, 16)]
        const bytes = Buffer.alloc(end - start)
        return readSync(memory, bytes, 0, bytes.length, start) > 0 && bytes.includes(text)
      })
  } finally {
    closeSync(memory)
  }
}

async function assertDropped(pid: number): Promise<void> {
  const group = await engineGroup()
  for (const thread of [pid, ...threads(pid)]) {
    assert.equal(status(thread, 'Uid'), Array(4).fill(id).join('\t'))
    assert.equal(status(thread, 'Gid'), Array(4).fill(id).join('\t'))
    assert.deepEqual(new Set(status(thread, 'Groups').split(' ').map(Number)), new Set([id, group.id]))
    for (const set of ['CapPrm', 'CapEff', 'CapAmb']) assert.match(status(thread, set), /^0+$/, set)
  }
}

test('a root daemon has workers of another user, through reload, death and upgrade; they serve logins', async () => {
  await using host = await start()
  const { daemon } = host
  const started = await daemon.line('WORKER_STARTED')
  assert.equal(started.details['user'], name)
  assert.equal(
    daemon.lines.some(({ code }) => code === 'WORKER_USER_SHARED'),
    false,
  )
  for (const pid of daemon.workers()) await assertDropped(pid)
  assert.equal(status(daemon.pid, 'Uid').split('\t')[0], '0')
  assert.equal((await host.client.run(['exit 3'])).code, 3)

  const before = daemon.workers()
  host.configure({ banner: undefined })
  daemon.kill('SIGHUP')
  await daemon.line('CORE_RELOADED')
  await until('the old ones to go', () => daemon.workers().every((pid) => !before.includes(pid)))
  for (const pid of daemon.workers()) await assertDropped(pid)
  assert.equal((await host.client.run(['exit 4'])).code, 4)

  const [victim = 0] = daemon.workers()
  process.kill(victim, 'SIGKILL')
  await until('another one', () => daemon.workers().length === 2 && !daemon.workers().includes(victim))
  await until('it to serve', () => daemon.lines.filter(({ code }) => code === 'WORKER_STARTED').length === 5)
  for (const pid of daemon.workers()) await assertDropped(pid)
  assert.equal((await host.client.run(['exit 5'])).code, 5)

  daemon.kill('SIGUSR2')
  const { details } = await daemon.line('CORE_HANDED_OVER', () => true, 60_000)
  const next = Number(details['pid'])
  const children = execFileSync('pgrep', ['-P', String(next), '-f', 'workers/worker'], { encoding: 'utf8' })
  for (const pid of children.trim().split('\n').map(Number)) await assertDropped(pid)
  assert.equal((await host.client.run(['exit 6'])).code, 6)
  process.kill(next, 'SIGTERM')
  await daemon.exited
  await until('the new one to end', () => spawnSync('kill', ['-0', String(next)]).status !== 0)
})

test('workers can read neither host keys nor recordings, and have no keys of S3', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'containerssh-least-audit-'))
  const audit = {
    ...{ enable: true, format: 'binary', storage: 'file', moreStorages: ['s3'], file: { directory } },
    s3: { local: join(directory, 'queue'), bucket: 'b', endpoint: 'http://127.0.0.1:9', defaultCredentials: true },
  }
  const environment = { AWS_ACCESS_KEY_ID: 'key', AWS_SECRET_ACCESS_KEY: secret }
  await using host = await start({ audit }, environment)
  const { daemon } = host
  assert.equal((await host.client.run(['exit 3'])).code, 3)
  const held = [
    join(host.folder, 'host_key'),
    daemon.configPath,
    ...readdirSync(directory).map((file) => join(directory, file)),
  ]
  assert.ok(held.length > 3)
  for (const path of held) assert.notEqual(await asWorker(path), 0, path)
  assert.equal(await asWorker('/etc/hostname'), 0)
  assert.ok(holds(daemon.pid, secret))
  for (const pid of daemon.workers()) {
    assert.equal(readFileSync(`/proc/${pid}/environ`, 'latin1').includes('AWS_'), false)
    assert.equal(holds(pid, secret), false)
    // Descriptors would lead to what names do not.
    const open = execFileSync('ls', ['-l', `/proc/${pid}/fd`], { encoding: 'utf8' })
    assert.equal(open.includes(directory) || open.includes(host.folder), false, open)
  }
  rmSync(directory, { recursive: true })
})

test('a user that does not exist, or that is root, is an error in the configuration', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'containerssh-least-'))
  const key = makeKey()
  const base = await configFor(uniqueUser(), key)
  const file = join(folder, 'config.yaml')
  for (const [workerUser, why] of [
    ['nobody-knows-me', 'does not exist'],
    ['root', 'is root'],
  ] as const) {
    writeFileSync(file, stringify({ ...base, workerUser }), { mode: 0o600 })
    const { status: code, stdout } = spawnSync(process.execPath, [cli, '--config', file], { encoding: 'utf8' })
    assert.equal(code, 1)
    assert.match(stdout, new RegExp(`CORE_CONFIG_ERROR.*workerUser.*${workerUser}.*${why}`))
  }
  key[Symbol.dispose]()
  rmSync(folder, { recursive: true })
})
