import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { stringify } from 'yaml'
import { loadHostKeys } from '../../src/primary/host-keys.ts'
import { withHostKey } from '../../src/primary/host-keys-edit.ts'
import { Fault } from '../../src/shared/codes/fault.ts'
import { ConfigErrors, loadConfig } from '../../src/shared/config/load.ts'
import { type Config, defaults } from '../../src/shared/config/schema.ts'
import { formatLine } from '../../src/shared/log/format.ts'
import { createLog, type LogRecord } from '../../src/shared/log.ts'
import { generateHostKey, hostKeyProblem } from '../../src/shared/private-key.ts'
import { record as keepForCodes } from '../rigs/daemon.ts'

const folder = mkdtempSync(join(tmpdir(), 'host-keys-'))
after(() => rmSync(folder, { recursive: true }))
let files = 0
const write = (content: string, suffix = 'yaml', mode = 0o600): string => {
  const path = join(folder, `${files++}.${suffix}`)
  writeFileSync(path, content, { mode })
  return path
}
const withKeys = (...hostkeys: string[]): Config => ({ ...defaults(), ssh: { ...defaults().ssh, hostkeys } })
const load = async (configPath: string, config = defaults(), generate?: () => Promise<string>) => {
  const records: LogRecord[] = []
  const write = (record: LogRecord): void => {
    records.push(record)
    keepForCodes(formatLine(record, 'ljson').trimEnd())
  }
  const log = createLog({ level: 'debug', labels: { module: 'core' }, write })
  const options = { config, configPath, log, ...(generate === undefined ? {} : { generate }) }
  const keys = await loadHostKeys(options).catch((error: unknown) => {
    // As the start of the server does.
    if (error instanceof Fault) log.fault(error)
    throw error
  })
  return { keys, records, codes: records.map((record) => record.code) }
}
const keygen = (...args: string[]): string => execFileSync('ssh-keygen', args, { encoding: 'utf8', stdio: 'pipe' })

test('a generated key is one that ssh-keygen reads', async () => {
  const pem = await generateHostKey('me@here')
  const path = write(pem, 'key')
  assert.match(keygen('-y', '-f', path), /^ssh-ed25519 AAAA\S+ me@here\n$/)
  assert.equal(hostKeyProblem(pem), undefined)
})

test('every key that ssh-keygen and OpenSSL make for hosts is accepted, in each of its formats', () => {
  for (const [type, bits] of [
    ['ed25519', '256'],
    ['ecdsa', '256'],
    ['ecdsa', '384'],
    ['ecdsa', '521'],
    ['rsa', '2048'],
  ]) {
    const path = join(folder, `made-${type}-${bits}`)
    keygen('-q', '-t', type ?? '', '-b', bits ?? '', '-N', '', '-f', path)
    assert.equal(hostKeyProblem(readFileSync(path, 'utf8')), undefined, `${type} ${bits}`)
    if (type === 'ed25519') continue
    keygen('-q', '-p', '-m', 'PEM', '-N', '', '-f', path)
    assert.equal(hostKeyProblem(readFileSync(path, 'utf8')), undefined, `${type} ${bits} PEM`)
  }
  const { privateKey } = generateKeyPairSync('ed25519')
  assert.equal(hostKeyProblem(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()), undefined)
})

test('a key that cannot serve says why, without quoting it', () => {
  const encrypted = join(folder, 'encrypted')
  keygen('-q', '-t', 'ed25519', '-N', 'secret', '-f', encrypted)
  assert.match(hostKeyProblem(readFileSync(encrypted, 'utf8')) ?? '', /is encrypted/)
  assert.match(hostKeyProblem(readFileSync(`${encrypted}.pub`, 'utf8')) ?? '', /is not a private key/)
  const { publicKey } = generateKeyPairSync('ed25519')
  assert.match(hostKeyProblem(publicKey.export({ type: 'spki', format: 'pem' }).toString()) ?? '', /is a public key/)
  const { privateKey } = generateKeyPairSync('x25519')
  assert.match(
    hostKeyProblem(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()) ?? '',
    /is of type x25519/,
  )
  assert.match(hostKeyProblem('-----') ?? '', /is not a private key/)
})

test('no damage to a key makes the check throw, and none goes unnoticed as another key', async () => {
  const pem = await generateHostKey('x')
  const [first = '', ...middle] = pem.trim().split('\n')
  const last = middle.pop() ?? ''
  const body = Buffer.from(middle.join(''), 'base64')
  fc.assert(
    fc.property(fc.nat(body.length - 1), fc.integer({ min: 1, max: 255 }), fc.boolean(), (at, flip, cut) => {
      const damaged = Buffer.from(body)
      damaged[at] = (damaged[at] ?? 0) ^ flip
      const bytes = cut ? damaged.subarray(0, at) : damaged
      const problem = hostKeyProblem(`${first}\n${bytes.toString('base64')}\n${last}\n`)
      if (cut) assert.ok(problem)
    }),
  )
})

test('configured keys are read from text and from files, in their order', async () => {
  const pem = await generateHostKey('x')
  const path = write(await generateHostKey('y'), 'key')
  const { keys, codes } = await load('/nowhere/config.yaml', withKeys(pem, path))
  assert.deepEqual(keys, [pem, readFileSync(path, 'utf8')])
  assert.deepEqual(codes, [])
})

test('a configured key that cannot be used is named by its place', async () => {
  const missing = join(folder, 'missing')
  await assert.rejects(load('/c.yaml', withKeys(missing, 'abc', '-----x')), (error: unknown) => {
    assert.ok(error instanceof ConfigErrors)
    assert.deepEqual(error.lines.toSorted(), [
      `/c.yaml: ssh.hostkeys[0]: the file "${missing}" cannot be read (ENOENT)`,
      '/c.yaml: ssh.hostkeys[1]: the file "abc" cannot be read (ENOENT)',
      '/c.yaml: ssh.hostkeys[2]: the key is not a private key that can be read (PEM: OpenSSH, PKCS#1, PKCS#8 or SEC 1)',
    ])
    return true
  })
})

test('without host keys one is made and written into the file, and everything else in it stays', async () => {
  const source = `# our server
ssh:
    # loopback only
    listen: 127.0.0.1:2222 # for now

    banner: 0123 # a text
auth:
    users:
        - name: alice # first
          passwordHash: $argon2id$v=19$m=8,t=1,p=1$AAECAwQFBgcICQoLDA0ODw$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
`
  const path = write(source)
  const { keys, codes } = await load(path)
  assert.deepEqual(codes, ['CORE_NO_HOST_KEYS'])
  const written = readFileSync(path, 'utf8')
  const added = written.split('\n').filter((line) => !source.split('\n').includes(line))
  assert.equal(added[0], '    hostkeys:')
  assert.equal(
    written
      .split('\n')
      .filter((line) => !added.includes(line))
      .join('\n'),
    source,
  )
  const again = await loadConfig(path)
  assert.deepEqual(again.config.ssh.hostkeys, keys)
})

test('the key is written into every shape of file', async () => {
  for (const [source, suffix] of [
    ['~\n', 'yaml'],
    ['{}\n', 'yaml'],
    ['ssh:\n', 'yaml'],
    ['ssh: {listen: "127.0.0.1:0"}\n', 'yaml'],
    ['{ssh: {hostkeys: []}, log: {level: debug}}\n', 'yaml'],
    ['ssh:\n  hostkeys: []\n', 'yaml'],
    ['log:\n  level: info\n---\nsecond: document\n', 'yaml'],
    ['%YAML 1.2\n---\nlog:\n  level: info\n', 'yaml'],
    ['{}', 'json'],
    ['{"SSH": {"HostKeys": null, "listen": ":0"}}\n', 'json'],
    ['{\n  "log": {"level": 6}\n}\n', 'json'],
  ] as const) {
    const path = write(source, suffix)
    const { keys, codes } = await load(path)
    assert.deepEqual(codes, ['CORE_NO_HOST_KEYS'], source)
    assert.deepEqual((await loadConfig(path, { onlyParse: true })).config.ssh.hostkeys, keys, source)
  }
})

test('whatever the options, writing the key changes no other one', async () => {
  const key = await generateHostKey('x')
  const plain = fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.array(fc.string())))
  const options = fc.record({ ssh: plain, other: plain, log: fc.constant({ level: 'info' }) })
  fc.assert(
    fc.property(options, fc.boolean(), (value, json) => {
      // withHostKey compares before and after itself, and throws.
      withHostKey(json ? 'c.json' : 'c.yaml', json ? JSON.stringify(value) : stringify(value), key)
    }),
  )
})

test('mode and symbolic link of the file survive', async () => {
  const path = write('log: {level: info}\n', 'yaml', 0o640)
  const link = join(folder, 'link.yaml')
  symlinkSync(path, link)
  await load(link)
  assert.equal(statSync(path).mode & 0o7777, 0o640)
  assert.match(readFileSync(path, 'utf8'), /OPENSSH PRIVATE KEY/)
  assert.equal(readFileSync(link, 'utf8'), readFileSync(path, 'utf8'))
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.endsWith('~')),
    [],
  )
})

test('a file that cannot be replaced gives a warning, and the key lives in memory', async () => {
  const path = write('log: {level: info}\n')
  mkdirSync(`${path}~`)
  const { keys, codes, records } = await load(path)
  assert.equal(keys.length, 1)
  assert.deepEqual(codes, ['CORE_NO_HOST_KEYS', 'CORE_CONFIG_CANNOT_WRITE_FILE'])
  assert.deepEqual(records[1]?.labels, { file: path, tmpFile: `${path}~`, module: 'core' })
  assert.equal(readFileSync(path, 'utf8'), 'log: {level: info}\n')
})

test('a left-over temporary file of an earlier try is replaced, a link in its place is not followed', async () => {
  const path = write('{}\n')
  writeFileSync(`${path}~`, 'old', { mode: 0o666 })
  assert.deepEqual((await load(path)).codes, ['CORE_NO_HOST_KEYS'])
  const other = write('{}\n')
  const victim = write('precious', 'txt')
  symlinkSync(victim, `${other}~`)
  assert.deepEqual((await load(other)).codes, ['CORE_NO_HOST_KEYS', 'CORE_CONFIG_CANNOT_WRITE_FILE'])
  assert.equal(readFileSync(victim, 'utf8'), 'precious')
})

test('a generator that fails stops the start', async () => {
  const path = write('{}\n')
  const failing = load(path, defaults(), () => Promise.reject(new Error('no entropy')))
  await assert.rejects(
    failing,
    (error: unknown) => error instanceof Fault && error.code === 'CORE_HOST_KEY_GENERATION_FAILED',
  )
})
