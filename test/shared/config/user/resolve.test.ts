import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { Fault } from '../../../../src/shared/codes/fault.ts'
import { type Config, defaults, schema } from '../../../../src/shared/config/schema.ts'
import { createUserConfigs } from '../../../../src/shared/config/user/index.ts'
import { type Resolved, type Rules, resolve } from '../../../../src/shared/config/user/resolve.ts'
import { zeroConfig, zeroConfigWithLaunch, zeroOfSchema } from './documents.ts'

const rules: Rules = { rooms: ['docker'], merge: 'nonzero', ignoreOtherOptions: false }
/** `written`: in the form of the schema's output. */
const fileOf = (written: object = {}): Config => schema.parse(written)
const resolved = (written: object, answer: unknown, more: Partial<Rules> = {}): Resolved =>
  resolve(fileOf(written), answer, { ...rules, ...more })
function configOf(written: object, answer: unknown, more: Partial<Rules> = {}): Config {
  const found = resolved(written, answer, more)
  assert.ok('config' in found, 'problems' in found ? found.problems.join('\n') : '')
  return found.config
}
const execution = (value: object) => ({ docker: { execution: value } })
const container = (value: object) => execution({ container: value })
const lineOf = ({ code, cause }: Fault): string => `${code} ${String(cause)}`
/** The option at a dotted path. */
const at = (config: object, path: string): unknown =>
  path.split('.').reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], config)

/** What the file has, what the server answers, which option is looked at, what it is then. */
type Row = readonly [rule: string, file: object, answer: object, path: string, expected: unknown]
const nonzero: readonly Row[] = [
  [
    'an object goes field by field',
    container({ Image: 'a', User: 'u' }),
    container({ image: 'b' }),
    'docker.execution.container',
    { Image: 'b', User: 'u' },
  ],
  [
    'what the answer does not name stays',
    { security: { forceCommand: 'x' } },
    { security: { maxSessions: 3 } },
    'security.forceCommand',
    'x',
  ],
  ['a text replaces', {}, { security: { forceCommand: 'y' } }, 'security.forceCommand', 'y'],
  [
    'an empty text does not',
    { security: { forceCommand: 'x' } },
    { security: { forceCommand: '' } },
    'security.forceCommand',
    'x',
  ],
  ['a number replaces', {}, { security: { maxSessions: 7 } }, 'security.maxSessions', 7],
  ['0 does not', { security: { maxSessions: 7 } }, { security: { maxSessions: 0 } }, 'security.maxSessions', 7],
  ['-1 lifts a limit', { security: { maxSessions: 7 } }, { security: { maxSessions: -1 } }, 'security.maxSessions', -1],
  ['true replaces', {}, execution({ disableAgent: true }), 'docker.execution.disableAgent', true],
  [
    'false does not',
    execution({ disableAgent: true }),
    execution({ disableAgent: false }),
    'docker.execution.disableAgent',
    true,
  ],
  ['a mode replaces', {}, { security: { tty: { mode: 'disable' } } }, 'security.tty.mode', 'disable'],
  ['a log level replaces', {}, { log: { level: 'debug' } }, 'log.level', 'debug'],
  ['emerg, the zero level, does not', { log: { level: 'info' } }, { log: { level: 'emerg' } }, 'log.level', 'info'],
  ['nor does its number', { log: { level: 'info' } }, { log: { level: 0 } }, 'log.level', 'info'],
  [
    'a list replaces as a whole',
    execution({ shellCommand: ['a', 'b'] }),
    execution({ shellCommand: ['c'] }),
    'docker.execution.shellCommand',
    ['c'],
  ],
  [
    'an empty list does not',
    execution({ shellCommand: ['a'] }),
    execution({ shellCommand: [] }),
    'docker.execution.shellCommand',
    ['a'],
  ],
  [
    'nor does null',
    execution({ shellCommand: ['a'] }),
    execution({ shellCommand: null }),
    'docker.execution.shellCommand',
    ['a'],
  ],
  [
    'a map goes key by key: same key',
    execution({ subsystems: { sftp: 'a' } }),
    execution({ subsystems: { sftp: 'b' } }),
    'docker.execution.subsystems',
    { sftp: 'b' },
  ],
  [
    'a map goes key by key: new key',
    execution({ subsystems: { sftp: 'a' } }),
    execution({ subsystems: { x: 'b' } }),
    'docker.execution.subsystems',
    { sftp: 'a', x: 'b' },
  ],
  [
    'an empty map removes nothing',
    execution({ subsystems: { sftp: 'a' } }),
    execution({ subsystems: {} }),
    'docker.execution.subsystems',
    { sftp: 'a' },
  ],
  [
    'the empty text is a value in a map',
    container({ Image: 'a', Labels: { l: 'x' } }),
    container({ labels: { l: '' } }),
    'docker.execution.container.Labels',
    { l: '' },
  ],
  [
    'an absent object is taken over',
    {},
    execution({ host: { networkmode: 'none' } }),
    'docker.execution.host',
    { NetworkMode: 'none' },
  ],
  [
    'without its zero values',
    {},
    execution({
      host: {
        NetworkMode: 'none',
        Binds: null,
        ConsoleSize: [0, 0],
        RestartPolicy: { Name: '', MaximumRetryCount: 0 },
      },
    }),
    'docker.execution.host',
    { NetworkMode: 'none' },
  ],
  [
    'a present one goes field by field',
    execution({ host: { NetworkMode: 'x', Memory: 5 } }),
    execution({ host: { Memory: 6 } }),
    'docker.execution.host',
    { NetworkMode: 'x', Memory: 6 },
  ],
  [
    'behind a pointer, false is set where nothing was',
    execution({ host: { NetworkMode: 'x' } }),
    execution({ host: { Init: false, PidsLimit: 0 } }),
    'docker.execution.host',
    { NetworkMode: 'x', Init: false, PidsLimit: 0 },
  ],
  [
    'and does not replace',
    execution({ host: { Init: true } }),
    execution({ host: { Init: false } }),
    'docker.execution.host',
    { Init: true },
  ],
  [
    'a map of empty objects is a map',
    container({ Image: 'a', ExposedPorts: { '1/tcp': {} } }),
    container({ ExposedPorts: { '2/tcp': {} } }),
    'docker.execution.container.ExposedPorts',
    { '1/tcp': {}, '2/tcp': {} },
  ],
  [
    'networks are added',
    execution({ network: { EndpointsConfig: { a: null } } }),
    execution({ network: { EndpointsConfig: { b: null } } }),
    'docker.execution.network.EndpointsConfig',
    { a: null, b: null },
  ],
  [
    'a list of containers is replaced with all their fields',
    {},
    { kubernetes: { pod: { spec: { containers: [{ name: 'x' }] } } } },
    'kubernetes.pod.spec',
    { containers: [{ name: 'x' }] },
  ],
  [
    'labels of a pod are added',
    { kubernetes: { pod: { metadata: { labels: { a: '1' } } } } },
    { kubernetes: { pod: { metadata: { labels: { b: '2' }, creationTimestamp: null } } } },
    'kubernetes.pod.metadata',
    { labels: { a: '1', b: '2' } },
  ],
  [
    'false behind a pointer of a pod is taken over',
    {},
    { kubernetes: { pod: { spec: { automountServiceAccountToken: false } } } },
    'kubernetes.pod.spec.automountServiceAccountToken',
    false,
  ],
  [
    'a duration may be nanoseconds',
    {},
    { docker: { timeouts: { signal: 5_000_000_000 } } },
    'docker.timeouts.signal',
    5000,
  ],
  ['or a text', {}, { docker: { timeouts: { signal: '5s' } } }, 'docker.timeouts.signal', 5000],
  [
    '0 is no duration',
    { docker: { timeouts: { signal: 7000 } } },
    { docker: { timeouts: { signal: 0 } } },
    'docker.timeouts.signal',
    7000,
  ],
  ['keys match in any case', {}, { SECURITY: { ForceCommand: 'y' } }, 'security.forceCommand', 'y'],
  [
    'both spellings of the name of a container do',
    {},
    execution({ containerName: 'n' }),
    'docker.execution.containername',
    'n',
  ],
  [
    'what the library writes below Launch stands beside it',
    {},
    execution({ Launch: { container: { Image: 'x' } } }),
    'docker.execution.container.Image',
    'x',
  ],
  [
    'patterns replace texts',
    { security: { command: { allow: ['a'] } } },
    { security: { command: { allow: [{ glob: 'b*' }] } } },
    'security.command.allow',
    [{ glob: 'b*' }],
  ],
  ['limits of the session are a user’s own', {}, { limits: { idleTimeout: '5m' } }, 'limits.idleTimeout', 300_000],
  [
    'a key __proto__ is a key',
    {},
    JSON.parse('{"docker":{"execution":{"subsystems":{"__proto__":"/x"}}}}'),
    'docker.execution.subsystems.sftp',
    '/usr/lib/openssh/sftp-server',
  ],
]
describe('an answer goes over the file: zero values are "not set"', () => {
  for (const [rule, file, answer, path, expected] of nonzero) {
    test(rule, () => assert.deepEqual(at(configOf(file, answer), path), expected))
  }
})

const present: readonly Row[] = [
  [
    'false replaces',
    execution({ disableAgent: true }),
    execution({ disableAgent: false }),
    'docker.execution.disableAgent',
    false,
  ],
  ['0 replaces', { security: { maxSessions: 7 } }, { security: { maxSessions: 0 } }, 'security.maxSessions', 0],
  [
    'an empty text replaces',
    { security: { forceCommand: 'x' } },
    { security: { forceCommand: '' } },
    'security.forceCommand',
    '',
  ],
  [
    'an empty list replaces',
    { security: { env: { allow: ['a'] } } },
    { security: { env: { allow: [] } } },
    'security.env.allow',
    [],
  ],
  ['emerg replaces', {}, { log: { level: 'emerg' } }, 'log.level', 'emerg'],
  [
    'null is the default',
    { security: { maxSessions: 7 } },
    { security: { maxSessions: null } },
    'security.maxSessions',
    -1,
  ],
  [
    'null removes a whole object',
    execution({ host: { Memory: 5 } }),
    execution({ host: null }),
    'docker.execution.host',
    undefined,
  ],
  [
    'null removes a key of a map',
    execution({ subsystems: { sftp: 'a', x: 'b' } }),
    execution({ subsystems: { x: null } }),
    'docker.execution.subsystems',
    { sftp: 'a' },
  ],
  [
    'null is the value of a network without settings',
    {},
    execution({ network: { EndpointsConfig: { b: null } } }),
    'docker.execution.network.EndpointsConfig',
    { b: null },
  ],
  [
    'null removes a whole section',
    { security: { maxSessions: 7, forceCommand: 'x' } },
    { security: null },
    'security.forceCommand',
    '',
  ],
  [
    'what is absent stays',
    { security: { maxSessions: 7 } },
    { security: { forceCommand: 'x' } },
    'security.maxSessions',
    7,
  ],
  ['a limit is lifted', { limits: { idleTimeout: 5000 } }, { limits: { idleTimeout: 0 } }, 'limits.idleTimeout', 0],
]
describe('an answer goes over the file: configserver.merge is present', () => {
  for (const [rule, file, answer, path, expected] of present) {
    test(rule, () => assert.deepEqual(at(configOf(file, answer, { merge: 'present' }), path), expected))
  }
})

// zod drops a key `__proto__` of a map, so that such a map is never what the answer says.
const key = fc.string().filter((text) => text !== '__proto__')
/** Files that differ from the defaults in every kind of value. */
const someFile = fc.record({
  security: fc.record({
    maxSessions: fc.integer({ min: -1, max: 99 }),
    forceCommand: fc.constantFrom('', 'x'),
    env: fc.record({ mode: fc.constantFrom('', 'enable', 'filter', 'disable'), allow: fc.array(fc.string()) }),
  }),
  docker: fc.record({
    execution: fc.record({
      container: fc.record({ Image: fc.string({ minLength: 1 }), Labels: fc.dictionary(key, fc.string()) }),
      host: fc.record({ Memory: fc.nat(), Init: fc.boolean(), CapAdd: fc.array(fc.string()) }),
      disableAgent: fc.boolean(),
      subsystems: fc.dictionary(key, fc.string()),
      shellCommand: fc.array(fc.string(), { minLength: 1 }),
    }),
    timeouts: fc.record({ signal: fc.integer({ min: 1, max: 60_000 }) }),
  }),
  sshproxy: fc.record({ port: fc.integer({ min: 1, max: 65_535 }), usernamePassThrough: fc.boolean() }),
  log: fc.record({ level: fc.constantFrom('emerg', 'error', 'debug') }),
  limits: fc.record({ idleTimeout: fc.integer({ min: 1000, max: 9000 }) }),
})
test('an answer that sets nothing gives the file itself: empty, or full of zero values', () => {
  const nothing = [{}, zeroConfig, zeroConfigWithLaunch, zeroOfSchema(), { security: {}, docker: { execution: {} } }]
  fc.assert(
    fc.property(someFile, fc.constantFrom(...nothing), (written, answer) => {
      const file = fileOf(written)
      const found = resolve(file, answer, rules)
      assert.ok('config' in found, JSON.stringify(found))
      assert.equal(found.config, file)
      assert.deepEqual(found.warnings, [])
    }),
    { numRuns: 200 },
  )
})

test('the same answer over what it gave changes nothing more', () => {
  fc.assert(
    fc.property(someFile, someFile, (written, other) => {
      const nanoseconds = { signal: other.docker.timeouts.signal * 1e6 }
      const limits = { idleTimeout: other.limits.idleTimeout * 1e6 }
      const answer = { ...other, docker: { ...other.docker, timeouts: nanoseconds }, limits }
      const once = configOf(written, answer)
      const twice = resolve(once, answer, rules)
      assert.ok('config' in twice)
      assert.equal(twice.config, once)
    }),
    { numRuns: 100 },
  )
})

describe('an answer that cannot be used is refused by name', () => {
  const wrong: readonly (readonly [answer: unknown, line: string | RegExp])[] = [
    [{ backend: 'foo' }, 'backend: "foo" is not known; expected one of docker'],
    [{ backend: 'kubernetes' }, 'backend: "kubernetes" is not supported by this version yet'],
    [
      { docker: { execution: { mode: 'sesion' } } },
      'docker.execution.mode: "sesion" is not known; expected one of connection, session',
    ],
    [
      { security: { tty: { mode: 'off' } } },
      'security.tty.mode: "off" is not known; expected one of enable, filter, disable',
    ],
    [{ security: { maxSesions: 5 } }, 'security.maxSesions: is not a known option; did you mean maxSessions?'],
    [{ security: { command: { allow: [{ regex: '(' }] } } }, /^security\.command\.allow\[0\]\.regex: /],
    [
      { security: { maxSessions: -2 } },
      'security.maxSessions: -2 is not accepted; expected a whole number of -1 or more',
    ],
    [
      { security: { maxSessions: '3' } },
      'security.maxSessions: "3" is not accepted; expected a whole number of -1 or more',
    ],
    [
      { docker: { execution: { disableAgent: '' } } },
      'docker.execution.disableAgent: "" is neither true nor false; expected true or false',
    ],
    [{ docker: { timeouts: { signal: 'soon' } } }, /^docker\.timeouts\.signal: "soon" is not a duration/],
    [
      { docker: { execution: { mode: 'session', host: { RestartPolicy: { Name: 'always' } } } } },
      'docker.execution.host.RestartPolicy.Name: "always" is not possible in session mode; expected "no"',
    ],
    [{ docker: 5 }, 'docker: 5 is not a mapping'],
    [{ docker: { execution: { auth: { password: 5 } } } }, 'docker.execution.auth.password: the value is not a text'],
    [{ log: { level: 'loud' } }, /^log\.level: "loud" is not a log level; expected one of emerg/],
    [{ limits: { idleTimeout: '10ms' } }, 'limits.idleTimeout: 10ms is too short; expected 0 (off) or 1s or more'],
    [{ ssh: { listen: '0.0.0.0:1' } }, 'ssh.listen: cannot be set per user; expected in the configuration file only'],
    [
      { auth: { password: { method: 'webhook' } } },
      'auth.password.method: cannot be set per user; expected in the configuration file only',
    ],
    [{ log: { file: '/x' } }, 'log.file: cannot be set per user; expected in the configuration file only'],
    [{ limits: { channels: 5 } }, 'limits.channels: cannot be set per user; expected in the configuration file only'],
    [{ workers: 5 }, 'workers: cannot be set per user; expected in the configuration file only'],
    [{ configVersion: '1' }, /^configVersion: is not a known option/],
    [5, 'it is not an object'],
    [[], 'it is not an object'],
  ]
  for (const [answer, line] of wrong) {
    test(JSON.stringify(answer), () => {
      const found = resolved({}, answer)
      assert.ok('problems' in found, JSON.stringify(found))
      const [first = ''] = found.problems
      if (typeof line === 'string') assert.equal(first, line)
      else assert.match(first, line)
      assert.ok(first.startsWith(found.option))
      assert.equal(found.problems.length, 1)
    })
  }

  test('all that is wrong is told at once', () => {
    const found = resolved({}, { backend: 'foo', security: { maxSessions: -5, x: 1 }, ssh: { banner: 'b' } })
    assert.ok('problems' in found)
    assert.deepEqual(
      found.problems.map((line) => line.slice(0, line.indexOf(':'))),
      ['security.x', 'ssh.banner', 'security.maxSessions'],
    )
  })

  test('a value is nested too deeply, or there are too many', () => {
    let deep: object = {}
    for (let i = 0; i < 200; i++) deep = { docker: deep }
    for (const [answer, text] of [
      [deep, 'it is nested too deeply'],
      [{ security: { env: { allow: Array.from({ length: 100_001 }, () => 'x') } } }, 'it has too many values'],
    ] as const) {
      const found = resolved({}, answer)
      assert.ok('problems' in found)
      assert.deepEqual(found.problems, [text])
    }
  })

  test('whatever JSON comes, it is an answer or a list of lines, never a crash', () => {
    const name = fc.constantFrom(
      'security',
      'docker',
      'execution',
      'container',
      'host',
      'limits',
      'ssh',
      'log',
      'level',
      'x',
    )
    const { tree } = fc.letrec<{ tree: unknown; leaf: unknown }>((tie) => ({
      leaf: fc.oneof(fc.integer(), fc.string(), fc.boolean(), fc.constant(null)),
      tree: fc.oneof(
        { maxDepth: 6 },
        tie('leaf'),
        fc.array(tie('tree'), { maxLength: 3 }),
        fc.dictionary(name, tie('tree'), { maxKeys: 4 }),
      ),
    }))
    fc.assert(
      fc.property(tree, fc.constantFrom('nonzero' as const, 'present' as const), (answer, merge) => {
        const found = resolved({}, answer, { merge })
        assert.ok('config' in found || found.problems.length > 0)
      }),
      { numRuns: 500 },
    )
  })
})

test('an option that is said as the file says it changes nothing, wherever it stands', () => {
  const file = fileOf({ ssh: { banner: 'b' }, docker: { timeouts: { signal: 7000 } } })
  const found = resolve(file, { ssh: { banner: 'b' }, docker: { timeouts: { signal: '7s' } } }, rules)
  assert.ok('config' in found)
  assert.equal(found.config, file)
})

test('on request, options that cannot be set per user are left alone, with a warning', () => {
  const answer = { ssh: { banner: 'b' }, security: { maxSessions: 3 } }
  const found = resolved({}, answer, { ignoreOtherOptions: true })
  assert.ok('config' in found)
  assert.deepEqual(found.warnings.map(lineOf), [
    'CONFIG_OPTION_IGNORED ssh.banner: cannot be set per user; expected in the configuration file only',
  ])
  assert.equal(found.config.ssh.banner, '')
  assert.equal(found.config.security.maxSessions, 3)
})

test('an answer in the form of 0.4 is translated, with a warning; its empty sections are nothing', () => {
  const answer = {
    listen: '',
    kuberun: { connection: { host: '' }, pod: { namespace: '', podSpec: { containers: null } }, timeout: 0 },
    dockerrun: { host: '', config: { container: { Image: 'old' }, disableCommand: false, timeout: 5_000_000_000 } },
    backend: 'dockerrun',
  }
  const found = resolved({}, answer)
  assert.ok('config' in found, JSON.stringify(found))
  const { execution, timeouts } = found.config.docker
  assert.deepEqual([execution.container.Image, execution.mode, execution.imagePullPolicy], ['old', 'session', 'Always'])
  assert.equal(timeouts.signal, 5000)
  assert.deepEqual(
    found.warnings.map(({ code }) => code),
    ['DOCKERRUN_DEPRECATED'],
  )
})

describe('settings of users', () => {
  const settings = (configs: ReturnType<typeof createUserConfigs>, answer: unknown) => {
    const found = configs.settingsFor(answer, (warning) => assert.fail(warning.message))
    assert.ok('settings' in found, 'problems' in found ? found.problems.join() : '')
    return found.settings
  }

  test('users with the same answer share one object, whatever sections are', () => {
    const configs = createUserConfigs(defaults(), ['docker'])
    const answer = () => ({ security: { maxSessions: 3 }, docker: { execution: { container: { image: 'x' } } } })
    assert.equal(settings(configs, answer()), settings(configs, answer()))
    const other = settings(configs, { ...answer(), limits: { idleTimeout: '1m' } })
    assert.notEqual(other, settings(configs, answer()))
    assert.equal(other.security, settings(configs, answer()).security)
    assert.equal(other.docker, settings(configs, answer()).docker)
  })

  test('a section that is not touched is the file’s', () => {
    const file = defaults()
    const own = settings(createUserConfigs(file, ['docker']), { security: { maxSessions: 3 } })
    assert.equal(own.docker, file.docker)
    assert.notEqual(own.security, file.security)
    assert.equal(own.limits, undefined)
  })

  test('all zero-valued answers give what everybody has', () => {
    const configs = createUserConfigs(defaults(), ['docker'])
    assert.equal(settings(configs, zeroConfig), settings(configs, {}))
    assert.equal(settings(configs, zeroConfigWithLaunch), settings(configs, {}))
  })

  test('they are frozen to the bottom, the sections of the file too', () => {
    const own = settings(createUserConfigs(defaults(), ['docker']), { security: { env: { allow: [{ glob: 'a*' }] } } })
    const isFrozen = (value: unknown): boolean =>
      typeof value !== 'object' || value === null || (Object.isFrozen(value) && Object.values(value).every(isFrozen))
    assert.ok(isFrozen(own))
  })

  test('only limits that differ from the file’s are a user’s own', () => {
    const file = schema.parse({ limits: { idleTimeout: 60_000 } })
    const own = settings(createUserConfigs(file, ['docker']), { limits: { idleTimeout: '1m', grace: '1s' } })
    assert.deepEqual(own.limits, { grace: 1000 })
  })

  test('a warning is told once per content', () => {
    const lines: string[] = []
    const configs = createUserConfigs(defaults(), ['docker'])
    for (let i = 0; i < 3; i++) {
      configs.settingsFor({ docker: { execution: { host: { NewKey: 1 } } } }, (warning) => lines.push(lineOf(warning)))
    }
    assert.deepEqual(lines, [
      'CONFIG_OPTION_IGNORED docker.execution.host.NewKey: is not a key of the Docker API that we know, passed on as written',
    ])
  })
})
