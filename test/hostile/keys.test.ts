/** Keys that are none, or cost too much: refused one by one, and the connection lives on until it has tried too often. */
import assert from 'node:assert/strict'
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import { sshMpint, sshString } from '../../src/workers/ssh/blob.ts'
import { publicKeyBlob } from '../../src/workers/ssh/public-key.ts'
import { attempt, keyQuery } from '../rigs/raw/login.ts'
import { type Attacker, target } from './target.ts'

const types = [
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'ssh-rsa',
  'sk-ssh-ed25519@openssh.com',
  'sk-ecdsa-sha2-nistp256@openssh.com',
]
const certificates = types.map((type) => `${type.replace('@openssh.com', '')}-cert-v01@openssh.com`)
const algorithmOf = (type: string): string =>
  type === 'ssh-rsa' ? 'rsa-sha2-512' : type.replace(/^ssh-rsa-cert/, 'rsa-sha2-512-cert')

const pieces = (type: string): readonly (readonly [name: string, blob: Buffer])[] => [
  ['nothing', Buffer.alloc(0)],
  ['its type only', sshString(type)],
  ['another type', Buffer.concat([sshString('ssh-dss'), Buffer.alloc(64)])],
  ['a string of 4 GiB', Buffer.concat([sshString(type), Buffer.alloc(4, 255)])],
  ['empty fields', Buffer.concat([sshString(type), Buffer.alloc(64)])],
  ['noise', Buffer.concat([sshString(type), sshString(randomBytes(32)), sshString(randomBytes(65))])],
  ['its type in 250 KB', Buffer.concat([sshString(type), randomBytes(250_000)])],
  ['a type of 250 KB', sshString('x'.repeat(250_000))],
  ['a type with a line feed', sshString(`${type}\n`)],
]

/** A modulus of that many bits; nobody can sign with it, but everybody can ask for it to be verified. */
function rsaBlob(bits: number): Buffer {
  const modulus = randomBytes(bits / 8)
  modulus[0] = 0xff
  modulus[modulus.length - 1] = 0xff
  return Buffer.concat([sshString('ssh-rsa'), sshMpint(Buffer.of(1, 0, 1)), sshMpint(modulus)])
}
const proof = (algorithm: string, blob: Uint8Array, signature: Uint8Array): Buffer => {
  const inner = Buffer.concat([sshString(algorithm), sshString(signature)])
  const rest = Buffer.concat([Buffer.of(1), sshString(algorithm), sshString(blob), sshString(inner)])
  return attempt('mallory', 'publickey', rest)
}

describe('a key', () => {
  const attack = target({ maxAuthTries: 1000 })
  const refused = async (attacker: Attacker, payload: Buffer): Promise<void> => {
    attacker.client.send(payload)
    await attacker.client.receive(51)
  }
  for (const type of [...types, ...certificates]) {
    test(`of type ${type} that is malformed is refused, asked for or signed with`, async () => {
      const attacker = await attack.approach()
      for (const [, blob] of pieces(type)) {
        for (const algorithm of new Set([algorithmOf(type), type])) {
          await refused(attacker, keyQuery('mallory', algorithm, blob))
          await refused(attacker, proof(algorithm, blob, randomBytes(64)))
        }
      }
      const lines = attacker.records().filter(({ code }) => code === 'SSH_AUTH_FAILED')
      assert.ok(lines.length >= 18)
      for (const { message } of lines) assert.ok(message.length < 2000, `${message.length}: ${message.slice(0, 200)}`)
      attacker.client.socket.destroy()
    })
  }
  test('that is good, with a signature that is not, is refused', async () => {
    const attacker = await attack.approach()
    const { algorithm, blob } = attack.key
    const signatures = [Buffer.alloc(0), Buffer.alloc(63), Buffer.alloc(64), Buffer.alloc(65), randomBytes(200_000)]
    for (const signature of signatures) await refused(attacker, proof(algorithm, blob, signature))
    await refused(attacker, proof('rsa-sha2-512', blob, Buffer.alloc(64)))
    const rest = [Buffer.of(1), sshString(algorithm), sshString(blob)]
    await refused(attacker, attempt('mallory', 'publickey', Buffer.concat([...rest, Buffer.alloc(4)])))
    await refused(attacker, attempt('mallory', 'publickey', Buffer.concat(rest)))
    attacker.client.socket.destroy()
  })
  test('of the wrong curve, or no point of its curve, is refused', async () => {
    const attacker = await attack.approach()
    const { blob } = publicKeyBlob(generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey)
    for (const at of [20, blob.length - 1, blob.length - 40]) {
      const other = Buffer.from(blob)
      other.writeUInt8(other.readUInt8(at) ^ 1, at)
      await refused(attacker, proof('ecdsa-sha2-nistp256', other, Buffer.alloc(70)))
    }
    await refused(attacker, proof('ecdsa-sha2-nistp384', blob, Buffer.alloc(70)))
    attacker.client.socket.destroy()
  })
  for (const bits of [16_384, 16_392, 20_480, 131_072]) {
    test(`of type RSA with ${bits} bits costs little to refuse`, async () => {
      const attacker = await attack.approach()
      const blob = rsaBlob(bits)
      const before = process.cpuUsage()
      for (let i = 0; i < 20; i++) {
        await refused(attacker, keyQuery('mallory', 'rsa-sha2-512', blob))
        await refused(attacker, proof('rsa-sha2-512', blob, Buffer.alloc(bits / 8, 1)))
      }
      const { user } = process.cpuUsage(before)
      // CPU, not time: both ends together, in microseconds.
      assert.ok(user / 20 < 50_000, `${user / 20} us each`)
      await attack.serves()
      attacker.client.socket.destroy()
    })
  }
  for (const [name, exponent] of [
    ['1', Buffer.of(1)],
    ['2', Buffer.of(2)],
    ['2048 bits', Buffer.alloc(256, 0x7f)],
  ] as const) {
    test(`of type RSA with an exponent of ${name} is refused`, async () => {
      const attacker = await attack.approach()
      const modulus = Buffer.alloc(256, 0xff)
      const blob = Buffer.concat([sshString('ssh-rsa'), sshMpint(exponent), sshMpint(modulus)])
      await refused(attacker, proof('rsa-sha2-256', blob, Buffer.alloc(256, 1)))
      attacker.client.socket.destroy()
    })
  }
  test('that was refused lets nobody in, and disturbs nobody', async () => {
    const names = attack.server.records
      .filter(({ code }) => code === 'SSH_AUTH_SUCCESSFUL')
      .map((r) => r.labels['username'])
    assert.deepEqual([...new Set(names)], ['bob'])
    await attack.serves()
    await attack.forgets()
  })
})
