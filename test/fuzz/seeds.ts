/**
 * `node test/fuzz/seeds.ts`: writes the well-formed inputs that fuzzing begins with into `corpus/`, where the malformed
 * ones lie that once found something. Keys are new each time, and of no use to anybody.
 */
import { execFileSync } from 'node:child_process'
import { generateKeyPairSync, sign } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { identityToRecipient } from 'age-encryption'
import { encodeFrame } from '../../src/shared/ipc/frame.ts'
import { encode as agentCbor } from '../../src/workers/backends/agent/cbor.ts'
import { newConnection, windowOf } from '../../src/workers/backends/agent/messages.ts'
import { packet } from '../../src/workers/backends/agent/packet.ts'
import { sshString } from '../../src/workers/ssh/blob.ts'
import { Writer } from '../../src/workers/ssh/bytes.ts'
import { channelOpen, globalRequest } from '../../src/workers/ssh/messages.ts'
import { publicKeyBlob } from '../../src/workers/ssh/public-key.ts'
import { channelRequest } from '../../src/workers/ssh/requests.ts'
import { kexInit } from '../rigs/raw/kexinit.ts'
import { attempt, keyQuery, passwordAttempt, serviceRequest } from '../rigs/raw/login.ts'
import { auditSeeds } from './audit-seeds.ts'
import { corpusFolder } from './corpus.ts'
import { fuzzIdentity } from './targets/audit.ts'

const fields = (...parts: (string | number)[]): Buffer => {
  const writer = new Writer(0)
  for (const part of parts) typeof part === 'string' ? writer.string(part) : writer.uint32(part)
  return writer.finish().subarray(1)
}
const empty = Buffer.alloc(0)
const size = { columns: 80, rows: 24, widthPixels: 0, heightPixels: 0 }
const open = { sender: 1, windowBytes: 1 << 20, maximumPacket: 32_768 }

const spoilt = (pem: string): string => pem.replace(/[^\n]{20}\n-----END/, `${'A'.repeat(20)}\n-----END`)

/** A certificate of every type of key that ssh-keygen makes without a token. */
function opensshKeys(): { certificates: Buffer[]; lines: string[]; privateKeys: string[] } {
  const folder = mkdtempSync(join(tmpdir(), 'seeds-'))
  const keygen = (...args: string[]): void => void execFileSync('ssh-keygen', args, { cwd: folder, stdio: 'pipe' })
  keygen('-q', '-t', 'ed25519', '-N', '', '-C', 'ca', '-f', 'ca')
  const types = ['ed25519', 'ecdsa', 'rsa']
  for (const type of types) {
    keygen('-q', '-t', type, '-N', '', '-C', 'seed', '-f', type)
    keygen('-q', '-s', 'ca', '-I', 'seed', '-n', 'alice,bob', '-V', '+1d', '-O', 'force-command=true', `${type}.pub`)
  }
  const read = (name: string): string => readFileSync(join(folder, name), 'utf8').trim()
  const lines = types.map((type) => read(`${type}.pub`))
  const certificates = types.map((type) => Buffer.from(read(`${type}-cert.pub`).split(' ')[1] ?? '', 'base64'))
  // Without their last bytes, so that they are nobody's keys.
  const privateKeys = types.filter((type) => type !== 'rsa').map((type) => spoilt(`${read(type)}\n`))
  rmSync(folder, { recursive: true })
  return { certificates, lines, privateKeys }
}
const { certificates, lines, privateKeys } = opensshKeys()
const ed25519 = generateKeyPairSync('ed25519')
const blobs = [
  publicKeyBlob(ed25519.publicKey).blob,
  ...['P-256', 'P-384', 'P-521'].map(
    (namedCurve) => publicKeyBlob(generateKeyPairSync('ec', { namedCurve }).publicKey).blob,
  ),
  publicKeyBlob(generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey).blob,
]
const [firstBlob = empty] = blobs
const signature = Buffer.concat([
  sshString('ssh-ed25519'),
  sshString(sign(null, Buffer.from('data'), ed25519.privateKey)),
])
const record = { level: 'info', code: 'SSH_CONNECTED', message: 'Client connected.', labels: { a: 'b' }, time: 1 }

const seeds: Readonly<Record<string, readonly (Uint8Array | string)[]>> = {
  userauth: [
    passwordAttempt('alice', 'secret'),
    attempt('alice', 'none', empty),
    keyQuery('alice', 'ssh-ed25519', firstBlob),
  ],
  'info-response': [Buffer.concat([Buffer.of(1), fields(1, 'answer')])],
  'global-request': [globalRequest('tcpip-forward', true, fields('', 0)), globalRequest('keepalive@openssh.com', true)],
  'channel-open': [channelOpen({ type: 'session', ...open, data: empty })],
  'channel-request': [
    channelRequest(0, { kind: 'exec', command: 'id' }, true),
    channelRequest(0, { kind: 'env', name: 'LANG', value: 'C' }, false),
    channelRequest(0, { kind: 'pty-req', pty: { term: 'vt100', size, modes: Buffer.of(0) } }, true),
    channelRequest(0, { kind: 'window-change', size }, false),
    channelRequest(
      0,
      { kind: 'x11-req', x11: { single: true, protocol: 'MIT-MAGIC-COOKIE-1', cookie: '00', screen: 0 } },
      true,
    ),
    channelRequest(0, { kind: 'signal', name: 'TERM' }, false),
  ],
  forwarding: [fields('localhost', 80, '127.0.0.1', 1), fields('/run/socket', '', 0), fields('localhost', 0)],
  data: [Buffer.concat([Buffer.of(94), fields(0, 'data')]), Buffer.concat([Buffer.of(192), fields('ping')])],
  'public-key': blobs,
  certificate: certificates,
  signature: [Buffer.concat([Buffer.of(0, firstBlob.length), firstBlob, signature])],
  'authorized-key': [...lines, `no-pty,command="a \\"b\\"",from="10.0.0.0/8,!10.1.*" ${lines[0]}`],
  'host-key': [...privateKeys, spoilt(ed25519.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString())],
  identification: ['SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n', 'SSH-1.99-x\n', 'GET / HTTP/1.1\r\n'],
  'kex-init': [kexInit(), kexInit({ follows: true })],
  'transport-messages': [serviceRequest(), Buffer.concat([Buffer.of(1), fields(11, 'bye', '')])],
  packets: [
    Buffer.concat([Buffer.of(0, 63, 0, 0, 0, 12, 10, 2), Buffer.alloc(10)]),
    Buffer.alloc(80, 1),
    Buffer.alloc(80, 3),
  ],
  'proxy-header': [
    'PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n',
    'PROXY UNKNOWN\r\n',
    Buffer.concat([
      Buffer.from('\r\n\r\n\0\r\nQUIT\n'),
      Buffer.of(0x21, 0x11, 0, 12, 1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 0, 2),
    ]),
  ],
  frames: [encodeFrame({ a: [1, 'b', null, true, 1.5, Buffer.of(1)] })],
  reports: [
    encodeFrame({ kind: 'log', records: [record], dropped: 0 }),
    encodeFrame({ kind: 'closed', ticket: 1, outcome: 'x' }),
  ],
  'config-yaml': [
    'ssh:\n  listen: 127.0.0.1:2222\n  ciphers: [aes256-ctr]\nauth:\n  users: []\nbackend: docker\n',
    'a: &b [*b, !!x y]\n',
  ],
  'config-json': ['{"ssh": {"listen": "0.0.0.0:2222"}, "log": {"level": "debug"}}'],
  demux: [Buffer.concat([Buffer.of(1, 0, 0, 0, 0, 0, 0, 2, 65, 66, 2, 0, 0, 0, 0, 0, 0, 0)])],
  'agent-packets': [
    Buffer.concat([
      packet(1, 0, agentCbor({ Extensions: 1, Window: 1 << 17, Port: 6010, Path: '/tmp/a' })),
      packet(6, 0),
    ]),
    packet(4, 1, newConnection({ kind: 'tcp', host: '::1', port: 80 }, { address: '192.0.2.1', port: 65_535 })),
    Buffer.concat([packet(3, 1, Buffer.from('data')), packet(7, 1, windowOf(1 << 20)), packet(8, 1)]),
    Buffer.from('a3675061796c6f6164f664747970650366656d70747980', 'hex'),
  ],
  header: [Buffer.of(42, 1, 0, 0, 65), '4242\r\nrest', 'OCI runtime exec failed: x'],
  pattern: ['a*b?[c]\naxbyc', '^(a|b)*c{1,3}$\nababc'],
  ...(await auditSeeds(await identityToRecipient(fuzzIdentity))),
  'webhook-answer': ['{"success": true, "authenticatedUsername": "a", "metadata": {"a": {"value": "b"}}}'],
}

for (const [name, inputs] of Object.entries(seeds)) {
  mkdirSync(corpusFolder(name), { recursive: true })
  for (const [index, input] of inputs.entries()) writeFileSync(join(corpusFolder(name), `seed-${index}`), input)
}
