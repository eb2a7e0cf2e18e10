/** The OpenSSH client lends its agent and its X11 display, and learns host keys. */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { parseHostKey } from '../../../src/workers/ssh/host-key.ts'
import { until } from '../../rigs/daemon.ts'
import { anyForwarding, startServer } from '../../rigs/server.ts'
import { folder, startService } from '../../rigs/services.ts'
import { anyHost, finish } from '../../rigs/ssh.ts'

test('ssh -A: the program in the room sees the keys of the client’s agent', async (context) => {
  await using server = await startServer({ security: anyForwarding })
  using sockets = folder()
  const socket = sockets.path('agent')
  const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: ['ignore', 'pipe', 'inherit'] })
  context.after(() => agent.kill())
  await once(agent.stdout, 'data')
  const env = { ...process.env, SSH_AUTH_SOCK: socket }
  execFileSync('ssh-add', ['-q', server.key.file], { env })
  const { options } = server.client
  const ssh = (...more: readonly string[]) =>
    finish(
      spawn('ssh', [...options, '-p', String(server.port), ...more, 'alice@127.0.0.1', 'agent'], {
        env,
        stdio: ['pipe', 'pipe', 'pipe'],
      }),
    )
  const { stdout } = await ssh('-A')
  // SSH_AGENT_IDENTITIES_ANSWER with one key
  assert.deepEqual([...stdout.subarray(4, 9)], [12, 0, 0, 0, 1])
  assert.ok(stdout.includes(Buffer.from(server.key.line.split(' ')[1] ?? '', 'base64')))
  assert.equal((await ssh('-a')).stdout.length, 0)
  await server.line('SSH_NEW_CHANNEL', (record) => record.labels['type'] === 'auth-agent@openssh.com')
  await until('the door is closed', () => server.room.doors.size === 0)
})

test('ssh -Y: the program in the room talks to the client’s display', async () => {
  await using server = await startServer({ security: anyForwarding })
  await using display = await startService((socket) => {
    // The client puts the cookie of its own display in: what follows has come all the way.
    socket.once('data', (bytes: Buffer) => socket.end(`${bytes.length} ${bytes.subarray(48).toString()}`))
  })
  const name = `127.0.0.1:${Number(display.at) - 6000}`
  const { options, port } = server.client
  const { stdout } = await finish(
    spawn('ssh', [...options, '-Y', '-p', String(port), 'alice@127.0.0.1', 'x11 draw'], {
      env: { ...process.env, DISPLAY: name },
      stdio: ['pipe', 'pipe', 'pipe'],
    }),
  )
  assert.equal(stdout.toString(), '52 draw')
  await server.line('SSH_NEW_CHANNEL', (record) => record.labels['type'] === 'x11')
  await until('the door is closed', () => server.room.doors.size === 0)
})

describe('ssh with UpdateHostKeys', () => {
  const pem = (key: ReturnType<typeof generateKeyPairSync>['privateKey']): string =>
    key.export({ type: 'pkcs8', format: 'pem' }).toString()
  const ed25519 = pem(generateKeyPairSync('ed25519').privateKey)
  const ecdsa = pem(generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey)
  const rsa = [1, 2].map(() => pem(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey))
  const lineOf = (key: string): string => {
    const { type, blob } = parseHostKey(key)
    return `${type} ${blob.toString('base64')}`
  }

  /** Logs in knowing `known`, and gives the file when it holds all of `learnt`. */
  async function learn(known: string, learnt: readonly string[], hostKeys: readonly string[], algorithms: string) {
    await using server = await startServer({ hostKeys })
    using files = folder()
    const file = files.path('known_hosts')
    writeFileSync(file, `[127.0.0.1]:${server.port} ${lineOf(known)}\n`)
    const ssh = spawn(
      'ssh',
      [
        ...['-o', `UserKnownHostsFile=${file}`, '-o', 'StrictHostKeyChecking=yes', '-o', 'UpdateHostKeys=yes'],
        ...['-o', 'GlobalKnownHostsFile=/dev/null', '-o', 'HashKnownHosts=no', '-o', `HostKeyAlgorithms=${algorithms}`],
        ...anyHost.slice(0, 4),
        ...['-i', server.key.file, '-o', 'IdentitiesOnly=yes', '-o', 'BatchMode=yes'],
        ...['-p', String(server.port), 'alice@127.0.0.1', 'wait'],
      ],
      { stdio: ['pipe', 'pipe', 'pipe'] },
    )
    const done = finish(ssh)
    try {
      await until('all keys are known', () => {
        const text = readFileSync(file, 'utf8')
        return learnt.every((key) => text.includes(`[127.0.0.1]:${server.port} ${lineOf(key)}`))
      })
    } finally {
      ssh.kill()
    }
    assert.equal((await done).stderr, '')
    await server.line('SSH_GLOBAL_REQUEST_SUCCESSFUL', (record) => {
      return record.labels['RequestType'] === 'hostkeys-prove-00@openssh.com'
    })
  }

  test('learns the other host keys of a server of which it knows one', async () => {
    const [first = ''] = rsa
    await learn(ed25519, [first, ecdsa], [ed25519, ecdsa, first], 'ssh-ed25519,ecdsa-sha2-nistp384,rsa-sha2-512')
  })

  test('learns a second RSA key, signed with the hash of the key exchange', async () => {
    const [older = '', newer = ''] = rsa
    // Of two keys of one type the last is the one that is used.
    for (const hash of ['rsa-sha2-256', 'rsa-sha2-512']) await learn(newer, [older], [older, newer], hash)
  })
})
