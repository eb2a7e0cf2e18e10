import assert from 'node:assert/strict'
import { test } from 'node:test'
import { dumpConfig } from '../../../src/shared/config/dump.ts'
import { ConfigErrors, parseConfig } from '../../../src/shared/config/load.ts'
import { defaults } from '../../../src/shared/config/schema.ts'

const hash = '$argon2id$v=19$m=8,t=1,p=1$AAECAwQFBgcICQoLDA0ODw$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'
const users = `auth: {users: [{name: alice, passwordHash: "${hash}"}]}\n`
const load = async (security: string) => (await parseConfig('c.yaml', `security: ${security}\n${users}`)).config
const errors = async (source: string, file = 'c.yaml'): Promise<readonly string[]> => {
  try {
    await parseConfig(file, source)
    return []
  } catch (error) {
    assert.ok(error instanceof ConfigErrors, String(error))
    return error.lines
  }
}

const everything = `
  defaultMode: filter
  forceCommand: /bin/menu
  env: {mode: enable, allow: [], deny: [LD_PRELOAD, {glob: "LD_*"}]}
  command: {mode: filter, allow: [uptime, {regex: "git (status|log)"}], deny: [{glob: "*;*"}]}
  shell: {mode: disable}
  subsystem: {mode: filter, allow: [sftp], deny: []}
  forwarding:
    reverseForwardingMode: filter
    forwardingMode: filter
    socketForwardingMode: filter
    socketListenMode: enable
    x11ForwardingMode: enable
    agentForwardingMode: enable
    reverseForwardingAllow: ["localhost:8000-8999"]
    reverseForwardingDeny: ["*:8443"]
    forwardingAllow: ["*.example.com:443", "10.0.0.0/8:*", "[2001:db8::/32]:22"]
    forwardingDeny: ["10.0.0.1:*"]
    socketForwardingAllow: [/run/app.sock, {glob: "/run/app/*.sock"}]
    socketForwardingDeny: [/run/app/root.sock]
    socketListenAllow: [/tmp/a]
    socketListenDeny: [{regex: "/etc/.*"}]
  tty: {mode: enable}
  signal: {mode: enable, allow: [], deny: [KILL]}
  maxSessions: 3
  maxRefusals: 7`

test('every option of the security section is read, and a dump of it loads to the same', async () => {
  const loaded = await load(everything)
  const { security } = loaded
  assert.deepEqual(security.command, {
    mode: 'filter',
    allow: ['uptime', { regex: 'git (status|log)' }],
    deny: [{ glob: '*;*' }],
  })
  assert.deepEqual(security.forwarding.forwardingAllow, ['*.example.com:443', '10.0.0.0/8:*', '[2001:db8::/32]:22'])
  assert.equal(security.forwarding.agentForwardingMode, 'enable')
  assert.deepEqual([security.maxSessions, security.maxRefusals], [3, 7])
  // Nothing of it was left at its default without anybody noticing.
  const preset = defaults().security
  for (const key of Object.keys(preset) as (keyof typeof preset)[]) assert.notDeepEqual(security[key], preset[key], key)
  for (const key of Object.keys(preset.forwarding) as (keyof typeof preset.forwarding)[]) {
    assert.notDeepEqual(security.forwarding[key], preset.forwarding[key], key)
  }
  const dumped = await parseConfig('d.yaml', dumpConfig(loaded, { showSecrets: true }))
  assert.deepEqual(dumped.config, loaded)
})

test('by default forwarding is closed, everything else is open, and there is no limit to sessions', () => {
  const { security } = defaults()
  for (const key of Object.keys(security.forwarding) as (keyof typeof security.forwarding)[]) {
    assert.deepEqual(security.forwarding[key], key.endsWith('Mode') ? 'disable' : [], key)
  }
  for (const block of ['env', 'command', 'shell', 'subsystem', 'tty', 'signal'] as const) {
    assert.equal(security[block].mode, '', block)
  }
  assert.deepEqual(
    [security.defaultMode, security.forceCommand, security.maxSessions, security.maxRefusals],
    ['', '', -1, 100],
  )
})

test('no session at all can be asked for, and null is no limit', async () => {
  assert.equal((await load('{maxSessions: 0}')).security.maxSessions, 0)
  assert.equal((await load('{maxSessions: ~}')).security.maxSessions, -1)
})

test('texts of old files that look like patterns stay texts', async () => {
  const { security } = await load('{env: {allow: ["LC_*", "glob:x", "regex:(", 012]}}')
  assert.deepEqual(security.env.allow, ['LC_*', 'glob:x', 'regex:(', '012'])
})

test('JSON takes patterns too, with keys of any case', async () => {
  const source = JSON.stringify({ security: { env: { Allow: ['A', { Glob: 'B*' }] } } })
  const { config } = await parseConfig('c.json', source, { onlyParse: true })
  assert.deepEqual(config.security.env.allow, ['A', { glob: 'B*' }])
})

const modes = 'expected one of enable, filter, disable'
const wrong: readonly (readonly [source: string, line: string])[] = [
  ...['defaultMode: {}', 'env: {mode: {}}', 'command: {mode: {}}', 'shell: {mode: {}}', 'subsystem: {mode: {}}']
    .concat(['tty: {mode: {}}', 'signal: {mode: {}}'])
    .map((block) => {
      const option = block.replace(': {mode: {}}', '.mode').replace(': {}', '')
      return [`{${block.replace('{}', 'deny')}}`, `security.${option}: "deny" is not known; ${modes}`] as const
    }),
  ...[
    'forwardingMode',
    'reverseForwardingMode',
    'socketForwardingMode',
    'socketListenMode',
    'x11ForwardingMode',
    'agentForwardingMode',
  ].map(
    (key) =>
      [`{forwarding: {${key}: disabled}}`, `security.forwarding.${key}: "disabled" is not known; ${modes}`] as const,
  ),
  ['{forceCommand: "  "}', 'security.forceCommand: "  " is blank; expected a command'],
  [
    '{env: {allow: [A, {regex: "("}]}}',
    'security.env.allow[1].regex: "(" is not a regular expression in RE2 syntax (missing closing ): `(`)',
  ],
  ['{command: {deny: [{glob: ""}]}}', 'security.command.deny[0].glob: "" is empty; expected a pattern'],
  [
    '{signal: {allow: [{glob: a, regex: b}]}}',
    'security.signal.allow[0]: a mapping has not exactly one of glob and regex; expected "text", {glob: "…"} or {regex: "…"}',
  ],
  [
    '{subsystem: {deny: [[sftp]]}}',
    'security.subsystem.deny[0]: a list is neither a text nor a pattern; expected "text", {glob: "…"} or {regex: "…"}',
  ],
  [
    '{forwarding: {socketListenDeny: [{regex: "(?=a)"}]}}',
    'security.forwarding.socketListenDeny[0].regex: "(?=a)" is not a regular expression in RE2 syntax (invalid or unsupported Perl syntax: `(?=`)',
  ],
  [
    '{forwarding: {forwardingAllow: ["a:1", "::1:22"]}}',
    'security.forwarding.forwardingAllow[1]: "::1:22" has an IPv6 address without brackets; expected e.g. "[2001:db8::1]:443"',
  ],
  [
    '{forwarding: {reverseForwardingDeny: ["*:99999"]}}',
    'security.forwarding.reverseForwardingDeny[0]: "*:99999" has no port that can be; expected a number up to 65535, a range such as 8000-8999, or *',
  ],
  ['{maxSessions: -2}', 'security.maxSessions: -2 is not accepted; expected a whole number of -1 or more'],
  ['{maxRefusals: -1}', 'security.maxRefusals: -1 is not accepted; expected a whole number from 0 to 1000000'],
]
for (const [source, line] of wrong) {
  test(`security: ${source} is refused with one line that names place, value and what was expected`, async () => {
    const lines = await errors(`security: ${source}\n${users}`)
    assert.deepEqual(
      lines.map((text) => text.replace(/^c\.yaml:1:\d+: /, '')),
      [line],
    )
  })
}
