import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { Fault } from '../../../../src/shared/codes/fault.ts'
import { dialRefusal, doorRefusal, refusalOf } from '../../../../src/workers/layers/security/decide.ts'
import { longestMatched } from '../../../../src/workers/layers/security/lists.ts'
import { policyOf } from '../../../../src/workers/layers/security/policy.ts'
import type { ChannelRequest, Door, Restrictions, Target } from '../../../../src/workers/ports.ts'
import { sectionOf, unrestricted } from './rig.ts'

const size = { columns: 80, rows: 24, widthPixels: 0, heightPixels: 0 }
const x11 = { single: false, protocol: 'MIT-MAGIC-COOKIE-1', cookie: '00', screen: 0 }
type Written = Readonly<Record<string, unknown>>

const ask = (written: Written, request: ChannelRequest, restrictions?: Restrictions): Fault | undefined =>
  refusalOf({ policy: policyOf(sectionOf(written)), restrictions }, request)
const dial = (written: Written, target: Target, restrictions?: Restrictions) =>
  dialRefusal({ policy: policyOf(sectionOf(written)), restrictions }, target)
const listen = (written: Written, door: Door, restrictions?: Restrictions) =>
  doorRefusal({ policy: policyOf(sectionOf(written)), restrictions }, door)
const ruleOf = (refusal: Fault | undefined): unknown => refusal?.labels['rule']

/** How each kind is asked for, and where its block stands. */
interface Listed {
  readonly block: string
  readonly code: string
  request(value: string): ChannelRequest
}
const listed: readonly Listed[] = [
  { block: 'env', code: 'SECURITY_ENV_REJECTED', request: (name) => ({ kind: 'env', name, value: '1' }) },
  { block: 'command', code: 'SECURITY_EXEC_REJECTED', request: (command) => ({ kind: 'exec', command }) },
  { block: 'subsystem', code: 'SECURITY_SUBSYSTEM_REJECTED', request: (name) => ({ kind: 'subsystem', name }) },
  { block: 'signal', code: 'SECURITY_SIGNAL_REJECTED', request: (name) => ({ kind: 'signal', name }) },
]
const unlisted = {
  shell: { block: 'shell', code: 'SECURITY_SHELL_REJECTED', request: { kind: 'shell' } },
  tty: {
    block: 'tty',
    code: 'SECURITY_TTY_REJECTED',
    request: { kind: 'pty-req', pty: { term: 'xterm', size, modes: new Uint8Array() } },
  },
} as const

describe('the table of modes', () => {
  const names = ['A', 'B', 'C']
  const name = fc.constantFrom(...names)
  const some = fc.uniqueArray(name)
  const mode = fc.constantFrom('', 'enable', 'filter', 'disable')

  test('holds for each request with lists, in every mode', () => {
    const kind = fc.constantFrom(...listed)
    fc.assert(
      fc.property(kind, mode, mode, some, some, name, (row, own, preset, allow, deny, value) => {
        const effective = [own, preset, 'enable'].find((word) => word !== '')
        const onBoth = { allowed: allow.includes(value), denied: deny.includes(value) }
        const passes = !onBoth.denied && (effective === 'enable' || (effective === 'filter' && onBoth.allowed))
        const refusal = ask({ defaultMode: preset, [row.block]: { mode: own, allow, deny } }, row.request(value))
        // In mode disable no list is looked at.
        assert.equal(refusal === undefined, effective !== 'disable' && passes)
        if (refusal !== undefined) assert.equal(refusal.code, row.code)
      }),
      { numRuns: 2000 },
    )
  })

  test('holds for each request without lists, in every mode', () => {
    fc.assert(
      fc.property(fc.constantFrom(...Object.values(unlisted)), mode, mode, (row, own, preset) => {
        const refusal = ask({ defaultMode: preset, [row.block]: { mode: own } }, row.request)
        assert.equal(refusal?.code, (own || preset || 'enable') === 'enable' ? undefined : row.code)
      }),
    )
  })

  test('holds for forwarding, where the stricter one of the own and the default mode counts', () => {
    const strict = ['enable', 'filter', 'disable']
    const word = fc.constantFrom(...strict)
    const port = fc.constantFrom(1, 2, 3)
    const ports = fc.uniqueArray(port)
    const direction = fc.constantFrom('dial', 'listen')
    const family = fc.constantFrom('tcp', 'unix')
    fc.assert(
      fc.property(direction, family, word, mode, ports, ports, port, (way, kind, own, preset, allow, deny, wanted) => {
        const effective = Math.max(strict.indexOf(own), strict.indexOf(preset))
        const passes = effective === 0 || (effective === 1 && allow.includes(wanted))
        const subject =
          kind === 'tcp'
            ? { dial: 'forwarding', listen: 'reverseForwarding' }[way]
            : { dial: 'socketForwarding', listen: 'socketListen' }[way]
        const modeKey = subject === 'socketListen' ? 'socketListenMode' : `${subject}Mode`
        const entry = (at: number): string => (kind === 'tcp' ? `h:${at}` : `/s${at}`)
        const forwarding = {
          [modeKey]: own,
          [`${subject}Allow`]: allow.map(entry),
          [`${subject}Deny`]: deny.map(entry),
        }
        const place =
          kind === 'tcp'
            ? ({ kind, host: 'h', port: wanted } as const)
            : ({ kind: 'unix', path: `/s${wanted}` } as const)
        const refusal = (way === 'dial' ? dial : listen)({ defaultMode: preset, forwarding }, place)
        assert.equal(refusal === undefined, passes && !deny.includes(wanted))
        if (refusal === undefined) return
        assert.equal(refusal.code, `SECURITY_${way === 'dial' ? '' : 'REVERSE_'}FORWARDING_REJECTED`)
      }),
      { numRuns: 2000 },
    )
  })

  test('holds for X11 and the agent, which have no lists', () => {
    for (const [key, door, request, code] of [
      ['x11ForwardingMode', { kind: 'x11', x11 }, { kind: 'x11-req', x11 }, 'SECURITY_X11_FORWARDING_REJECTED'],
      [
        'agentForwardingMode',
        { kind: 'agent' },
        { kind: 'auth-agent-req@openssh.com' },
        'SECURITY_AGENT_FORWARDING_REJECTED',
      ],
    ] as const) {
      for (const [own, preset, expected] of [
        ['enable', '', undefined],
        ['enable', 'enable', undefined],
        ['enable', 'filter', code],
        ['enable', 'disable', code],
        ['filter', '', code],
        ['disable', 'enable', code],
      ] as const) {
        const written = { defaultMode: preset, forwarding: { [key]: own } }
        assert.equal(ask(written, request)?.code, expected, `${key}: ${own}, ${preset}`)
        assert.equal(listen(written, door)?.code, expected)
      }
      assert.equal(ask({}, request)?.code, code)
    }
  })

  test('takes a mode that it does not know for disable', () => {
    const section = sectionOf({})
    const wrong = {
      ...section,
      shell: { mode: 'deny' },
      forwarding: { ...section.forwarding, forwardingMode: 'disabled' },
    } as unknown as typeof section
    const rules = { policy: policyOf(wrong), restrictions: undefined }
    assert.equal(ruleOf(refusalOf(rules, { kind: 'shell' })), 'security.shell.mode=deny')
    const target = { kind: 'tcp', host: 'h', port: 1 } as const
    assert.equal(ruleOf(dialRefusal(rules, target)), 'security.forwarding.forwardingMode=disabled')
  })

  test('never stops a change of the window or a request that nobody knows', () => {
    const written = { defaultMode: 'disable', forceCommand: 'x' }
    assert.equal(ask(written, { kind: 'window-change', size }), undefined)
    assert.equal(ask(written, { kind: 'unknown', type: 'x@y', payload: new Uint8Array() }), undefined)
  })

  test('decides about signals by their own mode, not by that of shells', () => {
    assert.equal(ask({ shell: { mode: 'disable' } }, { kind: 'signal', name: 'INT' }), undefined)
    assert.notEqual(ask({ signal: { mode: 'disable' } }, { kind: 'signal', name: 'INT' }), undefined)
  })
})

describe('a refusal', () => {
  test('names the rule and the value', () => {
    const command = { mode: 'filter', allow: ['uptime'], deny: [] }
    assert.deepEqual(ask({ command }, { kind: 'exec', command: 'id' })?.labels, {
      command: 'id',
      rule: 'security.command.allow',
    })
    const signal = { deny: ['INT', { glob: 'K*' }] }
    assert.equal(ruleOf(ask({ signal }, { kind: 'signal', name: 'KILL' })), 'security.signal.deny[1]')
    assert.equal(ruleOf(ask({ tty: { mode: 'filter' } }, unlisted.tty.request)), 'security.tty.mode=filter')
    assert.equal(ruleOf(ask({ defaultMode: 'disable' }, { kind: 'shell' })), 'security.defaultMode=disable')
    const forwarding = { forwardingMode: 'enable', forwardingDeny: ['a:1', '[::1]:*'] }
    assert.deepEqual(dial({ forwarding }, { kind: 'tcp', host: '::1', port: 80 })?.labels, {
      target: '[::1]:80',
      rule: 'security.forwarding.forwardingDeny[1]',
    })
    const open = { forwarding: { forwardingMode: 'enable' } }
    assert.equal(
      ruleOf(dial({ defaultMode: 'filter', ...open }, { kind: 'tcp', host: 'h', port: 1 })),
      'security.forwarding.forwardingAllow',
    )
  })

  test('does not put a value of any length into the log', () => {
    const refusal = ask({ command: { mode: 'disable' } }, { kind: 'exec', command: 'x'.repeat(200_000) })
    assert.ok(String(refusal?.labels['command']).length < 1100)
  })
})

describe('patterns', () => {
  test('match the whole value, and deny comes after allow', () => {
    const command = { mode: 'filter', allow: [{ glob: 'git *' }], deny: [{ regex: '(?s).*[;&|`$].*' }] }
    const run = (text: string) => ruleOf(ask({ command }, { kind: 'exec', command: text }))
    assert.equal(run('git log'), undefined)
    assert.equal(run('git log; id'), 'security.command.deny[0]')
    assert.equal(run('git log\nid;'), 'security.command.deny[0]')
    assert.equal(run('agit log'), 'security.command.allow')
  })

  test('do not allow what is too long to be looked at, and deny it', () => {
    const long = 'x'.repeat(longestMatched + 1)
    const run = (command: Written) => ruleOf(ask({ command }, { kind: 'exec', command: long }))
    assert.equal(run({ mode: 'filter', allow: [{ glob: '*' }] }), 'security.command.allow')
    assert.equal(run({ mode: 'filter', allow: [long] }), undefined)
    assert.match(String(run({ deny: [{ glob: 'y' }] })), /^security\.command\.deny \(too long/)
    assert.equal(run({ deny: ['y'] }), undefined)
  })

  test('of hosts do not let another spelling of an address through', () => {
    const allow = { forwardingMode: 'filter', forwardingAllow: ['*:80'] }
    const deny = { forwardingMode: 'enable', forwardingDeny: ['127.0.0.0/8:*', 'internal.example:*'] }
    for (const host of ['127.1', '0x7f000001', '2130706433', '127.0.0.1.']) {
      assert.notEqual(dial({ forwarding: allow }, { kind: 'tcp', host, port: 80 }), undefined, host)
      assert.match(String(ruleOf(dial({ forwarding: deny }, { kind: 'tcp', host, port: 80 }))), /another one/, host)
    }
    for (const host of ['127.0.0.1', '::ffff:127.0.0.1', 'INTERNAL.example.']) {
      assert.notEqual(dial({ forwarding: deny }, { kind: 'tcp', host, port: 80 }), undefined, host)
    }
    assert.equal(dial({ forwarding: deny }, { kind: 'tcp', host: '10.0.0.1', port: 80 }), undefined)
  })

  test('of sockets do not let another spelling of a path through', () => {
    const allow = { socketForwardingMode: 'filter', socketForwardingAllow: [{ glob: '/run/app/*' }] }
    const deny = { socketForwardingMode: 'enable', socketForwardingDeny: ['/run/root.sock'] }
    const to = (forwarding: Written, path: string) => dial({ forwarding }, { kind: 'unix', path })
    assert.equal(to(allow, '/run/app/a.sock'), undefined)
    assert.notEqual(to(allow, '/run/app/../root.sock'), undefined)
    assert.equal(to(deny, '/run/app/a.sock'), undefined)
    for (const path of ['/run/root.sock', '/run//root.sock', '/run/./root.sock', '/run/app/../root.sock']) {
      assert.notEqual(to(deny, path), undefined, path)
    }
  })
})

describe('what the credential forbids', () => {
  const forwarding = {
    ...{ forwardingMode: 'enable', reverseForwardingMode: 'enable', socketForwardingMode: 'enable' },
    ...{ socketListenMode: 'enable', x11ForwardingMode: 'enable', agentForwardingMode: 'enable' },
  }
  const tcp = { kind: 'tcp', host: 'h', port: 1 } as const
  const unix = { kind: 'unix', path: '/s' } as const

  test('is refused however open the configuration is, and the record says so', () => {
    const closed = { pty: false, portForwarding: false, agentForwarding: false, x11Forwarding: false }
    assert.equal(ruleOf(ask({}, unlisted.tty.request, closed)), 'credential no-pty')
    for (const place of [tcp, unix]) {
      assert.equal(ruleOf(dial({ forwarding }, place, closed)), 'credential no-port-forwarding')
      assert.equal(ruleOf(listen({ forwarding }, place, closed)), 'credential no-port-forwarding')
    }
    assert.equal(ruleOf(ask({ forwarding }, { kind: 'x11-req', x11 }, closed)), 'credential no-X11-forwarding')
    const agent = { kind: 'auth-agent-req@openssh.com' } as const
    assert.equal(ruleOf(ask({ forwarding }, agent, closed)), 'credential no-agent-forwarding')
  })

  test('and nothing else is: what it allows does not open what the configuration closes', () => {
    assert.equal(ask({}, unlisted.tty.request, unrestricted), undefined)
    assert.equal(dial({ forwarding }, tcp, unrestricted), undefined)
    assert.equal(listen({ forwarding }, unix, unrestricted), undefined)
    assert.equal(ruleOf(dial({}, tcp, unrestricted)), 'security.forwarding.forwardingMode=disable')
    assert.equal(
      ruleOf(ask({ tty: { mode: 'disable' } }, unlisted.tty.request, unrestricted)),
      'security.tty.mode=disable',
    )
  })
})

describe('a forced command', () => {
  const original = { kind: 'env', name: 'SSH_ORIGINAL_COMMAND', value: 'x' } as const
  test('does not let the client set the variable that it relies on', () => {
    assert.equal(ask({}, original), undefined)
    assert.equal(ruleOf(ask({ forceCommand: 'x' }, original)), 'security.forceCommand')
    const restrictions = { ...unrestricted, forceCommand: 'x' }
    assert.equal(ruleOf(ask({ env: { mode: 'enable' } }, original, restrictions)), 'credential force-command')
  })

  test('that is blank becomes no shell', () => {
    const restrictions = { ...unrestricted, forceCommand: ' ' }
    for (const request of [
      { kind: 'shell' },
      { kind: 'exec', command: 'x' },
      { kind: 'subsystem', name: 'sftp' },
    ] as const) {
      assert.equal(ruleOf(ask({}, request, restrictions)), 'credential force-command is empty')
    }
  })
})

test('a blank command is a shell, and must pass where shells must', () => {
  for (const command of ['', ' ', '\n']) {
    assert.equal(ask({}, { kind: 'exec', command }), undefined)
    assert.equal(ask({ shell: { mode: 'disable' } }, { kind: 'exec', command })?.code, 'SECURITY_SHELL_REJECTED')
    assert.equal(ask({ command: { mode: 'disable' } }, { kind: 'exec', command })?.code, 'SECURITY_EXEC_REJECTED')
  }
  assert.equal(ask({ shell: { mode: 'disable' } }, { kind: 'exec', command: 'id' }), undefined)
})

describe('permitopen and permitlisten of a credential', () => {
  const open = { forwarding: { forwardingMode: 'enable', reverseForwardingMode: 'enable' } }
  const socketsToo = {
    forwarding: { ...open.forwarding, socketForwardingMode: 'enable', socketListenMode: 'enable' },
  }
  const tcp = (host: string, port: number) => ({ kind: 'tcp', host, port }) as const
  const unix = { kind: 'unix', path: '/run/x' } as const

  test('let through what they name, and nothing else', () => {
    const permitOpen = [{ host: 'db', port: 5432 }, { host: '::1' }, { host: '*', port: 80 }]
    const rule = (target: Target) => ruleOf(dial(socketsToo, target, { ...unrestricted, permitOpen }))
    for (const target of [tcp('db', 5432), tcp('::1', 7), tcp('any', 80)]) assert.equal(rule(target), undefined)
    for (const target of [tcp('db', 5433), tcp('DB', 5432), tcp('::2', 7), unix]) {
      assert.equal(rule(target), 'credential permitopen')
    }
    const permitListen = [{ host: 'localhost', port: 8080 }, { host: '10.*' }, { host: '*', port: 9090 }]
    const doorRule = (door: Door) => ruleOf(listen(socketsToo, door, { ...unrestricted, permitListen }))
    for (const door of [tcp('LocalHost', 8080), tcp('10.1.1.1', 1), tcp('10.1.1.1', 0), tcp('', 9090)]) {
      assert.equal(doorRule(door), undefined)
    }
    for (const door of [tcp('localhost', 0), tcp('localhost', 8081), tcp('11.1.1.1', 1), unix]) {
      assert.equal(doorRule(door), 'credential permitlisten')
    }
  })

  test('open nothing that the section has closed, and empty lists close everything', () => {
    const named = { ...unrestricted, permitOpen: [{ host: '*' }], permitListen: [{ host: '*' }] }
    assert.notEqual(dial({}, tcp('db', 1), named), undefined)
    assert.notEqual(listen({}, tcp('db', 1), named), undefined)
    assert.equal(dial(open, tcp('db', 1), named), undefined)
    const empty = { ...unrestricted, permitOpen: [], permitListen: [] }
    assert.equal(ruleOf(dial(open, tcp('db', 1), empty)), 'credential permitopen')
    assert.equal(ruleOf(listen(open, tcp('db', 1), empty)), 'credential permitlisten')
  })

  test('other options that forbid forwarding come first, and X11 and the agent are not touched', () => {
    const both = { ...unrestricted, portForwarding: false, permitOpen: [{ host: '*' }] }
    assert.equal(ruleOf(dial(open, tcp('db', 1), both)), 'credential no-port-forwarding')
    const x11Only = { forwarding: { x11ForwardingMode: 'enable' } }
    assert.equal(listen(x11Only, { kind: 'x11', x11 }, { ...unrestricted, permitListen: [] }), undefined)
  })
})
