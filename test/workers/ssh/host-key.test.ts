import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { generateKeyPairSync, verify } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { sshString } from '../../../src/workers/ssh/blob.ts'
import { parseHostKey } from '../../../src/workers/ssh/host-key.ts'
import { parseAuthorizedKey } from '../../../src/workers/ssh/user-key.ts'
import { verifyUserSignature } from './signing.ts'

const folder = mkdtempSync(join(tmpdir(), 'host-key-'))
after(() => rmSync(folder, { recursive: true }))

const kinds: readonly (readonly [name: string, args: readonly string[], algorithms: readonly string[]])[] = [
  ['Ed25519', ['-t', 'ed25519'], ['ssh-ed25519']],
  ['ECDSA P-256', ['-t', 'ecdsa', '-b', '256'], ['ecdsa-sha2-nistp256']],
  ['ECDSA P-384', ['-t', 'ecdsa', '-b', '384'], ['ecdsa-sha2-nistp384']],
  ['ECDSA P-521', ['-t', 'ecdsa', '-b', '521'], ['ecdsa-sha2-nistp521']],
  ['RSA', ['-t', 'rsa', '-b', '2048'], ['rsa-sha2-512', 'rsa-sha2-256']],
]

function keygen(name: string, args: readonly string[]): string {
  const path = join(folder, name.replaceAll(' ', '-'))
  execFileSync('ssh-keygen', ['-q', '-N', '', '-C', 'test', '-f', path, ...args])
  return path
}

for (const [name, args, algorithms] of kinds) {
  for (const format of ['RFC4716', 'PKCS8', 'PEM']) {
    if (format === 'PEM' && name === 'Ed25519') continue
    test(`${name} key in the ${format} form of ssh-keygen has its public key, fingerprint and valid signatures`, () => {
      const path = keygen(`${name} ${format}`, args)
      if (format !== 'RFC4716')
        execFileSync('ssh-keygen', ['-q', '-p', '-N', '', '-P', '', '-m', format, '-f', path], { stdio: 'ignore' })
      const key = parseHostKey(readFileSync(path, 'utf8'))
      const line = readFileSync(`${path}.pub`, 'utf8')
      assert.equal(key.blob.toString('base64'), line.split(' ')[1])
      assert.equal(
        key.fingerprint,
        execFileSync('ssh-keygen', ['-lf', `${path}.pub`], { encoding: 'utf8' }).split(' ')[1],
      )
      assert.deepEqual(key.algorithms, algorithms)
      const data = Buffer.from('exchange hash')
      const { blob } = parseAuthorizedKey(line)
      for (const algorithm of algorithms) {
        const signature = Buffer.concat([sshString(algorithm), sshString(key.sign(algorithm, data))])
        assert.equal(verifyUserSignature(algorithm, blob, data, signature), true)
      }
    })
  }
}

test('Ed25519 key of node:crypto in PKCS#8 is read', () => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const key = parseHostKey(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString())
  const data = Buffer.from('data')
  assert.equal(verify(null, data, publicKey, key.sign('ssh-ed25519', data)), true)
})

const refused: readonly (readonly [name: string, pem: () => string, message: RegExp])[] = [
  ['an empty text', () => '', /no PEM text found; expected an unencrypted OpenSSH/],
  [
    'an RSA key of 1024 bits',
    () =>
      generateKeyPairSync('rsa', { modulusLength: 1024 })
        .privateKey.export({ type: 'pkcs1', format: 'pem' })
        .toString(),
    /1024 bits; expected/,
  ],
  [
    'a public key',
    () => generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    /found "PUBLIC KEY"; expected/,
  ],
  [
    'a DSA key',
    () =>
      generateKeyPairSync('dsa', { modulusLength: 2048, divisorLength: 256 })
        .privateKey.export({ type: 'pkcs8', format: 'pem' })
        .toString(),
    /type dsa; expected/,
  ],
  [
    'a key of another curve',
    () =>
      generateKeyPairSync('ec', { namedCurve: 'secp256k1' })
        .privateKey.export({ type: 'sec1', format: 'pem' })
        .toString(),
    /type ec; expected/,
  ],
  [
    'an X25519 key',
    () => generateKeyPairSync('x25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    /type x25519; expected/,
  ],
  [
    'an encrypted PKCS#8 key',
    () =>
      generateKeyPairSync('ed25519')
        .privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' })
        .toString(),
    /passphrase; expected/,
  ],
  [
    'an encrypted PKCS#1 key',
    () =>
      generateKeyPairSync('rsa', { modulusLength: 2048 })
        .privateKey.export({ type: 'pkcs1', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' })
        .toString(),
    /passphrase; expected/,
  ],
  [
    'an encrypted OpenSSH key',
    () => {
      const path = join(folder, 'encrypted')
      execFileSync('ssh-keygen', ['-q', '-N', 'secret', '-t', 'ed25519', '-f', path])
      return readFileSync(path, 'utf8')
    },
    /passphrase; expected/,
  ],
  [
    'rubbish inside of PEM lines',
    () => '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n',
    /cannot be read; expected/,
  ],
  [
    'rubbish inside of OpenSSH lines',
    () => '-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n',
    /cannot be read; expected/,
  ],
  [
    'an OpenSSH key without its last line',
    () => '-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n',
    /end line is missing; expected/,
  ],
]
for (const [name, pem, message] of refused) {
  test(`${name} is refused with a text that says what was expected`, () =>
    assert.throws(() => parseHostKey(pem()), message))
}

test('a damaged OpenSSH key is read as the same key or refused with an Error that says what was expected', () => {
  const text = readFileSync(keygen('damaged', ['-t', 'ecdsa']), 'utf8')
  const body = Buffer.from(text.replaceAll(/-----.*-----/g, ''), 'base64')
  const { fingerprint } = parseHostKey(text)
  fc.assert(
    fc.property(fc.nat(body.length - 1), fc.integer({ min: 1, max: 255 }), fc.nat(body.length), (at, flip, length) => {
      const damaged = Buffer.from(body)
      damaged.writeUInt8((damaged[at] ?? 0) ^ flip, at)
      const cut = length % 2 === 0 ? damaged : damaged.subarray(0, length)
      const pem = `-----BEGIN OPENSSH PRIVATE KEY-----\n${cut.toString('base64')}\n-----END OPENSSH PRIVATE KEY-----\n`
      try {
        assert.equal(parseHostKey(pem).fingerprint, fingerprint)
      } catch (error) {
        assert.match(String(error), /expected an/)
      }
    }),
  )
})
