import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConfigErrors, parseConfig } from '../../../src/shared/config/load.ts'

const rooms = ['docker', 'kubernetes', 'sshproxy']
const webhook = 'auth: {publicKey: {method: webhook, webhook: {url: "http://127.0.0.1:1"}}}\n'
const errors = async (source: string): Promise<readonly string[]> => {
  try {
    await parseConfig('c.yaml', `${source}\n${webhook}`, { rooms })
    return []
  } catch (error) {
    assert.ok(error instanceof ConfigErrors, String(error))
    return error.lines.map((line) => line.replace(/^c\.yaml[:\d]*: /, ''))
  }
}
const print = `SHA256:${'A'.repeat(43)}`
const pod = (options: string): string => `backend: kubernetes\nkubernetes: {pod: {${options}}}`
const cluster = (options: string): string => `backend: kubernetes\nkubernetes: {${options}}`
const proxy = (options: string): string => `backend: sshproxy\nsshproxy: {${options}}`

const guest = (options: string): string => `docker: {execution: {${options}}}`

for (const [source, expected] of [
  ['instance: prod-1', []],
  ['instance: "a b"', ['instance: "a b" is not a name; expected letters, digits, ".", "-" and "_", 63 at most']],
  ['docker: {share: {by: user}}', []],
  ['docker: {share: {by: metadata}}', ['docker.share.key: is missing; expected the name of metadata']],
  [
    'docker: {share: {by: user}, execution: {mode: session}}',
    ['docker.share.by: is not possible in session mode; expected none'],
  ],
  ['docker: {share: {by: user}, pool: {min: 1}}', ['docker.share.by: is not possible with docker.pool; expected none']],
  [
    'docker: {share: {by: user}, execution: {containername: x}}',
    ['docker.share.by: is not possible with docker.execution.containername; expected none'],
  ],
  [cluster('share: {by: user}'), []],
  [
    cluster('share: {by: user}, pool: {min: 1}'),
    ['kubernetes.share.by: is not possible with kubernetes.pool; expected none'],
  ],
  [
    cluster('share: {by: user}, pod: {metadata: {name: x}}'),
    ['kubernetes.share.by: is not possible with kubernetes.pod.metadata.name; expected none'],
  ],
  [
    cluster('pool: {min: 2}, pod: {mode: session}'),
    ['kubernetes.pool.min: is not possible in session mode; expected 0'],
  ],
  [
    cluster('pool: {min: 2}, pod: {metadata: {name: x}}'),
    ['kubernetes.pool.min: is not possible with kubernetes.pod.metadata.name, which only one can have; expected 0'],
  ],
  ['docker: {pool: {min: 2}}', []],
  ['docker: {pool: {min: 2, max: 1}}', ['docker.pool.max: 1 is less than pool.min; expected 2 or more, or 0']],
  [
    'docker: {pool: {min: 2}, execution: {mode: session}}',
    ['docker.pool.min: is not possible in session mode; expected 0'],
  ],
  [
    'docker: {pool: {min: 2}, execution: {containername: one}}',
    ['docker.pool.min: is not possible with docker.execution.containername, which only one can have; expected 0'],
  ],
  [guest('agentMode: shell, sftp: {root: /srv, readOnly: true}, agentBinary: {arm64: /opt/agent}'), []],
  [
    guest('agentMode: image, disableAgent: true, agentPath: ""'),
    [
      'docker.execution.agentMode: "image" contradicts disableAgent: true; expected another mode, or disableAgent: false',
      'docker.execution.agentPath: is empty; agentMode: image needs it',
    ],
  ],
  [
    guest('agentMode: none, sftp: {root: srv}'),
    [
      'docker.execution.sftp: cannot be bounded with agentMode: none; expected another mode',
      'docker.execution.sftp.root: "srv" is not an absolute path; expected e.g. "/home"',
    ],
  ],
  [
    guest('agentMode: sidecar'),
    ['docker.execution.agentMode: "sidecar" is not known; expected one of auto, image, inject, shell, none'],
  ],
  ['backend: kubernetes', []],
  [pod('spec: {containers: []}'), ['kubernetes.pod.spec.containers: is missing; expected at least one container']],
  [pod('spec: {containers: [{}, {name: b}]}'), ['kubernetes.pod.spec.containers[1].image: is missing']],
  [
    pod('consoleContainerNumber: 1'),
    ['kubernetes.pod.consoleContainerNumber: 1 is no container of the pod; expected less than 1'],
  ],
  [pod('createMissingPods: true'), ['kubernetes.pod.createMissingPods: has a meaning in persistent mode only']],
  [pod('mode: persistent'), ['kubernetes.pod.metadata.name: is missing; persistent mode needs it']],
  [pod('mode: persistent, metadata: {name: x}, shellCommand: [x], idleCommand: []'), []],
  [
    pod('mode: persistent, createMissingPods: true, metadata: {name: x}, idleCommand: []'),
    ['kubernetes.pod.idleCommand: is empty; persistent mode needs it'],
  ],
  [pod('agentPath: "", disableAgent: true'), []],
  [pod('agentPath: ""'), ['kubernetes.pod.agentPath: is empty; the guest agent needs it']],
  [pod('mode: session, shellCommand: [], disableAgent: true, idleCommand: []'), []],
  [pod('mode: session, shellCommand: []'), ['kubernetes.pod.shellCommand: is empty; session mode needs it']],
  [
    pod('mode: session, spec: {restartPolicy: Always}'),
    ['kubernetes.pod.spec.restartPolicy: "Always" is not possible in session mode; expected "Never"'],
  ],
  [proxy(`server: x, username: y, allowedHostKeyFingerprints: ["${print}"], hostKeyAlgorithms: [rsa-sha2-512]`), []],
  [
    proxy('port: 22'),
    [
      'sshproxy.server: is missing; expected the name of a server',
      'sshproxy.username: is missing; expected it, or usernamePassThrough: true',
      'sshproxy.allowedHostKeyFingerprints: is empty; expected at least one, e.g. "SHA256:…" (see ssh-keygen -l)',
    ],
  ],
  [
    proxy('server: x, usernamePassThrough: true, allowedHostKeyFingerprints: [aa:bb], clientVersion: "SSH-2.0-a b\\n"'),
    [
      'sshproxy.allowedHostKeyFingerprints[0]: "aa:bb" is not a fingerprint; expected "SHA256:" and 43 characters (see ssh-keygen -l)',
      'sshproxy.clientVersion: "SSH-2.0-a b\\n" is not an SSH identification; expected e.g. "SSH-2.0-ContainerSSH"',
    ],
  ],
  ['sshproxy: {server: ""}\nkubernetes: {pod: {mode: persistent}}', []],
] as const) {
  test(`${JSON.stringify(source)}: ${expected.length === 0 ? 'is accepted' : 'is refused by name'}`, async () => {
    assert.deepEqual([...(await errors(source))].sort(), [...expected].sort())
  })
}

test('what a configuration server may send for each user need not be in the file; the name of a backend must be one', async () => {
  const server = 'configserver: {url: "http://127.0.0.1:1"}\n'
  assert.deepEqual(await errors(`${server}backend: sshproxy`), [])
  assert.match((await errors(`${server}backend: sshprox`)).join(), /"sshprox" is not known; .* did you mean sshproxy\?/)
})

for (const [source, expected] of [
  ['health: {enable: true, listen: "7000"}', 'health.listen: "7000" is not an address; expected e.g.'],
  ['health: {enable: true, client: {url: "7000"}}', 'health.client.url: "7000" is not a URL; expected e.g.'],
  ['metrics: {enable: true, listen: "a:b"}', 'metrics.listen: "a:b" is not an address'],
  ['metrics: {enable: true, path: metrics}', 'metrics.path: "metrics" is not a path; expected e.g. "/metrics"'],
  [
    'log: {destination: syslog, syslog: {destination: localhost}}',
    'log.syslog.destination: "localhost" is neither a path nor an address; expected e.g. "/dev/log"',
  ],
] as const) {
  test(`${source} is refused by name, and only if it is in use`, async () => {
    const found = await errors(source)
    assert.equal(found.length, 1)
    assert.ok(found[0]?.startsWith(expected), found[0])
    assert.deepEqual(
      await errors(source.replace('enable: true', 'enable: false').replace('n: syslog', 'n: stdout')),
      [],
    )
  })
}
