/** What the daemon writes, of each kind of session, is as it was when the goldens were made, and can be proved to be its own. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { generateX25519Identity, identityToRecipient } from 'age-encryption'
import type { AuditRecord } from '../../src/shared/audit/record.ts'
import { audit, begin } from '../primary/audit-tools/rig.ts'
import { everything, normalized } from '../rigs/audit.ts'
import { until } from '../rigs/daemon.ts'
import { type Login, login } from '../rigs/login.ts'
import { finish, makeKey } from '../rigs/ssh.ts'
import { terminal } from '../rigs/terminal.ts'
import { contentsOf } from '../shared/audit/rig.ts'

const run = promisify(execFile)
const goldens = resolve(import.meta.dirname, '../golden/daemon')
const isUpdating = process.env['UPDATE_GOLDENS'] === '1'

interface Recorded {
  readonly file: string
  readonly records: readonly AuditRecord[]
}

/** A daemon that records everything into a folder of its own. */
async function recorder(options: Readonly<Record<string, unknown>> = {}, ssh: Readonly<Record<string, unknown>> = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'containerssh-audit-'))
  const config = { enable: true, format: 'binary', storage: 'file', file: { directory }, intercept: everything }
  const host = await login({ user: 'golden', ssh, config: { audit: { ...config, ...options }, workers: 1 } })
  const seen = new Set<string>()
  const files = (): string[] => readdirSync(directory).filter((name) => /^[0-9a-f]{32}$/.test(name) && !seen.has(name))
  return {
    host,
    files: () => files().map((name) => join(directory, name)),
    /** The log of the only connection since the last one, once it is complete. */
    async next(): Promise<Recorded> {
      const found = await until('a log with an end', async () => {
        for (const name of files()) {
          const { records, problems } = await contentsOf(readFileSync(join(directory, name)))
          if (records.at(-1)?.type !== 'disconnect') continue
          assert.deepEqual(problems, [])
          return { name, records }
        }
        return undefined
      })
      seen.add(found.name)
      return { file: join(directory, found.name), records: found.records }
    },
    async [Symbol.asyncDispose]() {
      await host[Symbol.asyncDispose]()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** Each kind of session, and whether what passes through it is the same each time. */
const kinds: Readonly<Record<string, { readonly isSteady: boolean; run(host: Login): Promise<void> }>> = {
  exec: {
    isSteady: true,
    async run({ client }) {
      assert.equal((await client.run(['echo out; echo err >&2; cat; exit 3'], { input: Buffer.from('in\n') })).code, 3)
    },
  },
  interactive: {
    isSteady: false,
    async run(host) {
      using term = terminal(host, 100, 30)
      await term.shows(/[$#] ?$/m)
      term.type('echo "shown:$((6 * 7)):"\n')
      await term.shows(/^shown:42:$/m)
      term.type('exit 7\n')
      await term.shows(/^client ended with 7$/m)
    },
  },
  sftp: {
    isSteady: false,
    async run({ client, user }) {
      using folder = {
        path: mkdtempSync(join(tmpdir(), 'sftp-')),
        [Symbol.dispose]: () => rmSync(folder.path, { recursive: true }),
      }
      writeFileSync(join(folder.path, 'batch'), 'ls /\n')
      await run('sftp', [
        ...client.options,
        '-P',
        String(client.port),
        '-b',
        join(folder.path, 'batch'),
        `${user}@127.0.0.1`,
      ])
    },
  },
  forward: {
    isSteady: true,
    async run({ client }) {
      assert.notEqual((await client.run([], { options: ['-W', '127.0.0.1:1'] })).code, 0)
    },
  },
  'failed-login': {
    isSteady: true,
    async run({ client }) {
      using stranger = makeKey()
      const options = ['-o', 'IdentityFile=none', '-i', stranger.file]
      const args = client.options.filter((_, index, all) => all[index] !== '-i' && all[index - 1] !== '-i')
      const attempt = run('ssh', [...args, ...options, '-p', String(client.port), 'golden@127.0.0.1', 'true'])
      await assert.rejects(attempt, /Permission denied/)
    },
  },
}

/** The form in which a log is compared: without times, keys and what depends on how fast everybody is. */
function form(records: readonly AuditRecord[], isSteady: boolean): string {
  const order = (record: AuditRecord): number => (record.type === 'io' ? Number(record.payload.stream) : -1)
  // Streams of a channel are independent of each other, and of what else happens in it.
  const io = records.filter(({ type }) => type === 'io').toSorted((a, b) => order(a) - order(b))
  const rest = records.filter(({ type }) => type !== 'io' && type !== 'disconnect')
  const text = normalized([...rest, ...io, ...records.filter(({ type }) => type === 'disconnect')])
  return isSteady ? text : text.replaceAll(/^(io \d+ stream=\d) .*$/gm, '$1 …')
}

describe('a daemon that records', { concurrency: 1 }, () => {
  let recording: Awaited<ReturnType<typeof recorder>>
  let hostKey: string
  before(async () => {
    recording = await recorder()
    const { port } = recording.host.daemon
    hostKey = (await run('ssh-keyscan', ['-p', String(port), '-t', 'ed25519', '127.0.0.1'])).stdout
    await recording.next()
  })
  after(async () => recording[Symbol.asyncDispose]())

  for (const [kind, { isSteady, run: act }] of Object.entries(kinds)) {
    test(`writes a log of ${kind} like the golden one, chained and signed with its host key`, async () => {
      await act(recording.host)
      const { file, records } = await recording.next()
      const text = form(records, isSteady)
      const [log, decoded] = [join(goldens, `${kind}.auditlog`), join(goldens, `${kind}.txt`)]
      if (isUpdating) {
        writeFileSync(log, readFileSync(file))
        writeFileSync(decoded, text)
      }
      assert.equal(text, readFileSync(decoded, 'utf8'))
      const verified = await audit('verify', '--key', hostKey, file)
      assert.match(verified.out, /: intact: \d+ messages .*, which is an expected key\n$/)
      assert.equal(verified.status, 0)
      // What was written then is read and proved today.
      const stored = await contentsOf(readFileSync(log))
      assert.deepEqual([form(stored.records, isSteady), stored.problems], [text, []])
      assert.equal((await audit('verify', log)).status, 0)
    })
  }

  test('is followed while a session runs, until it ends', async () => {
    const ssh = recording.host.client.start(['echo begun; read line; echo "got $line"'])
    const ended = once(ssh, 'exit')
    const file = await until('the log', () => recording.files()[0])
    const tool = begin(['follow', file])
    await tool.printed(/^begun$/m)
    ssh.stdin.write('word\n')
    await tool.printed(/^got word$/m)
    ssh.stdin.end()
    await ended
    const { status, err } = await tool.outcome
    assert.deepEqual([status, err], [0, ''])
    await recording.next()
  })

  test('signs the log of a connection whose worker was killed, and it ends where the worker did', async () => {
    const { daemon, client } = recording.host
    const ssh = client.start(['echo up; sleep 600'])
    const ended = finish(ssh)
    const file = await until('the log', () => recording.files()[0])
    const tool = begin(['follow', file])
    await tool.printed(/^up$/m)
    const [worker] = daemon.workers()
    assert.ok(worker !== undefined)
    process.kill(worker, 'SIGKILL')
    await ended
    const { records } = await recording.next()
    assert.equal((await tool.outcome).status, 0)
    assert.ok(records.some(({ type }) => type === 'io'))
    const verified = await audit('verify', '--key', hostKey, file)
    assert.match(verified.out, /: intact: /)
    assert.equal(verified.status, 0)
  })
})

test('a log of a daemon that was killed is incomplete, and intact as far as it goes', async () => {
  await using recording = await recorder()
  const ended = finish(recording.host.client.start(['echo up; sleep 600']))
  const file = await until('the log', () => recording.files()[0])
  const tool = begin(['follow', file])
  await tool.printed(/^up$/m)
  process.kill(recording.host.daemon.pid, 'SIGKILL')
  await ended
  const { status, out } = await audit('verify', file)
  assert.match(out, /: incomplete: \d+ messages .* in their order, the last is number \d+ of 20.*; later ones confirm/)
  assert.equal(status, 4)
  tool.stdout.destroy()
  await tool.outcome
})

test('logs are encrypted to their recipients before they reach the disk, whichever their format', async () => {
  const identity = await generateX25519Identity()
  using key = {
    folder: mkdtempSync(join(tmpdir(), 'identity-')),
    [Symbol.dispose]: () => rmSync(key.folder, { recursive: true }),
  }
  const identityFile = join(key.folder, 'identity')
  writeFileSync(identityFile, identity)
  for (const format of ['zstd', 'asciinema']) {
    await using recording = await recorder({ format, recipients: [await identityToRecipient(identity)] })
    await recording.host.client.run(['echo "not for everybody"'])
    const tool = format === 'asciinema' ? 'decrypt' : 'verify'
    const file = await until('the log', async () => {
      for (const each of recording.files()) {
        const { status } = await audit(tool, '--identity', identityFile, each)
        if (status === 0) return each
      }
      return undefined
    })
    assert.equal(readFileSync(file).includes('not for everybody'), false)
    const { out } = await audit(format === 'asciinema' ? 'decrypt' : 'text', '--identity', identityFile, file)
    assert.match(out, /not for everybody/)
    assert.equal((await audit('decode', file)).status, 1)
  }
})

test('without an ed25519 host key logs are chained but not signed, which the server says when it starts', async () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  await using recording = await recorder({}, { hostkeys: [pem] })
  await recording.host.daemon.line('AUDIT_NOT_SIGNED')
  await recording.host.client.run(['true'])
  const { file } = await recording.next()
  const { status, out } = await audit('verify', file)
  assert.match(out, /: intact, but not signed: \d+ messages/)
  assert.equal(status, 6)
})
