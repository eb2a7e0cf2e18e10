import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { parse } from 'yaml'
import { migrateConfig } from '../../../src/primary/migrate-config.ts'
import { ConfigErrors, type Loaded, parseConfig } from '../../../src/shared/config/load.ts'
import type { Config } from '../../../src/shared/config/schema.ts'

const folder = mkdtempSync(join(tmpdir(), 'migrate-'))
after(() => rmSync(folder, { recursive: true }))

let files = 0
const write = (source: string, suffix = 'yaml'): string => {
  files += 1
  const path = join(folder, `${files}.${suffix}`)
  writeFileSync(path, source)
  return path
}
const migrated = async (source: string, suffix?: string): Promise<string> =>
  (await migrateConfig(write(source, suffix))).text
const parsed = (source: string, file = 'c.yaml'): Promise<Loaded> => parseConfig(file, source, { onlyParse: true })
const codes = ({ deprecations }: Loaded): string[] => deprecations.map(({ record }) => record.code)

test('listen becomes ssh.listen, with a warning that shows the new form', async () => {
  const loaded = await parsed('listen: 127.0.0.1:22\nssh: {banner: x}\n')
  assert.equal(loaded.config.ssh.listen, '127.0.0.1:22')
  assert.deepEqual(codes(loaded), ['CONFIG_LISTEN_DEPRECATED'])
  assert.equal(loaded.deprecations[0]?.line, 'c.yaml:1:1: listen: is deprecated; write ssh: {listen: "127.0.0.1:22"}')
})

test('an ssh.listen of its own wins over listen, its default does not', async () => {
  const own = await parsed('listen: ":1"\nssh: {listen: ":2"}\n')
  assert.equal(own.config.ssh.listen, ':2')
  assert.match(own.deprecations[0]?.line ?? '', /is deprecated and has no effect; ssh\.listen takes precedence/)
  assert.equal((await parsed('listen: ":1"\nssh: {listen: "0.0.0.0:2222"}\n')).config.ssh.listen, ':1')
  const empty = await parsed('listen: ""\n')
  assert.deepEqual([empty.config.ssh.listen, codes(empty)], ['0.0.0.0:2222', []])
})

test('dockerrun becomes a docker backend with a container for each session', async () => {
  const source = `backend: dockerrun
dockerrun:
  host: unix:///x.sock
  config:
    container: {image: busybox, workingdir: /w}
    host: {resources: {memory: 5}}
    containername: me
    subsystems: {sftp: /sftp}
    timeout: 5s
`
  const loaded = await parsed(source)
  const { backend, docker, security } = loaded.config
  assert.equal(backend, 'docker')
  assert.equal(docker.connection.host, 'unix:///x.sock')
  const { container, host, containername, mode, disableAgent, shellCommand, imagePullPolicy } = docker.execution
  assert.deepEqual(
    { container, host, containername, mode, disableAgent, shellCommand, imagePullPolicy },
    {
      container: { Image: 'busybox', WorkingDir: '/w' },
      host: { Memory: 5 },
      containername: 'me',
      mode: 'session',
      disableAgent: true,
      shellCommand: [],
      imagePullPolicy: 'Always',
    },
  )
  assert.deepEqual(docker.execution.subsystems, { sftp: '/sftp' })
  assert.deepEqual(new Set(Object.values(docker.timeouts)), new Set([5000]))
  assert.equal(security.command.mode, '')
  assert.deepEqual(codes(loaded), ['DOCKERRUN_DEPRECATED'])
  assert.match(loaded.deprecations[0]?.record.message ?? '', /containerssh\.io\/deprecations\/dockerrun/)
  assert.match(loaded.deprecations[0]?.line ?? '', /^c\.yaml:2:1: dockerrun: is deprecated; write backend: docker/)
})

test('disableCommand stays what it was until the file is migrated: then security says it', async () => {
  const beside = 'security: {command: {mode: enable}, tty: {mode: disable}}\n'
  const modes = ({ security }: Config): string[] =>
    [security.command, security.subsystem, security.tty, security.shell].map(({ mode }) => mode)
  for (const [source, isDisabled] of [
    [
      'backend: dockerrun\ndockerrun: {config: {disableCommand: true}}\n',
      ({ docker }: Config) => docker.execution.disableCommand,
    ],
    [
      'backend: kuberun\nkuberun: {pod: {disableCommand: true}}\n',
      ({ kubernetes }: Config) => kubernetes.pod.disableCommand,
    ],
  ] as const) {
    const old = (await parsed(source + beside)).config
    assert.deepEqual([isDisabled(old), modes(old)], [true, ['enable', '', 'disable', '']])
    const today = (await parsed((await migrateConfig(write(source + beside))).text)).config
    assert.deepEqual([isDisabled(today), modes(today)], [false, ['disable', 'disable', 'disable', '']])
  }
})

test('a file of 0.3 that names no backend and has a dockerrun section means dockerrun', async () => {
  const { config } = await parsed('dockerrun: {host: tcp://x:1}\n')
  assert.deepEqual([config.docker.connection.host, config.docker.execution.mode], ['tcp://x:1', 'session'])
})

test('a legacy section that is not in use has no effect, and neither has the new one beside one in use', async () => {
  const unused = await parsed('backend: docker\ndockerrun: {host: tcp://x:1}\nkuberun: {}\n')
  assert.equal(unused.config.docker.connection.host, 'unix:///var/run/docker.sock')
  assert.deepEqual(unused.warnings, [
    'c.yaml:2:1: dockerrun: has no effect and is no longer known, because backend is docker',
    'c.yaml:3:1: kuberun: has no effect and is no longer known, because backend is docker',
  ])
  const beside = await parsed('backend: dockerrun\ndocker: {connection: {host: tcp://x:1}}\n')
  assert.equal(beside.config.docker.connection.host, 'unix:///var/run/docker.sock')
  assert.deepEqual(beside.warnings, ['c.yaml:2:1: docker: has no effect next to dockerrun'])
})

const kuberun = `backend: kuberun
kuberun:
  connection:
    host: k8s.example.com
    insecure: true
    bearerToken: t
    timeout: 3s
  pod:
    namespace: ns
    consoleContainerNumber: 0
    podSpec:
      volumes:
        - name: home
          volumesource: {hostpath: {path: /home}}
      containers:
        - image: busybox
          volumemounts: [{name: home, mountpath: /home}]
          livenessprobe: {handler: {exec: {command: [ls]}}, perioDSeconds: 5}
          env: [{name: A, valuefrom: {secretkeyref: {localobjectreference: {name: s}, key: k}}}]
          resources: {limits: {memory: 128Mi}}
      nodeselector: {MyLabel: x}
      nonsense: 1
    subsystems: {sftp: /sftp}
  timeout: 7s
`

test('kuberun becomes a kubernetes backend, its pod in the spelling of the API', async () => {
  const loaded = await parsed(kuberun)
  const { backend, kubernetes } = loaded.config
  assert.equal(backend, 'kubernetes')
  const { host, insecure, bearerToken } = kubernetes.connection
  assert.deepEqual([host, insecure, bearerToken], ['k8s.example.com', true, 't'])
  const { mode, disableAgent, shellCommand, subsystems, metadata, spec } = kubernetes.pod
  assert.deepEqual([mode, disableAgent, shellCommand, subsystems], ['session', true, [], { sftp: '/sftp' }])
  assert.deepEqual(metadata, { generateName: 'containerssh-', namespace: 'ns' })
  assert.deepEqual(spec, {
    volumes: [{ name: 'home', hostPath: { path: '/home' } }],
    containers: [
      {
        image: 'busybox',
        name: 'shell',
        volumeMounts: [{ name: 'home', mountPath: '/home' }],
        livenessProbe: { exec: { command: ['ls'] }, periodSeconds: 5 },
        env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } }],
        resources: { limits: { memory: '128Mi' } },
      },
    ],
    nodeSelector: { MyLabel: 'x' },
  })
  const { http, ...others } = kubernetes.timeouts
  assert.deepEqual([http, ...Object.values(others)], [3000, 7000, 7000, 7000, 7000, 7000])
  assert.deepEqual(codes(loaded), ['KUBERUN_DEPRECATED', 'KUBERUN_INSECURE'])
  assert.match(loaded.deprecations[1]?.record.message ?? '', /k8s\.example\.com is not verified/)
  assert.deepEqual(loaded.warnings, [
    'c.yaml:22:7: kuberun.pod.podSpec.nonsense: is not a key of the Kubernetes API that we know, and is left out',
  ])
})

test('the agent of kuberun is off unless it is enabled by name', async () => {
  const agent = async (pod: string): Promise<boolean> =>
    (await parsed(`backend: kuberun\nkuberun: {pod: {${pod}}}\n`)).config.kubernetes.pod.disableAgent
  assert.equal(await agent('disableAgent: false'), true)
  assert.equal(await agent('disableAgent: true'), true)
  assert.equal(await agent('enableAgent: true'), false)
})

test('unknown options of a legacy section point to the page about it', async () => {
  const errors = async (source: string): Promise<readonly string[]> => {
    try {
      await parsed(source)
      return []
    } catch (error) {
      assert.ok(error instanceof ConfigErrors)
      return error.lines
    }
  }
  assert.deepEqual(await errors('backend: dockerrun\ndockerrun: {hots: x}\n'), [
    'c.yaml:2:13: dockerrun.hots: is not a known option; did you mean host?; see https://containerssh.io/deprecations/dockerrun',
  ])
  assert.deepEqual(await errors('backend: kuberun\nkuberun: {pod: {podspec: {}, foo: 1}, connection: 5}\n'), [
    'c.yaml:2:30: kuberun.pod.foo: is not a known option; see https://containerssh.io/deprecations/kuberun',
    'c.yaml:2:51: kuberun.connection: is not a mapping; see https://containerssh.io/deprecations/kuberun',
  ])
  assert.deepEqual(await errors('backend: dockerrun\ndockerrun: [x]\n'), ['c.yaml:2:12: dockerrun: is not a mapping'])
})

test('what is wrong in an old form is named as it stands in the file', async () => {
  const source = `listen: [x]
auth: {url: "http://x", timeout: 5x}
dockerrun: {host: [x], config: {timeout: 7x, container: {Image: []}}}
`
  await assert.rejects(parsed(source), (error: unknown) => {
    assert.ok(error instanceof ConfigErrors)
    assert.deepEqual(error.lines, [
      'c.yaml:1:9: listen: a list is not a text',
      'c.yaml:2:34: auth.timeout: "5x" is not a duration; expected e.g. "30s", "1m30s"',
      'c.yaml:3:19: dockerrun.host: a list is not a text',
      'c.yaml:3:42: dockerrun.config.timeout: "7x" is not a duration; expected e.g. "30s", "1m30s"',
      'c.yaml:3:65: dockerrun.config.container.Image: a list is not a text',
    ])
    return true
  })
})

test('migrate-config keeps comments, order and spelling, and moves what has moved', async () => {
  const source = `# My server, since 2019.

# where it listens
listen: 0.0.0.0:22 # for all

# who may come
auth:
  # the hook
  url: http://x   # internal
  timeout: 5s
  password: true

  pubkey: false
log: {level: debug} # noisy
ssh:
    # a number, as text
    banner: 0123
    hostkeys: ["/etc/key"]
# bye
`
  assert.equal(
    await migrated(source),
    `# My server, since 2019.

# who may come
auth:
  password:
    method: webhook
    webhook:
      # the hook
      url: http://x # internal
      timeout: 5s
log: {level: debug} # noisy
ssh:
  # a number, as text
  banner: 0123
  hostkeys: ["/etc/key"]
  # where it listens
  listen: 0.0.0.0:22 # for all

# bye
`,
  )
})

const old: readonly (readonly [name: string, source: string, suffix?: string])[] = [
  ['listen', 'listen: ":1"\n'],
  ['a webhook', 'auth: {url: "http://x", timeout: 3s, authTimeout: 9s, password: false}\n'],
  [
    'a webhook beside a newer one',
    'auth: {url: "http://x", password: {method: webhook, webhook: {url: "http://y"}}}\n',
  ],
  ['dockerrun', 'backend: dockerrun\ndockerrun: {config: {disableCommand: false, timeout: 3000000000}}\n'],
  ['an implied dockerrun', '# c\ndockerrun:\n  config:\n    container: {image: x}\n'],
  ['kuberun', kuberun],
  ['an unused section', 'backend: docker\nkuberun: {}\nlog: {level: info}\n'],
  [
    'aliases that stay',
    'auth: {url: &u "http://x"}\nconfigserver: {timeout: &t 3s, url: *u}\nhealth: {client: {timeout: *t}}\n',
  ],
  ['merge keys', 'listen: ":1"\nmetrics: &m {tlsVersion: "1.2"}\nhealth: {<<: *m, enable: false}\n'],
  ['an alias whose target is gone', 'dockerrun: {cert: &x a}\nbackend: docker\nssh: {banner: *x}\n'],
  [
    'JSON',
    '{"Listen": ":1", "AUTH": {"URL": "http://x", "Pubkey": false}, "SSH": {"Banner": "5", "loginGrace": 5000000000}}',
    'json',
  ],
  ['JSON of dockerrun', '{"Backend": "dockerrun", "dockerRun": {"Config": {"container": {"Image": "true"}}}}', 'json'],
]
for (const [name, source, suffix] of old) {
  test(`${name}: what migrate-config prints means the same, and needs no migration`, async () => {
    const before = await parsed(source, `c.${suffix ?? 'yaml'}`)
    const { text, warnings } = await migrateConfig(write(source, suffix))
    assert.ok(warnings.length > 0)
    const after = await parsed(text)
    assert.deepEqual([after.warnings, after.deprecations], [[], []])
    assert.deepEqual(after.config, before.config)
    assert.ok(!('listen' in (parse(text) as object)))
  })
}

test('a file that is in the form of today is printed as it stands', async () => {
  const source = "# c\nssh:   {banner:  'x'} # d\n"
  assert.equal(await migrated(source), source)
})

test('a file that cannot be used is not printed, its errors are', async () => {
  await assert.rejects(migrateConfig(write('lisen: x\n')), (error: unknown) => {
    assert.ok(error instanceof ConfigErrors)
    assert.match(error.lines.join(), /lisen: is not a known option/)
    return true
  })
})
