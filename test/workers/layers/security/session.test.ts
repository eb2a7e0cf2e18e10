import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { describe, test } from 'node:test'
import { formatLine } from '../../../../src/shared/log/format.ts'
import type { LogRecord } from '../../../../src/shared/log.ts'
import { guardSession } from '../../../../src/workers/layers/security/index.ts'
import { policyOf } from '../../../../src/workers/layers/security/policy.ts'
import type { Session, Target } from '../../../../src/workers/ports.ts'
import { channelOf, enter, never, openChannel, sectionOf, unrestricted } from './rig.ts'

const origin = { address: '192.0.2.1', port: 1 }
const find = (records: readonly LogRecord[], code: string): LogRecord => {
  const record = records.find((one) => one.code === code)
  assert.ok(record, `${code} in ${records.map((one) => one.code)}`)
  return record
}
const openings = async (session: Session): Promise<string> => {
  const verdict = await openChannel(session)
  return verdict.accepted ? 'ok' : verdict.fault.code
}

describe('sessions at a time', () => {
  test('are as many as maxSessions says, and a channel that is closed makes room', async () => {
    const { session, records } = await enter({ maxSessions: 2 })
    const first = await channelOf(session)
    await channelOf(session)
    const refused = await openChannel(session)
    assert.ok(!refused.accepted)
    assert.equal(refused.fault.userText, 'Too many sessions.')
    assert.deepEqual(find(records, 'SECURITY_MAX_SESSIONS').labels, {
      ...{ module: 'backend', username: 'alice', remoteAddr: '192.0.2.1', limit: 2 },
    })
    await first.channel[Symbol.asyncDispose]()
    await first.channel[Symbol.asyncDispose]()
    assert.equal(await openings(session), 'ok')
    assert.equal(await openings(session), 'SECURITY_MAX_SESSIONS')
  })

  test('that are opened at once are counted before the room is asked', async () => {
    const { session } = await enter({ maxSessions: 3 })
    const codes = await Promise.all(Array.from({ length: 5 }, () => openings(session)))
    assert.deepEqual(codes, ['ok', 'ok', 'ok', 'SECURITY_MAX_SESSIONS', 'SECURITY_MAX_SESSIONS'])
  })

  test('are none with 0, and without limit with -1', async () => {
    assert.equal(await openings((await enter({ maxSessions: 0 })).session), 'SECURITY_MAX_SESSIONS')
    const { session } = await enter({ maxSessions: -1 })
    for (let i = 0; i < 30; i++) assert.equal(await openings(session), 'ok')
  })
})

describe('forwarding', () => {
  test('that is refused never reaches the room, and the record names target and rule', async () => {
    const forwarding = { forwardingMode: 'filter', forwardingAllow: ['*.example.com:443'] }
    const { session, records } = await enter({ forwarding })
    const targets: readonly Target[] = [
      { kind: 'tcp', host: '127.0.0.1', port: 22 },
      { kind: 'unix', path: '/run/docker.sock' },
    ]
    for (const target of targets) {
      const verdict = await session.dial(target, origin, never)
      assert.ok(!verdict.accepted)
      assert.equal(verdict.fault.code, 'SECURITY_FORWARDING_REJECTED')
      assert.equal(verdict.fault.userText, 'Forwarding is not allowed')
    }
    assert.deepEqual(
      records.map(({ level, labels }) => [level, labels['username'], labels['target'], labels['rule']]),
      [
        ['info', 'alice', '127.0.0.1:22', 'security.forwarding.forwardingAllow'],
        ['info', 'alice', '/run/docker.sock', 'security.forwarding.socketForwardingMode=disable'],
      ],
    )
  })

  test('that is allowed does', async () => {
    const service = createServer((socket) => socket.end()).listen(0, '127.0.0.1')
    await once(service, 'listening')
    const address = service.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const { session } = await enter({
      forwarding: { forwardingMode: 'filter', forwardingAllow: [`127.0.0.0/8:${port}`] },
    })
    const verdict = await session.dial({ kind: 'tcp', host: '127.0.0.1', port }, origin, never)
    assert.ok(verdict.accepted)
    verdict.value.destroy()
    service.close()
  })

  test('in the other direction has rules of its own', async () => {
    const forwarding = { reverseForwardingMode: 'filter', reverseForwardingAllow: ['localhost:*'] }
    const { session, records } = await enter({ forwarding })
    const open = await session.listen(
      { kind: 'tcp', host: 'localhost', port: 0 },
      (_, stream) => stream.destroy(),
      never,
    )
    assert.ok(open.accepted)
    assert.ok(open.value.port > 0)
    await open.value[Symbol.asyncDispose]()
    const all = await session.listen({ kind: 'tcp', host: '', port: 80 }, (_, stream) => stream.destroy(), never)
    assert.ok(!all.accepted)
    const path = await session.listen({ kind: 'unix', path: '/tmp/s' }, (_, stream) => stream.destroy(), never)
    assert.ok(!path.accepted)
    assert.deepEqual(
      records.map(({ code, labels }) => [code, labels['target'], labels['rule']]),
      [
        ['SECURITY_REVERSE_FORWARDING_REJECTED', ':80', 'security.forwarding.reverseForwardingAllow'],
        ['SECURITY_REVERSE_FORWARDING_REJECTED', '/tmp/s', 'security.forwarding.socketListenMode=disable'],
      ],
    )
  })

  test('of X11 and of the agent opens a door of the room only where it is allowed', async () => {
    const x11 = { single: false, protocol: 'MIT-MAGIC-COOKIE-1', cookie: 'secret', screen: 0 }
    const closed = await enter({})
    const { ask } = await channelOf(closed.session)
    assert.equal(await ask({ kind: 'x11-req', x11 }), 'SECURITY_X11_FORWARDING_REJECTED')
    assert.equal(await ask({ kind: 'auth-agent-req@openssh.com' }), 'SECURITY_AGENT_FORWARDING_REJECTED')
    assert.ok(!JSON.stringify(closed.records).includes('secret'))
    const open = await enter({ forwarding: { x11ForwardingMode: 'enable', agentForwardingMode: 'enable' } })
    const channel = await channelOf(open.session)
    assert.equal(await channel.ask({ kind: 'x11-req', x11 }), 'ok')
    assert.equal(await channel.ask({ kind: 'auth-agent-req@openssh.com' }), 'ok')
    await channel.channel[Symbol.asyncDispose]()
  })
})

describe('a forced command', () => {
  const started = (room: { running: ReadonlySet<{ what: unknown; env: ReadonlyMap<string, string> }> }) => {
    const [program] = room.running
    return { what: program?.what, original: program?.env.get('SSH_ORIGINAL_COMMAND') }
  }

  test('runs in place of everything, and finds what the client asked for', async () => {
    for (const [request, original] of [
      [{ kind: 'exec', command: 'id; whoami' }, 'id; whoami'],
      [{ kind: 'subsystem', name: 'sftp' }, 'sftp'],
      [{ kind: 'shell' }, ''],
    ] as const) {
      const { session, room, records } = await enter({ forceCommand: 'wait', env: { mode: 'disable' } })
      const { ask, channel } = await channelOf(session)
      assert.equal(await ask(request), 'ok')
      assert.deepEqual(started(room), { what: { kind: 'exec', command: 'wait' }, original })
      const { level, labels } = find(records, 'SECURITY_EXEC_FORCING_COMMAND')
      assert.equal(level, 'debug')
      assert.deepEqual(
        [labels['request'], labels['command'], labels['forcedCommand'], labels['rule'], labels['username']],
        [request.kind, original, 'wait', 'security.forceCommand', 'alice'],
      )
      assert.equal(typeof labels['channelId'], 'number')
      await channel[Symbol.asyncDispose]()
    }
  })

  test('of the credential wins over that of the configuration', async () => {
    const { session, room, records } = await enter({ forceCommand: 'cat' }, { ...unrestricted, forceCommand: 'wait' })
    const { ask, channel } = await channelOf(session)
    assert.equal(await ask({ kind: 'shell' }), 'ok')
    assert.deepEqual(started(room).what, { kind: 'exec', command: 'wait' })
    assert.equal(find(records, 'SECURITY_EXEC_FORCING_COMMAND').labels['rule'], 'credential force-command')
    await channel[Symbol.asyncDispose]()
  })

  test('does not open what the rules close for the original request', async () => {
    const { session, room } = await enter({ forceCommand: 'wait', command: { mode: 'filter', allow: ['sync'] } })
    const { ask, channel } = await channelOf(session)
    assert.equal(await ask({ kind: 'exec', command: 'id' }), 'SECURITY_EXEC_REJECTED')
    assert.equal(room.running.size, 0)
    assert.equal(await ask({ kind: 'exec', command: 'sync' }), 'ok')
    await channel[Symbol.asyncDispose]()
  })

  test('keeps the variable for itself', async () => {
    const { session, room } = await enter({ forceCommand: 'wait' })
    const { ask, channel } = await channelOf(session)
    const lie = { kind: 'env', name: 'SSH_ORIGINAL_COMMAND', value: 'a lie' } as const
    assert.equal(await ask(lie), 'SECURITY_ENV_REJECTED')
    assert.equal(await ask({ kind: 'shell' }), 'ok')
    assert.equal(started(room).original, '')
    assert.equal(await ask(lie), 'SECURITY_ENV_REJECTED')
    await channel[Symbol.asyncDispose]()
  })

  test('does not run a second time on a channel that runs already: the backend takes no variable then', async () => {
    const { session, room, records } = await enter({ forceCommand: 'wait' })
    const { ask, channel } = await channelOf(session)
    assert.equal(await ask({ kind: 'exec', command: 'a' }), 'ok')
    assert.equal(await ask({ kind: 'exec', command: 'b' }), 'SECURITY_EXEC_FAILED_SETENV')
    assert.equal(room.running.size, 1)
    const { level, message } = find(records, 'SECURITY_EXEC_FAILED_SETENV')
    assert.equal(level, 'error')
    assert.match(message, /SSH_ORIGINAL_COMMAND/)
    await channel[Symbol.asyncDispose]()
  })
})

describe('a client that keeps asking', () => {
  test('is no longer recorded after maxRefusals, and told to leave after ten times as many', async () => {
    const { session, records, codes } = await enter({ shell: { mode: 'disable' }, maxRefusals: 3 })
    const { raw } = await channelOf(session)
    for (let i = 0; i < 30; i++) {
      const verdict = await raw({ kind: 'shell' })
      assert.ok(!verdict.accepted)
      assert.deepEqual([verdict.fault.code, verdict.final], ['SECURITY_SHELL_REJECTED', undefined])
    }
    assert.deepEqual(codes(), [...Array(3).fill('SECURITY_SHELL_REJECTED'), 'SECURITY_REFUSALS_MUTED'])
    for (let i = 0; i < 2; i++) {
      const verdict = await raw({ kind: 'shell' })
      assert.ok(!verdict.accepted)
      assert.deepEqual([verdict.fault.code, verdict.final], ['SECURITY_TOO_MANY_REFUSALS', true])
    }
    await session[Symbol.asyncDispose]()
    assert.deepEqual(codes().slice(4), ['SECURITY_TOO_MANY_REFUSALS', 'SECURITY_REFUSALS_SUMMARY'])
    assert.equal(find(records, 'SECURITY_REFUSALS_MUTED').labels['limit'], 3)
    assert.equal(find(records, 'SECURITY_TOO_MANY_REFUSALS').labels['count'], 31)
    assert.equal(find(records, 'SECURITY_REFUSALS_SUMMARY').labels['count'], 29)
  })

  test('has a minute after which counting begins anew', async (context) => {
    let now = 0
    context.mock.method(performance, 'now', () => now)
    const { session, codes } = await enter({ shell: { mode: 'disable' }, maxRefusals: 1 })
    const { ask } = await channelOf(session)
    for (let i = 0; i < 25; i++) {
      assert.equal(await ask({ kind: 'shell' }), 'SECURITY_SHELL_REJECTED')
      if (i % 5 === 4) now += 61_000
    }
    assert.equal(codes().filter((code) => code === 'SECURITY_SHELL_REJECTED').length, 5)
    assert.equal(codes().filter((code) => code === 'SECURITY_REFUSALS_SUMMARY').length, 4)
  })

  test('may go on for ever with 0', async () => {
    const { session, codes } = await enter({ shell: { mode: 'disable' }, maxRefusals: 0 })
    const { raw } = await channelOf(session)
    for (let i = 0; i < 1500; i++) {
      const verdict = await raw({ kind: 'shell' })
      assert.ok(!verdict.accepted && verdict.final === undefined)
    }
    assert.equal(codes().length, 1500)
  })
})

test('what the client sends never reaches a text log raw', async () => {
  const { session, records } = await enter({ command: { mode: 'disable' } })
  const { ask } = await channelOf(session)
  await ask({ kind: 'exec', command: 'a\n2026-01-01 fake\tline\u001b[2J\u009b1m\u202e' })
  const [record] = records
  assert.ok(record)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
  assert.doesNotMatch(formatLine(record, 'text').trimEnd(), /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u202e]/)
})

describe('a session without any rule', () => {
  const open = {
    ...{ forwardingMode: 'enable', reverseForwardingMode: 'enable', socketForwardingMode: 'enable' },
    ...{ socketListenMode: 'enable', x11ForwardingMode: 'enable', agentForwardingMode: 'enable' },
  }
  test('is not touched, and with rules only where they are', () => {
    const free = (written: Readonly<Record<string, unknown>>) => policyOf(sectionOf(written)).free
    const all = { channels: true, dial: true, listen: true }
    assert.deepEqual(free({ forwarding: open }), all)
    assert.deepEqual(free({ forwarding: { ...open, forwardingMode: 'filter' } }), { ...all, dial: false })
    assert.deepEqual(free({ forwarding: { ...open, socketListenDeny: ['/s'] } }), { ...all, listen: false })
    for (const written of [
      { forceCommand: 'x' },
      { maxSessions: 0 },
      { env: { deny: ['A'] } },
      { command: { deny: ['A'] } },
      { signal: { mode: 'filter' } },
      { subsystem: { deny: ['A'] } },
      { tty: { mode: 'disable' } },
      { shell: { mode: 'filter' } },
    ]) {
      assert.deepEqual(free({ forwarding: open, ...written }), { ...all, channels: false }, JSON.stringify(written))
    }
    assert.deepEqual(free({ forwarding: open, defaultMode: 'filter' }), { channels: false, dial: false, listen: false })
  })

  test('is the room’s own', async () => {
    const { session, peer, member } = await enter({})
    assert.equal(guardSession(sectionOf({ forwarding: open }), peer, member, session), session)
    const restricted = { ...member, restrictions: unrestricted }
    assert.notEqual(guardSession(sectionOf({ forwarding: open }), peer, restricted, session), session)
  })
})
