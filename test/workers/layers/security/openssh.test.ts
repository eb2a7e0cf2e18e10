import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { until } from '../../../rigs/daemon.ts'
import { startServer } from '../../../rigs/server.ts'
import { finish } from '../../../rigs/ssh.ts'

/** What an OpenSSH client meets that is refused by the rules of `security`. */
type Rules = Readonly<Record<string, unknown>>
const serve = (security: Rules) => startServer({ security })

test('a variable that is refused does not stop the command, and is not set', async () => {
  await using server = await serve({ env: { mode: 'filter', allow: ['LANG', { glob: 'LC_*' }], deny: ['LC_BAD'] } })
  const options = ['-o', 'SetEnv=A=1 LANG=C LC_TIME=C LC_BAD=1']
  const ssh = server.client.start(['wait'], options)
  const finished = finish(ssh)
  await until('the program runs', () => server.room.running.size === 1)
  const [program] = server.room.running
  assert.deepEqual([...(program?.env.keys() ?? [])], ['LANG', 'LC_TIME'])
  ssh.kill()
  await finished
  const refused = server.records.filter((record) => record.code === 'SECURITY_ENV_REJECTED')
  assert.deepEqual(
    refused.map(({ level, labels }) => [level, labels['name'], labels['rule'], labels['username'], labels['module']]),
    [
      ['info', 'A', 'security.env.allow', 'alice', 'backend'],
      ['info', 'LC_BAD', 'security.env.deny[0]', 'alice', 'backend'],
    ],
  )
})

test('a command that is not on the list does not run; one that is does', async () => {
  await using server = await serve({ command: { mode: 'filter', allow: ['exit 7', { regex: 'lines [0-9]+' }] } })
  const refused = await server.client.run(['exit 8'])
  assert.equal(refused.code, 255)
  assert.match(refused.stderr, /exec request failed on channel 0/)
  assert.equal((await server.client.run(['exit 7'])).code, 7)
  assert.equal((await server.client.run(['lines 1'])).stdout.toString(), 'line 0\n')
  const record = await server.line('SECURITY_EXEC_REJECTED')
  assert.equal(record.labels['command'], 'exit 8')
  assert.equal(record.labels['rule'], 'security.command.allow')
  await server.line('SSH_CHANNEL_REQUEST_FAILED', ({ labels }) => labels['reason'] === 'SECURITY_EXEC_REJECTED')
})

test('no shell is given where shells are disabled', async () => {
  await using server = await serve({ shell: { mode: 'disable' } })
  const refused = await server.client.run([])
  assert.equal(refused.code, 255)
  assert.match(refused.stderr, /shell request failed on channel 0/)
  await server.line('SECURITY_SHELL_REJECTED')
})

test('sftp is refused where it is denied, and cat is not', async () => {
  await using server = await serve({ subsystem: { deny: ['sftp'] } })
  const refused = await server.client.run(['sftp'], { options: ['-s'] })
  assert.match(refused.stderr, /subsystem request failed on channel 0/)
  const other = await server.client.run(['cat'], { options: ['-s'], input: Buffer.from('through') })
  assert.equal(other.stdout.toString(), 'through')
  const record = await server.line('SECURITY_SUBSYSTEM_REJECTED')
  assert.equal(record.labels['subsystem'], 'sftp')
  assert.equal(record.labels['rule'], 'security.subsystem.deny[0]')
})

test('whoever insists on a terminal that is refused reads so', async () => {
  await using server = await serve({ tty: { mode: 'disable' } })
  const { code, stderr } = await server.client.run(['exit 0'], { options: ['-tt'] })
  assert.equal(code, 255)
  assert.match(stderr, /PTY allocation request failed on channel 0/)
  await server.line('SECURITY_TTY_REJECTED')
})

test('a forced command runs in place of what was asked for', async () => {
  await using server = await serve({ forceCommand: 'both forced' })
  for (const [command, options] of [
    [['exit 3'], []],
    [[], []],
    [['sftp'], ['-s']],
  ] as const) {
    const { code, stdout } = await server.client.run(command, { options })
    assert.deepEqual([code, stdout.toString()], [0, 'forced'])
  }
  const record = await server.line('SECURITY_EXEC_FORCING_COMMAND')
  assert.equal(record.labels['command'], 'exit 3')
  assert.equal(record.labels['forcedCommand'], 'both forced')
})

test('whoever wants more sessions than there may be reads so', async () => {
  await using server = await serve({ maxSessions: 0 })
  const { code, stderr } = await server.client.run(['exit 0'], { options: ['-v'] })
  assert.equal(code, 255)
  assert.match(stderr, /channel 0: open failed: resource shortage: Too many sessions\./)
  await server.line('SECURITY_MAX_SESSIONS')
  await server.line('SSH_NEW_CHANNEL_REJECTED', ({ labels }) => labels['reason'] === 'SECURITY_MAX_SESSIONS')
})

test('one session after the other fits through a limit of one', async (context) => {
  await using server = await serve({ maxSessions: 1 })
  const folder = mkdtempSync(join(tmpdir(), 'containerssh-mux-'))
  context.after(() => rmSync(folder, { recursive: true }))
  const mux = ['-o', `ControlPath=${folder}/s`]
  // A master without a session of its own.
  const master = server.client.start([], [...mux, '-o', 'ControlMaster=yes', '-N'])
  context.after(() => master.kill())
  await until('the master listens', () => existsSync(join(folder, 's')))
  for (let i = 0; i < 5; i++) assert.equal((await server.client.run([`exit ${i}`], { options: mux })).code, i)
  const one = server.client.start(['wait'], mux)
  await once(one.stdout, 'data')
  // The client then tries a connection of its own.
  assert.equal((await server.client.run(['exit 0'], { options: mux })).code, 0)
  assert.equal(server.records.filter((record) => record.code === 'SECURITY_MAX_SESSIONS').length, 1)
  one.kill()
  master.kill()
  await once(master, 'exit')
})

test('forwarding is prohibited by default, and the record names the target', async () => {
  await using server = await serve({})
  const { code, stderr } = await server.client.run([], { options: ['-v', '-W', '[2001:db8::1]:80'] })
  assert.equal(code, 255)
  assert.match(stderr, /open failed: administratively prohibited: Forwarding is not allowed/)
  const record = await server.line('SECURITY_FORWARDING_REJECTED')
  assert.equal(record.labels['target'], '[2001:db8::1]:80')
  assert.equal(record.labels['rule'], 'security.forwarding.forwardingMode=disable')
})

test('the server listens only where the rules let it', async () => {
  const forwarding = { reverseForwardingMode: 'filter', reverseForwardingAllow: ['localhost:0'] }
  await using server = await serve({ forwarding })
  const listen = (door: string) =>
    server.client.run(['exit 0'], { options: ['-o', 'ExitOnForwardFailure=yes', '-R', `${door}:127.0.0.1:9`] })
  assert.equal((await listen('0')).code, 0)
  for (const door of ['18080', '*:0', '/tmp/containerssh-never']) {
    const { code, stderr } = await listen(door)
    assert.equal(code, 255, door)
    assert.match(stderr, /remote port forwarding failed/, door)
  }
  const refused = server.records.filter((record) => record.code === 'SECURITY_REVERSE_FORWARDING_REJECTED')
  assert.deepEqual(
    refused.map(({ labels }) => [labels['target'], labels['rule']]),
    [
      ['localhost:18080', 'security.forwarding.reverseForwardingAllow'],
      [':0', 'security.forwarding.reverseForwardingAllow'],
      ['/tmp/containerssh-never', 'security.forwarding.socketListenMode=disable'],
    ],
  )
})

test('X11 and the agent are not forwarded by default, and the command runs without them', async (context) => {
  await using server = await serve({})
  const folder = mkdtempSync(join(tmpdir(), 'containerssh-agent-'))
  const socket = join(folder, 'agent')
  const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' })
  context.after(() => {
    agent.kill()
    rmSync(folder, { recursive: true })
  })
  await until('the agent listens', () => existsSync(socket))
  const env = { ...process.env, SSH_AUTH_SOCK: socket, DISPLAY: '127.0.0.1:99' }
  const words = [...server.client.options, '-A', '-Y', '-p', String(server.port), 'alice@127.0.0.1', 'both text']
  const ssh = spawn('ssh', words, { stdio: ['pipe', 'pipe', 'pipe'], env })
  assert.equal((await finish(ssh)).stdout.toString(), 'text')
  const agentRecord = await server.line('SECURITY_AGENT_FORWARDING_REJECTED')
  assert.equal(agentRecord.labels['rule'], 'security.forwarding.agentForwardingMode=disable')
  const x11 = await server.line('SECURITY_X11_FORWARDING_REJECTED')
  assert.equal(x11.labels['rule'], 'security.forwarding.x11ForwardingMode=disable')
})

test('a client that does not stop asking is disconnected with the reason', async () => {
  await using server = await serve({ env: { mode: 'disable' }, maxRefusals: 1 })
  const variables = Array.from({ length: 20 }, (_, i) => `V${i}=1`).join(' ')
  const { code, stderr } = await server.client.run(['wait'], { options: ['-o', `SetEnv=${variables}`] })
  assert.equal(code, 255)
  assert.match(stderr, /Too many rejected requests/)
  await server.line('SECURITY_TOO_MANY_REFUSALS')
  await server.line('SECURITY_REFUSALS_SUMMARY')
  await until('everything is gone', () => server.intake.size === 0 && server.room.inside() === 0)
  assert.equal(server.records.filter((record) => record.code === 'SECURITY_ENV_REJECTED').length, 1)
})

test('a server that stops may send the signals that its clients may not', async () => {
  await using server = await serve({ signal: { mode: 'disable' } })
  const finished = finish(server.client.start(['wait']))
  await until('the program runs', () => server.room.running.size === 1)
  await server.intake.drain(AbortSignal.timeout(10_000))
  assert.equal((await finished).stdout.toString(), 'ready\nTERM\n')
  assert.ok(!server.records.some((record) => record.code === 'SECURITY_SIGNAL_REJECTED'))
})
