/** Host keys in every file format, and host certificates, against the stock OpenSSH client with strict checking. */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { parseHostKey } from '../../../src/workers/ssh/host-key.ts'
import { makeAuthority } from '../../rigs/authority.ts'
import { startServer, type TestServer } from '../../rigs/server.ts'
import { type Finished, finish } from '../../rigs/ssh.ts'

const folder = mkdtempSync(join(tmpdir(), 'host-keys-'))
after(() => rmSync(folder, { recursive: true }))

const path = (name: string): string => join(folder, name.replaceAll(' ', '-'))
/** Writes a key of ssh-keygen; `form` is an argument of `-m`. */
function keygen(name: string, args: readonly string[], form?: string): string {
  const file = path(name)
  execFileSync('ssh-keygen', ['-q', '-N', '', '-C', 'test', '-f', file, ...args])
  const convert = ['-q', '-p', '-N', '', '-P', '', '-m', form ?? '', '-f', file]
  if (form !== undefined) execFileSync('ssh-keygen', convert, { stdio: 'ignore' })
  return file
}
function openssl(name: string, ...commands: readonly (readonly string[])[]): string {
  const file = path(name)
  let input: Buffer | undefined
  for (const command of commands) input = execFileSync('openssl', [...command], { input, stdio: 'pipe' })
  writeFileSync(file, input ?? '')
  return file
}

const rsa = ['rsa-sha2-512', 'rsa-sha2-256']
const pkey = (...options: readonly string[]): string[] => ['genpkey', ...options.flatMap((one) => ['-pkeyopt', one])]
const curve = (name: string): string[] => [...pkey(`ec_paramgen_curve:${name}`), '-algorithm', 'EC']
const sec1 = ['ec', '-outform', 'PEM']
const files: readonly (readonly [name: string, make: (name: string) => string, algorithms: readonly string[]])[] = [
  ['OpenSSH Ed25519', (name) => keygen(name, ['-t', 'ed25519']), ['ssh-ed25519']],
  ['OpenSSH ECDSA 256', (name) => keygen(name, ['-t', 'ecdsa', '-b', '256']), ['ecdsa-sha2-nistp256']],
  ['OpenSSH ECDSA 384', (name) => keygen(name, ['-t', 'ecdsa', '-b', '384']), ['ecdsa-sha2-nistp384']],
  ['OpenSSH ECDSA 521', (name) => keygen(name, ['-t', 'ecdsa', '-b', '521']), ['ecdsa-sha2-nistp521']],
  ['OpenSSH RSA', (name) => keygen(name, ['-t', 'rsa', '-b', '3072']), rsa],
  ['PKCS1 RSA of ssh-keygen', (name) => keygen(name, ['-t', 'rsa', '-b', '2048'], 'PEM'), rsa],
  ['PKCS8 RSA of ssh-keygen', (name) => keygen(name, ['-t', 'rsa', '-b', '2048'], 'PKCS8'), rsa],
  ['SEC1 ECDSA of ssh-keygen', (name) => keygen(name, ['-t', 'ecdsa', '-b', '256'], 'PEM'), ['ecdsa-sha2-nistp256']],
  ['PKCS8 Ed25519 of openssl', (name) => openssl(name, [...pkey(), '-algorithm', 'ED25519']), ['ssh-ed25519']],
  ['PKCS8 ECDSA 256 of openssl', (name) => openssl(name, curve('P-256')), ['ecdsa-sha2-nistp256']],
  ['PKCS8 ECDSA 384 of openssl', (name) => openssl(name, curve('P-384')), ['ecdsa-sha2-nistp384']],
  ['PKCS8 ECDSA 521 of openssl', (name) => openssl(name, curve('P-521')), ['ecdsa-sha2-nistp521']],
  ['SEC1 ECDSA 384 of openssl', (name) => openssl(name, curve('P-384'), sec1), ['ecdsa-sha2-nistp384']],
  ['SEC1 ECDSA 521 of openssl', (name) => openssl(name, curve('P-521'), sec1), ['ecdsa-sha2-nistp521']],
  ['PKCS8 RSA of openssl', (name) => openssl(name, [...pkey('rsa_keygen_bits:2048'), '-algorithm', 'RSA']), rsa],
  ['PKCS1 RSA of openssl', (name) => openssl(name, ['genrsa', '-traditional', '2048']), rsa],
]

/** Logs in, with these lines as the only known hosts. */
function strictly(server: TestServer, known: string, options: readonly string[] = []): Promise<Finished> {
  const file = path('known hosts')
  writeFileSync(file, known)
  const strict = ['-o', 'StrictHostKeyChecking=yes', '-o', `UserKnownHostsFile=${file}`]
  const ssh = ['-v', '-F', 'none', ...strict, ...options, ...['-i', server.key.file, '-o', 'BatchMode=yes']]
  return finish(
    spawn('ssh', [...ssh, '-o', 'IdentitiesOnly=yes', '-p', String(server.port), 'alice@127.0.0.1', 'exit', '0'], {
      stdio: ['pipe', 'pipe', 'pipe'],
    }),
  )
}
const host = (server: TestServer): string => `[127.0.0.1]:${server.port}`
const publicLine = (pem: string): string => {
  const { type, blob } = parseHostKey(pem)
  return `${type} ${blob.toString('base64')}`
}

describe('a host key file', () => {
  for (const [name, make, algorithms] of files) {
    test(`${name}: the client knows the key and gets each of its algorithms`, async () => {
      const pem = readFileSync(make(name), 'utf8')
      await using server = await startServer({ hostKeys: [pem] })
      for (const algorithm of algorithms) {
        const known = `${host(server)} ${publicLine(pem)}\n`
        const { code, stderr } = await strictly(server, known, ['-o', `HostKeyAlgorithms=${algorithm}`])
        assert.equal(code, 0, stderr)
        assert.match(stderr, new RegExp(`kex: host key algorithm: ${algorithm}\\b`))
      }
    })
  }

  test('whose key the client does not know is refused by the client', async () => {
    const [first, second] = ['one', 'two'].map((name) => readFileSync(keygen(name, ['-t', 'ed25519']), 'utf8'))
    await using server = await startServer({ hostKeys: [first ?? ''] })
    const { code, stderr } = await strictly(server, `${host(server)} ${publicLine(second ?? '')}\n`)
    assert.equal(code, 255)
    assert.match(stderr, /Host key verification failed/)
  })
})

describe('a host certificate', () => {
  const authority = makeAuthority()
  after(() => authority[Symbol.dispose]())
  const types: readonly (readonly [type: string, algorithms: readonly string[]])[] = [
    ['ed25519', ['ssh-ed25519-cert-v01@openssh.com']],
    ['ecdsa', ['ecdsa-sha2-nistp256-cert-v01@openssh.com']],
    ['rsa', ['rsa-sha2-512-cert-v01@openssh.com', 'rsa-sha2-256-cert-v01@openssh.com']],
  ]
  for (const [type, algorithms] of types) {
    test(`of an ${type} key convinces a client that knows only the CA, and the key one that knows only the key`, async () => {
      const file = keygen(`certified ${type}`, ['-t', type])
      const certificate = authority.sign({ file }, '127.0.0.1', ['-h'])
      const pem = readFileSync(file, 'utf8')
      await using server = await startServer({ hostKeys: [pem], ssh: { hostCertificates: [certificate] } })
      const known = `@cert-authority ${host(server)} ${authority.line}\n`
      for (const algorithm of algorithms) {
        const { code, stderr } = await strictly(server, known, ['-o', `HostKeyAlgorithms=${algorithm}`])
        assert.equal(code, 0, stderr)
        assert.match(stderr, new RegExp(`kex: host key algorithm: ${algorithm}`))
        assert.match(stderr, /matches CA|matches the .* host certificate|Host '.*' is known and matches/)
      }
      assert.equal((await strictly(server, `${host(server)} ${publicLine(pem)}\n`)).code, 0)
      const other = await strictly(server, `@cert-authority [192.0.2.1]:22 ${authority.line}\n`)
      assert.match(other.stderr, /Host key verification failed/)
    })
  }

  const unusable: readonly (readonly [name: string, principals: string, options: readonly string[], text: RegExp])[] = [
    ['for users', '127.0.0.1', [], /is a certificate for users/],
    ['that has expired', '127.0.0.1', ['-h', '-V', '-2d:-1d'], /has expired/],
    ['that names no host', '', ['-h'], /names no host/],
  ]
  for (const [name, principals, options, text] of unusable) {
    test(`${name} is left out with a warning, and the key serves without it`, async () => {
      const file = keygen(`uncertified ${name}`, ['-t', 'ed25519'])
      const certificate = authority.sign({ file }, principals, options)
      const pem = readFileSync(file, 'utf8')
      await using server = await startServer({ hostKeys: [pem], ssh: { hostCertificates: [certificate] } })
      assert.match((await server.line('CORE_CONFIG_WARNING')).message, text)
      assert.equal((await strictly(server, `${host(server)} ${publicLine(pem)}\n`)).code, 0)
    })
  }

  test('of a key that is no host key is left out with a warning', async () => {
    const file = keygen('another', ['-t', 'ed25519'])
    const certificate = authority.sign({ file }, '127.0.0.1', ['-h'])
    await using server = await startServer({ ssh: { hostCertificates: [certificate] } })
    assert.match((await server.line('CORE_CONFIG_WARNING')).message, /belongs to none of the host keys/)
  })
})
