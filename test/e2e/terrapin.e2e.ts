/**
 * The Terrapin attack (CVE-2023-48795) mounted against the daemon. Strict key exchange starts sequence numbers anew with
 * the keys and forbids all but the exchange before that: https://www.openssh.com/txt/release-9.6
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { until } from '../rigs/daemon.ts'
import { type Login, login } from '../rigs/login.ts'
import { type Meddling, meddle } from '../rigs/meddler.ts'
import { client } from '../rigs/ssh.ts'
import { type Client, connectClient, direction, looseOffer, serviceRequest } from '../workers/ssh/transport-rig.ts'

const ciphers: readonly (readonly string[])[] = [
  ['chacha20-poly1305@openssh.com'],
  ['aes256-ctr', 'hmac-sha2-256-etm@openssh.com'],
]
const serviceAccept = 6
const extInfo = 7

/** ssh2 believes in strict key exchange as soon as the server offers it, even when it has not offered it itself. */
async function connectLoose(port: number): Promise<Client> {
  const loose = await connectClient(port, { offer: looseOffer('chacha20-poly1305@openssh.com') })
  Object.defineProperty(loose.protocol, '_strictMode', { get: () => false, set: () => undefined })
  return loose
}

describe('the Terrapin attack', { concurrency: 1 }, () => {
  let host: Login
  before(async () => {
    host = await login()
  })
  after(() => host[Symbol.asyncDispose]())

  test('works on a client without strict key exchange: it does not notice that it never got EXT_INFO', async () => {
    await using between = await meddle(host.daemon.port, { towards: 'client', inject: true, swallow: true })
    const loose = await connectLoose(between.port)
    await loose.exchanged()
    loose.send(serviceRequest)
    assert.equal((await loose.receive())[0], serviceAccept)
    assert.deepEqual(loose.errors, [])
    loose.socket.destroy()
    // Left alone, it would have been told the signature algorithms first.
    const alone = await connectLoose(host.daemon.port)
    await alone.exchanged()
    assert.equal((await alone.receive())[0], extInfo)
    alone.socket.destroy()
  })

  /** Waits until the daemon has said, after the mark, why a connection failed. */
  const failure = (mark: number, reason: RegExp) =>
    host.daemon.line(
      'SSH_HANDSHAKE_FAILED',
      (line) => host.daemon.lines.indexOf(line) >= mark && reason.test(line.message),
    )

  for (const [cipher = '', mac] of ciphers) {
    const options = ['-o', `Ciphers=${cipher}`, ...(mac === undefined ? [] : ['-o', `MACs=${mac}`])]
    const attack = async (meddling: Meddling) => {
      await using between = await meddle(host.daemon.port, meddling)
      const ssh = client(between.port, host.key, host.user)
      const { code, stderr } = await ssh.run(['true'], { options: [...options, '-v'] })
      return { code, stderr, done: between.done }
    }

    test(`is noticed by the OpenSSH client: a message put in before NEWKEYS, with ${cipher}`, async () => {
      const { code, stderr, done } = await attack({ towards: 'client', inject: true, swallow: true })
      assert.equal(done.injected, 1)
      assert.match(stderr, /strict KEX violation: unexpected packet type 2/)
      assert.equal(code, 255)
    })

    test(`is noticed by the OpenSSH client: the first encrypted message taken away, with ${cipher}`, async () => {
      const { code, stderr, done } = await attack({ towards: 'client', swallow: true })
      assert.ok(done.swallowedBytes > 100, 'EXT_INFO was swallowed')
      assert.match(stderr, /message authentication code incorrect|Corrupted MAC|Bad packet length/)
      assert.equal(code, 255)
    })

    test(`is noticed by the server: a message put in before NEWKEYS, with ${cipher}`, async () => {
      const mark = host.daemon.lines.length
      const { code, done } = await attack({ towards: 'server', inject: true, swallow: true })
      assert.equal(done.injected, 1)
      assert.equal(code, 255)
      await failure(mark, /message 2 in the first key exchange \(strict KEX\)/)
    })

    test(`is noticed by the server: the first encrypted message taken away, with ${cipher}`, async () => {
      const mark = host.daemon.lines.length
      await using between = await meddle(host.daemon.port, { towards: 'server', swallow: true })
      const offer = {
        kex: ['curve25519-sha256'],
        serverHostKey: ['ssh-ed25519'],
        ...direction(cipher, mac ? [mac] : []),
      }
      const strict = await connectClient(between.port, { offer })
      await strict.exchanged()
      // An IGNORE that the man in the middle takes away; what follows has number 1 where the server expects 0.
      strict.send(Buffer.of(2, 0, 0, 0, 0))
      await until('the IGNORE to be taken away', () => between.done.swallowedBytes > 0)
      strict.send(serviceRequest)
      await strict.closed
      await failure(mark, /MAC|bad length/)
    })
  }
})
