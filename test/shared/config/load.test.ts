import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { stringify } from 'yaml'
import { dumpConfig } from '../../../src/shared/config/dump.ts'
import { ConfigErrors, loadConfig, parseConfig } from '../../../src/shared/config/load.ts'
import { type Config, defaults } from '../../../src/shared/config/schema.ts'

const folder = mkdtempSync(join(tmpdir(), 'config-'))
after(() => rmSync(folder, { recursive: true }))
const here = (name: string): string => readFileSync(new URL(name, import.meta.url), 'utf8')

const hash = '$argon2id$v=19$m=8,t=1,p=1$AAECAwQFBgcICQoLDA0ODw$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'
const users = `auth: {users: [{name: alice, passwordHash: "${hash}"}]}\n`
const key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHtVWvScl65aQ3fNkTCq4wNi8Qd3dpT1CQ0v9lPz1a8y alice'

const config = async (source: string, file = 'c.yaml'): Promise<Config> => (await parseConfig(file, source)).config
const errors = async (source: string, file = 'c.yaml'): Promise<readonly string[]> => {
  try {
    await parseConfig(file, source)
    return []
  } catch (error) {
    assert.ok(error instanceof ConfigErrors, String(error))
    return error.lines
  }
}
/** With a user, so that only the named option is wrong; the user stands last and does not move lines. */
const errorsOf = (source: string) => errors(`${source}\n${users}`)

test('the defaults are these', () => {
  assert.equal(dumpConfig(defaults()), here('default.golden.yaml.txt'))
})

test('a file that the Go program dumped loads, with what this version cannot do left off', async () => {
  const source = here('reference-dump.yaml.txt').replace(
    'auth:\n',
    `auth:\n    users: [{name: a, passwordHash: "${hash}"}]\n`,
  )
  const loaded = await config(source)
  assert.deepEqual(loaded.ssh.kex, [
    'curve25519-sha256@libssh.org',
    'ecdh-sha2-nistp521',
    'ecdh-sha2-nistp384',
    'ecdh-sha2-nistp256',
  ])
  // The Go program's default; ours is another, but what is written counts.
  assert.equal(loaded.ssh.clientAliveInterval, 0)
  assert.equal(loaded.docker.execution.container.Image, 'containerssh/containerssh-guest-image')
  assert.equal(loaded.docker.timeouts.containerStart, 60_000)
})

test('a dump with secrets loads to the same configuration', async () => {
  const limits = 'limits: {idleTimeout: 0, warningText: bye, grace: 90s}'
  const sources = 'penalties: {exempt: ["::1"], authFail: 1500ms}, proxyProtocol: {trusted: ["2001:db8::/32"]}'
  const ssh = `ssh: {clientAliveInterval: 1m30s, hostkeys: [], ${sources}}`
  const loaded = await config(`${users.replace('}]}', `, ${limits}}]}`)}${ssh}\nworkers: 3\n`)
  assert.deepEqual(loaded.auth.users[0]?.limits, { idleTimeout: 0, warningText: 'bye', grace: 90_000 })
  assert.deepEqual(await config(dumpConfig(loaded, { showSecrets: true })), loaded)
})

test('limits of a user are checked like those of everybody', async () => {
  const source = (limits: string) => users.replace('}]}', `, limits: ${limits}}]}`)
  assert.match((await errors(source('{idleTimeout: 10ms}')))[0] ?? '', /limits\.idleTimeout: 10ms is too short/)
  assert.match((await errors(source('{idletimeout: 1s}')))[0] ?? '', /did you mean idleTimeout\?/)
  assert.match((await errors(source('{channels: 1}')))[0] ?? '', /limits\.channels: is not a known option/)
})

test('a dump without secrets holds none', async () => {
  const source = `${users}ssh: {hostkeys: [topsecret]}\nsshproxy: {password: topsecret, privateKey: topsecret}
docker: {execution: {container: {image: x}, auth: {username: u, password: topsecret, identitytoken: topsecret}}}
kubernetes: {connection: {bearerToken: topsecret}}\naudit: {s3: {secretKey: topsecret}}\n`
  const { config } = await parseConfig('c.yaml', source, { onlyParse: true })
  const dump = dumpConfig(config)
  assert.ok(!dump.includes('topsecret') && !dump.includes('argon2id'), dump)
})

test('every wrong place is one line with file, line, column, option, value and what was expected', async () => {
  const source = `ssh:
  clientAliveInterval: 5x
  clientAliveCountmax: 3
  kex: [foo]
log: {level: loud}
audit:
  storage: tape
workers: three
backend: dokcer
docker: {execution: {disableAgent: 5}}
auth: {users: [{name: a}]}
`
  assert.deepEqual(
    (await errors(source)).map((line) => line.replace(/expected one of .*/, 'expected …')),
    [
      'c.yaml:2:24: ssh.clientAliveInterval: "5x" is not a duration; expected e.g. "30s", "1m30s"',
      'c.yaml:3:3: ssh.clientAliveCountmax: is not a known option; did you mean clientAliveCountMax?',
      'c.yaml:4:9: ssh.kex[0]: "foo" is not known; expected …',
      'c.yaml:5:14: log.level: "loud" is not a log level; expected …',
      'c.yaml:7:12: audit.storage: "tape" is not known; expected …',
      'c.yaml:8:10: workers: "three" is not accepted; expected a whole number from 0 to 1024',
      'c.yaml:9:10: backend: "dokcer" is not known; expected …',
      'c.yaml:10:36: docker.execution.disableAgent: 5 is neither true nor false; expected true or false',
      'c.yaml:11:16: auth.users[0]: "a" could not log in; expected passwordHash or authorizedKeys',
    ],
  )
})

const wrong: readonly (readonly [source: string, line: string | RegExp])[] = [
  ['sssh: {}', 'c.yaml:1:1: sssh: is not a known option; did you mean ssh?'],
  ['ssh: 5', 'c.yaml:1:6: ssh: 5 is not a mapping'],
  ['ssh: []', 'c.yaml:1:6: ssh: a list is not a mapping'],
  ['ssh: {ciphers: aes128-ctr}', 'c.yaml:1:16: ssh.ciphers: "aes128-ctr" is not a list'],
  ['ssh: {ciphers: []}', 'c.yaml:1:16: ssh.ciphers: a list is empty; expected at least one name'],
  ['ssh: {ciphers: [arcfour]}', /^c\.yaml:1:16: ssh\.ciphers: none of these can be offered; expected one of chacha20/],
  ['ssh: {clientAliveInterval: 500ms}', /is too short; expected 0 \(off\) or 1s or more/],
  ['ssh: {clientAliveInterval: -1s}', /ssh\.clientAliveInterval: -1s is negative/],
  ['limits: {idleTimeout: 500ms}', /limits\.idleTimeout: 500ms is too short; expected 0 \(off\) or 1s or more/],
  ['limits: {signal: SIGHUP}', /limits\.signal: "SIGHUP" is not known; expected one of HUP, INT/],
  ['audit: {redact: ["(?=x)"]}', /audit\.redact\[0\]: .* is not a regular expression in RE2 syntax/],
  ['limits: {channels: 0}', /limits\.channels: 0 is not accepted; expected a whole number from 1 to 65536/],
  [
    'limits: {channelWindowBytes: 8388608}',
    /limits\.channelWindowBytes: 8388608 is more than limits\.connectionWindowBytes; expected 4194304 or less/,
  ],
  [
    'limits: {workerWindowBytes: 65536}',
    /limits\.connectionWindowBytes: 4194304 is more than limits\.workerWindowBytes/,
  ],
  ['limits: {workerOutputBytes: 65536}', /connectionOutputBytes: 262144 is more than limits\.workerOutputBytes/],
  ['ssh: {maxAuthTries: 101}', /ssh\.maxAuthRequests: 100 is less than ssh\.maxAuthTries; expected 101 or more/],
  ['ssh: {rekeyBytes: 1000}', /ssh\.rekeyBytes: 1000 is not accepted; expected a whole number from 1048576 to/],
  ['ssh: {loginGrace: 9000h}', /ssh\.loginGrace: 9000h0m0s is too long; expected less than 596h/],
  ['ssh: {maxStartupsRate: 101}', /ssh\.maxStartupsRate: 101 is not accepted; expected a whole number from 1 to 100/],
  [
    'ssh: {sourceNetBlockIPv4: 33}',
    /ssh\.sourceNetBlockIPv4: 33 is not accepted; expected a whole number from 0 to 32/,
  ],
  [
    'ssh: {penalties: {exempt: ["::1", 10.0.0.1/8]}}',
    /ssh\.penalties\.exempt\[1\]: "10\.0\.0\.1\/8" is not a network; expected e\.g\. "192\.0\.2\.0\/24"/,
  ],
  ['ssh: {penalties: {overflow: maybe}}', /overflow: "maybe" is not known; expected one of permissive, deny-all/],
  ['ssh: {proxyProtocol: {trusted: [a.example]}}', /ssh\.proxyProtocol\.trusted\[0\]: "a\.example" is not a network/],
  ['ssh: {proxyProtocol: {timeout: 1ms}}', /ssh\.proxyProtocol\.timeout: 1ms is too short; expected 10 ms or more/],
  ['ssh: {loginGrace: 1.5}', /ssh\.loginGrace: "1\.5" is not a duration/],
  [
    'ssh: {clientAliveCountMax: "3"}',
    /ssh\.clientAliveCountMax: "3" is not accepted; expected a whole number of 1 or more/,
  ],
  ['ssh: {clientAliveCountMax: 0}', /ssh\.clientAliveCountMax: 0 is not accepted/],
  ['ssh: {listen: "2222"}', /ssh\.listen: "2222" is not an address; expected e\.g\. "0\.0\.0\.0:2222"/],
  ['ssh: {listen: "::1:22"}', /is not an address/],
  ['ssh: {listen: "a:70000"}', /is not an address/],
  ['ssh: {serverVersion: SSH-1.5-x}', /ssh\.serverVersion: "SSH-1\.5-x" is not an SSH identification/],
  ['ssh: {serverVersion: "SSH-2.0-a\\nb"}', /is not an SSH identification/],
  ['ssh: {hostkeys: [/nonexistent]}', 'c.yaml:1:18: ssh.hostkeys[0]: the file "/nonexistent" cannot be read (ENOENT)'],
  ['ssh: {hostkeys: ["-----BEGIN X-----"]}', /^c\.yaml:1:18: ssh\.hostkeys\[0\]: the key is not a private key/],
  ['ssh: {hostkeys: [""]}', /ssh\.hostkeys\[0\]: the file "" cannot be read/],
  ['log: {destination: test}', /log\.destination: "test" is not known; expected one of stdout, file, syslog/],
  ['log: {level: 8}', /log\.level: "8" is not a log level/],
  ['log: {syslog: {pid: "true"}}', /log\.syslog\.pid: "true" is neither true nor false/],
  [
    'audit: {enable: true, moreStorages: [tape]}',
    'c.yaml:1:38: audit.moreStorages[0]: "tape" is no storage; expected file or s3',
  ],
  ['audit: {enable: true, storage: file, moreStorages: [file]}', /moreStorages\[0\]: "file" is a storage already/],
  [
    'audit: {enable: true, connectionBytes: 131072, workerBytes: 65536}',
    'c.yaml:1:40: audit.connectionBytes: 131072 is more than audit.workerBytes; expected 65536 or less',
  ],
  [
    'audit: {enable: true, storage: file, moreStorages: [s3], file: {directory: /x}, s3: {local: /x, bucket: b, region: r, accessKey: a, secretKey: s}}',
    /audit\.s3\.local: "\/x" is audit\.file\.directory too/,
  ],
  [
    'configserver: {url: "ftp://x/"}',
    /^c\.yaml:1:21: configserver\.url: "ftp:\/\/x\/" is not a URL; expected e\.g\. "https/,
  ],
  ['configserver: {url: "https://x/", cacert: /nonexistent}', /configserver\.cacert: the file "\/nonexistent" cannot/],
  ['configserver: {merge: all}', /configserver\.merge: "all" is not known; expected one of nonzero, present/],
  [
    'security: {forwarding: {forwardingMode: disabled}}',
    /"disabled" is not known; expected one of enable, filter, disable/,
  ],
  ['docker: {execution: {container: {env: [A=b]}}}', /docker\.execution\.container\.Image: is missing/],
  ['docker: {execution: {shellCommand: []}}', /docker\.execution\.shellCommand: is empty/],
  [
    'docker: {execution: {mode: session, host: {restartPolicy: {name: always}}}}',
    /"always" is not possible in session mode/,
  ],
  [
    'docker: {execution: {host: {memory: 1, resources: {memory: 2}}}}',
    /docker\.execution\.host\.resources\.memory: stands here a second time/,
  ],
  ['docker: {timeouts: {singal: 1s}}', /docker\.timeouts\.singal: is not a known option; did you mean signal\?/],
  ['ssh: {listen: ":1"}\nssh: {}', 'c.yaml:2:1: ssh: stands here a second time'],
  ['a: [', /^c\.yaml:\d+:\d+: is not YAML: /],
  ['a: *nowhere', /^c\.yaml:1:4: no anchor is named nowhere$/],
  ['? {a: b}\n: c', /the key of a mapping must be a text/],
]
for (const [source, line] of wrong) {
  test(`${JSON.stringify(source)} is refused with one line that names it`, async () => {
    const [first = '', ...more] = await errorsOf(source)
    // After a syntax error the rest of the file is not worth a report.
    if (!first.includes('is not YAML')) assert.deepEqual(more, [])
    if (typeof line === 'string') assert.equal(first, line)
    else assert.match(first, line)
  })
}

const wrongUsers: readonly (readonly [source: string, line: RegExp])[] = [
  ['{}', /^c\.yaml: auth\.users: nobody could log in/],
  ['auth: {users: []}', /^c\.yaml:1:15: auth\.users: nobody could log in/],
  ['auth: {users: [{passwordHash: x}]}', /auth\.users\[0\]\.name: is missing/],
  ['auth: {users: [{name: ""}]}', /auth\.users\[0\]\.name: "" is empty/],
  ['auth: {users: [{name: a}]}', /could not log in; expected passwordHash or authorizedKeys/],
  ['auth: {users: [alice]}', /auth\.users\[0\]: "alice" is not a mapping; expected e\.g\./],
  ['auth: {users: [{name: a, authorizedKeys: ["ssh-ed25519 AAAA"]}]}', /is not a whole ssh-ed25519 key/],
  [
    'auth: {users: [{name: a, authorizedKeys: [/nonexistent]}]}',
    /neither a public key nor a file that can be read \(ENOENT\)/,
  ],
  [
    `auth: {users: [{name: a, authorizedKeys: ['restrict,foo="x" ${key}']}]}`,
    /authorizedKeys\[0\]: .* has the unknown option foo/,
  ],
  [
    `auth: {users: [{name: a, principals: [ops]}]}`,
    /auth\.users\[0\]: "a" could not log in; expected passwordHash or authorizedKeys/,
  ],
  [
    `auth: {users: [{name: a, passwordHash: "${hash}", principals: [ops]}]}`,
    /auth\.users\[0\]\.principals: has no effect; expected at least one key in auth\.userCAs/,
  ],
  ['auth: {anyCertificateUser: yes}', /auth\.anyCertificateUser: has no effect; expected at least one key in userCAs/],
  [`auth: {userCAs: ['${key}']}`, /auth\.users: nobody could log in/],
  [
    `auth: {userCAs: [/nonexistent, 'ssh-ed25519 AAAA']}`,
    /userCAs\[0\]: "\/nonexistent" is neither a public key nor a file.*\n.*userCAs\[1\]: .* is not a whole ssh-ed25519 key/,
  ],
  [
    'auth: {revokedKeys: [SHA256:short, /nonexistent]}',
    /revokedKeys\[0\]: "SHA256:short" is not accepted; expected .*\n.*revokedKeys\[1\]: "\/nonexistent" is neither/,
  ],
  [
    `ssh: {hostCertificates: ['${key}']}`,
    /ssh\.hostCertificates\[0\]: .* is not a certificate; expected e\.g\. "ssh-ed25519-cert-v01@openssh\.com AAAA/,
  ],
  [
    `auth: {users: [{name: a, authorizedKeys: ['${key}']}, {name: a, authorizedKeys: ['${key}']}]}`,
    /"a" stands here a second time/,
  ],
]
for (const [source, line] of wrongUsers) {
  test(`${source.slice(0, 70)} cannot log anybody in and is refused`, async () => {
    assert.match((await errors(source)).join('\n'), line)
  })
}

test('secrets are never quoted', async () => {
  const source = `auth: {users: [{name: a, passwordHash: topsecret}]}
sshproxy: {password: {a: topsecret}, privateKey: [topsecret]}
audit: {s3: {secretKey: [topsecret]}}
ssh: {hostkeys: [{x: topsecret}, "-----topsecret"]}
auth2: topsecret
docker: {execution: {auth: {password: [topsecret]}}}
`
  const lines = (await errors(source)).join('\n')
  assert.ok(!lines.includes('topsecret'), lines)
  assert.match(lines, /auth\.users\[0\]\.passwordHash: is not an argon2id hash/)
})

test('a syntax error quotes nothing of the file', async () => {
  for (const [source, file] of [
    ['a: b: topsecret', 'c.yaml'],
    ['"topsecret', 'c.yaml'],
    ['{"a": topsecret}', 'c.json'],
    ['{"a": "topsecret" "b"}', 'c.json'],
  ] as const) {
    const lines = (await errors(source, file)).join('\n')
    assert.ok(lines !== '' && !lines.includes('topsecret'), lines)
  }
})

test('an empty file is an error, an empty mapping and null are the defaults', async () => {
  assert.deepEqual(await errors(''), ['c.yaml: is empty'])
  assert.deepEqual(await errors('# nothing\n'), ['c.yaml: is empty'])
  assert.deepEqual(await errors(' ', 'c.json'), ['c.json: is empty'])
  for (const source of ['{}', '~', 'ssh:\n']) {
    const { config } = await parseConfig('c.yaml', source, { onlyParse: true })
    assert.deepEqual(config, defaults())
  }
})

test('a file that cannot be read is an error that names it', async () => {
  await assert.rejects(loadConfig(join(folder, 'none.yaml')), (error: unknown) => {
    assert.ok(error instanceof ConfigErrors)
    assert.match(error.lines.join('\n'), /none\.yaml: cannot be read \(ENOENT/)
    return true
  })
  await assert.rejects(loadConfig(folder), ConfigErrors)
})

test('null, empty texts and zero durations mean the default where they are no legal value', async () => {
  const loaded = await config(`${users}ssh: {listen: "", loginGrace: 0, ciphers: null, banner: ""}
log: {level: ~, format: ""}\ndocker: {connection: {host: ""}, timeouts: {http: 0s}}\n`)
  const { ssh, log, docker } = defaults()
  assert.deepEqual([loaded.ssh, loaded.log, loaded.docker], [ssh, log, docker])
})

test('false and 0 count as written', async () => {
  const source = `${users}auth2: &a {enforceUsername: false}\n`.replace(
    'auth2: &a {enforceUsername: false}\n',
    'log: {level: emerg}\n',
  )
  assert.equal((await config(source)).log.level, 'emerg')
  const { config: parsed } = await parseConfig(
    'c.yaml',
    'auth: {password: {kerberos: {enforceUsername: false}}}\nsecurity: {maxSessions: 0}',
    { onlyParse: true },
  )
  assert.equal(parsed.auth.password.kerberos.enforceUsername, false)
  assert.equal(parsed.security.maxSessions, 0)
})

test('YAML takes unquoted values for texts as they are written, and yes and no for flags', async () => {
  const { config: parsed } = await parseConfig(
    'c.yaml',
    'ssh: {banner: 0123}\nmetrics: {tlsVersion: 1.3, enable: yes}\nlog: {level: 7, syslog: {pid: off}}',
    { onlyParse: true },
  )
  assert.equal(parsed.ssh.banner, '0123')
  assert.equal(parsed.metrics.tlsVersion, '1.3')
  assert.equal(parsed.metrics.enable, true)
  assert.equal(parsed.log.level, 'debug')
  assert.equal(parsed.log.syslog.pid, false)
})

test('durations are texts or nanoseconds in both formats', async () => {
  const json = { ssh: { loginGrace: 5e9, clientAliveInterval: '1m' } }
  for (const [source, file] of [
    [JSON.stringify(json), 'c.json'],
    [stringify(json), 'c.yaml'],
  ] as const) {
    const { config: parsed } = await parseConfig(file, source, { onlyParse: true })
    assert.deepEqual([parsed.ssh.loginGrace, parsed.ssh.clientAliveInterval], [5000, 60_000])
  }
})

test('keys are exact in YAML and of any case in JSON', async () => {
  assert.deepEqual(await errorsOf('SSH: {}'), ['c.yaml:1:1: SSH: is not a known option; did you mean ssh?'])
  const { config: parsed } = await parseConfig('c.json', '{"SSH": {"Listen": ":1"}}', { onlyParse: true })
  assert.equal(parsed.ssh.listen, ':1')
  const twice = await errors('{"ssh": {}, "SSH": {}}', 'c.json')
  assert.match(twice.join('\n'), /^c\.json:1:13: SSH: stands here a second time/)
})

test('pods are read by the keys of the Kubernetes API, in any case, over the default pod', async () => {
  const source = `kubernetes:
  POD:
    IdleCommand: [x]
    metadata: {Labels: {MyLabel: 1}}
    spec:
      containers:
        - {name: first, ENV: [{name: A, value: 5}], resources: {limits: {cpu: 2}}, ports: [{containerPort: 80}]}
        - {image: second}
      terminationGracePeriodSeconds: 3
      nodeName:
`
  const { config: loaded } = await parseConfig('c.yaml', source.replace('POD', 'pod'), { onlyParse: true })
  const { idleCommand, metadata, spec } = loaded.kubernetes.pod
  assert.deepEqual(idleCommand, ['x'])
  assert.deepEqual(metadata, { generateName: 'containerssh-', namespace: 'default', labels: { MyLabel: '1' } })
  const env = [{ name: 'A', value: '5' }]
  const image = 'containerssh/containerssh-guest-image'
  const first = { image, name: 'first', env, resources: { limits: { cpu: '2' } }, ports: [{ containerPort: 80 }] }
  assert.deepEqual(spec, { containers: [first, { image: 'second' }], terminationGracePeriodSeconds: 3 })
  assert.deepEqual(await errorsOf(source), ['c.yaml:2:3: kubernetes.POD: is not a known option; did you mean pod?'])
})

test('what is wrong in a pod is named like everything else', async () => {
  const source = `kubernetes:
  pod:
    metadata: {label: {}, name: [x]}
    spec:
      containers: {image: x}
      hostNetwork: "yes"
      securitycontext: {runAsUser: root, runAsGroup: 1.5}
      volumes: [{name: a, name: b, emptyDir: 5}]
      tolerations: [x]
      nodeSelector: {a: {b: c}, d: 1, d: 2}
`
  assert.deepEqual(await errorsOf(source), [
    'c.yaml:3:16: kubernetes.pod.metadata.label: is not a key of the Kubernetes API that we know; did you mean labels?',
    'c.yaml:3:33: kubernetes.pod.metadata.name: a list is not accepted; expected a text',
    'c.yaml:5:19: kubernetes.pod.spec.containers: a mapping is not accepted; expected a list',
    'c.yaml:6:20: kubernetes.pod.spec.hostNetwork: "yes" is not accepted; expected true or false',
    'c.yaml:7:36: kubernetes.pod.spec.securitycontext.runAsUser: "root" is not accepted; expected a whole number',
    'c.yaml:7:54: kubernetes.pod.spec.securitycontext.runAsGroup: 1.5 is not accepted; expected a whole number',
    'c.yaml:8:27: kubernetes.pod.spec.volumes[0].name: stands here a second time',
    'c.yaml:8:46: kubernetes.pod.spec.volumes[0].emptyDir: 5 is not accepted; expected a mapping',
    'c.yaml:9:21: kubernetes.pod.spec.tolerations[0]: "x" is not accepted; expected a mapping',
    'c.yaml:10:25: kubernetes.pod.spec.nodeSelector.a: a mapping is not accepted; expected a text',
    'c.yaml:10:39: kubernetes.pod.spec.nodeSelector.d: stands here a second time',
  ])
})

test("Docker's objects take their keys in any case, under Docker's names, and leave free maps alone", async () => {
  const loaded = await config(`${users}docker:
  execution:
    containerName: x
    container: {image: a, workingdir: /w, labels: {MyLabel: 01}, healthcheck: {interval: 5s, timeout: 1000}}
    host: {resources: {memory: 5}, cpushares: 2, networkmode: host, portbindings: {80/tcp: [{HostPort: "1"}]}}
    network: {endpointsconfig: {MyNet: {ipamconfig: {ipv4address: 1.2.3.4}}, other: null}}
    platform: {os: linux, os.version: "1"}
    auth: {Username: u}
`)
  const { container, host, network, platform, auth, containername } = loaded.docker.execution
  assert.equal(containername, 'x')
  assert.deepEqual(container, {
    Image: 'a',
    WorkingDir: '/w',
    Labels: { MyLabel: '01' },
    Healthcheck: { Interval: 5e9, Timeout: 1000 },
  })
  assert.deepEqual(host, {
    Memory: 5,
    CpuShares: 2,
    NetworkMode: 'host',
    PortBindings: { '80/tcp': [{ HostPort: '1' }] },
  })
  assert.deepEqual(network, { EndpointsConfig: { MyNet: { IPAMConfig: { IPv4Address: '1.2.3.4' } }, other: null } })
  assert.deepEqual([platform, auth], [{ os: 'linux', osversion: '1' }, { username: 'u' }])
})

test("an unknown key inside Docker's objects is a warning and goes on to Docker as written", async () => {
  const { config: loaded, warnings } = await parseConfig(
    'c.yaml',
    `${users}docker: {execution: {container: {image: a, NewThing: {x: 1}, imgae: b}}}`,
  )
  assert.deepEqual(loaded.docker.execution.container, { Image: 'a', NewThing: { x: 1 }, imgae: 'b' })
  assert.deepEqual(warnings, [
    'c.yaml:2:44: docker.execution.container.NewThing: is not a key of the Docker API that we know, passed on as written',
    'c.yaml:2:62: docker.execution.container.imgae: is not a key of the Docker API that we know; did you mean Image?',
  ])
})

test('algorithm names that can no longer be offered are left out with a warning', async () => {
  const { config: loaded, warnings } = await parseConfig(
    'c.yaml',
    `${users}ssh: {ciphers: [aes128-ctr, arcfour, tripledescbcID]}`,
  )
  assert.deepEqual(loaded.ssh.ciphers, ['aes128-ctr'])
  assert.deepEqual(warnings, [
    'c.yaml:2:29: ssh.ciphers[1]: "arcfour" can no longer be offered and is left out',
    'c.yaml:2:38: ssh.ciphers[2]: "tripledescbcID" can no longer be offered and is left out',
  ])
})

test('authorized keys are lines, or files of lines, which are read', async () => {
  const file = join(folder, 'keys')
  writeFileSync(file, `# a comment\n\n${key}\n${key} again\n`)
  const loaded = await config(`auth: {users: [{name: a, authorizedKeys: ['${key}', ${file}]}]}`)
  assert.deepEqual(loaded.auth.users[0]?.authorizedKeys, [key, key, `${key} again`])
})

test('keys of CAs, revoked keys and host certificates are lines too, or files of lines, and survive a dump', async () => {
  const file = join(folder, 'lines')
  const print = `SHA256:${'a'.repeat(43)}`
  const type = 'ssh-ed25519-cert-v01@openssh.com'
  const blob = Buffer.concat([Buffer.of(0, 0, 0, type.length), Buffer.from(type), Buffer.from('rest')])
  const certificate = `${type} ${blob.toString('base64')} host`
  writeFileSync(`${file}-cas`, `restrict,command="a b" ${key}\n`)
  writeFileSync(`${file}-revoked`, `# gone\n${print}\nserial:${print}:1-9\n${key}\n`)
  writeFileSync(`${file}-cert.pub`, `${certificate}\n`)
  const loaded = await config(
    `auth: {userCAs: ['${key}', ${file}-cas], revokedKeys: [${file}-revoked]}
ssh: {hostCertificates: [${file}-cert.pub]}
`.replace('auth: {', `auth: {users: [{name: a, principals: [ops, a]}, {name: b}], anyCertificateUser: yes, `),
  )
  assert.deepEqual(loaded.auth.userCAs, [key, `restrict,command="a b" ${key}`])
  assert.deepEqual(loaded.auth.revokedKeys, [print, `serial:${print}:1-9`, key])
  assert.deepEqual(loaded.ssh.hostCertificates, [certificate])
  assert.deepEqual(loaded.auth.users[0]?.principals, ['ops', 'a'])
  assert.equal(loaded.auth.anyCertificateUser, true)
  assert.deepEqual(await config(dumpConfig(loaded, { showSecrets: true })), loaded)
})

test('without users of its own a configuration may let in whoever a CA names', async () => {
  const loaded = await config(`auth: {userCAs: ['${key}'], anyCertificateUser: true}`)
  assert.deepEqual(loaded.auth.users, [])
})

test('a binary revocation list is refused with what was expected instead', async () => {
  const file = join(folder, 'krl')
  writeFileSync(file, 'SSHKRL\n\0\0\0\0\u0001')
  assert.match((await errors(`auth: {revokedKeys: [${file}]}`)).join(), /binary revocation list; expected/)
})

test('weak algorithms are offered to those who ask for them, with a warning', async () => {
  const { config: loaded, warnings } = await parseConfig(
    'c.yaml',
    `${users}ssh: {ciphers: [aes128-cbc], kex: [diffie-hellman-group1-sha1], macs: [hmac-sha1, hmac-sha2-256]}`,
  )
  assert.deepEqual(loaded.ssh.ciphers, ['aes128-cbc'])
  assert.deepEqual(
    warnings.map((line) => line.replace(/^.*?: /, '')),
    [
      'ssh.ciphers[0]: "aes128-cbc" is weak; clients of today need it no more',
      'ssh.kex[0]: "diffie-hellman-group1-sha1" is weak; clients of today need it no more',
      'ssh.macs[0]: "hmac-sha1" is weak; clients of today need it no more',
    ],
  )
})

test('every algorithm name that the Go program took is read', async () => {
  const ciphers = 'chacha20-poly1305@openssh.com aes256-gcm@openssh.com aes128-gcm@openssh.com aes256-ctr aes192-ctr'
  const more = 'aes128-ctr aes128-cbc arcfour256 arcfour128 arcfour tripledescbcID'
  const kex = 'curve25519-sha256@libssh.org ecdh-sha2-nistp521 ecdh-sha2-nistp384 ecdh-sha2-nistp256'
  const groups = 'diffie-hellman-group14-sha1 diffie-hellman-group1-sha1'
  const macs = 'hmac-sha2-256-etm@openssh.com hmac-sha2-256 hmac-sha1 hmac-sha1-96'
  const list = (...names: string[]): string => JSON.stringify(names.join(' ').split(' '))
  const lists = `ciphers: ${list(ciphers, more)}, kex: ${list(kex, groups)}, macs: ${list(macs)}`
  const { config: loaded, warnings } = await parseConfig('c.yaml', `${users}ssh: {${lists}}`)
  assert.equal(loaded.ssh.ciphers.length, 7)
  assert.equal(loaded.ssh.kex.length, 6)
  assert.equal(loaded.ssh.macs.length, 4)
  assert.equal(warnings.length, 4 + 1 + 2 + 2)
})

test('lists may be joined by colons where the Go program took that, and replace the default', async () => {
  const { config: parsed } = await parseConfig('c.yaml', 'metrics: {curves: "x25519:secp384r1"}', { onlyParse: true })
  assert.deepEqual(parsed.metrics.curves, ['x25519', 'secp384r1'])
})

test('a room that only a test has is accepted by those who have it', async () => {
  assert.match((await errorsOf('backend: bench')).join(), /"bench" is not known/)
  assert.equal(
    (await parseConfig('c.yaml', `${users}backend: bench`, { rooms: ['docker', 'bench'] })).config.backend,
    'bench',
  )
})

test('whatever the file holds, it is a configuration or a list of what is wrong', async () => {
  const keys = fc.constantFrom(
    'ssh',
    'auth',
    'users',
    'docker',
    'execution',
    'container',
    'host',
    'resources',
    'log',
    'level',
    'hostkeys',
    '__proto__',
    'constructor',
    'loginGrace',
    '<<',
    'labels',
    'network',
    'endpointsconfig',
  )
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { maxDepth: 5 },
      fc.string(),
      fc.double(),
      fc.boolean(),
      fc.constant(null),
      tie('object'),
      tie('list'),
    ),
    list: fc.array(tie('tree'), { maxLength: 3 }),
    object: fc.dictionary(fc.oneof(keys, fc.string()), tie('tree'), { maxKeys: 6 }),
  }))
  const settles = async (file: string, source: string): Promise<void> => {
    try {
      await parseConfig(file, source)
    } catch (error) {
      assert.ok(error instanceof ConfigErrors, String((error as Error).stack))
      assert.ok(error.lines.length > 0)
      for (const line of error.lines) assert.ok(!line.includes('\n'), line)
    }
  }
  await fc.assert(
    fc.asyncProperty(tree, async (value) => settles('c.yaml', stringify(value))),
    { numRuns: 200 },
  )
  await fc.assert(
    fc.asyncProperty(tree, async (value) => settles('c.json', JSON.stringify(value))),
    { numRuns: 200 },
  )
  const text = fc.oneof(
    fc.string(),
    fc
      .array(
        fc.constantFrom(
          'a',
          ': ',
          '- ',
          '\n',
          '  ',
          '{',
          '}',
          '[',
          '&a ',
          '*a',
          '"',
          "'",
          '|',
          '!t ',
          '#',
          '%YAML 1.1\n',
          '---\n',
          '<<',
          '\t',
        ),
      )
      .map((parts) => parts.join('')),
  )
  await fc.assert(
    fc.asyncProperty(text, async (source) => settles('c.yaml', source)),
    { numRuns: 500 },
  )
  await fc.assert(
    fc.asyncProperty(text, async (source) => settles('c.json', source)),
    { numRuns: 200 },
  )
})

test('deep nesting is refused, not a crash', async () => {
  assert.equal((await errors('['.repeat(20_000))).length > 0, true)
  assert.match((await errors(`${'{"a":'.repeat(500)}1${'}'.repeat(500)}`, 'c.json')).join(), /nested too deeply/)
})

test('a recipient of audit logs that none is, is refused', async () => {
  const good = 'CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk='
  assert.deepEqual(await errorsOf(`audit: {recipients: ["${good}", age1qqq]}`), [
    'c.yaml:1:70: audit.recipients[1]: "age1qqq" is not a whole age recipient: its checksum is wrong',
  ])
})
