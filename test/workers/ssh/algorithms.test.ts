import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { createOffer } from '../../../src/workers/ssh/algorithms.ts'
import { sshString } from '../../../src/workers/ssh/blob.ts'
import { parseHostKey } from '../../../src/workers/ssh/host-key.ts'
import { negotiate } from '../../../src/workers/ssh/kex/negotiate.ts'
import { ProtocolError } from '../../../src/workers/ssh/protocol-error.ts'
import { algorithms, hostKeys } from './transport-rig.ts'

const { offer } = createOffer(algorithms, hostKeys)

test('names that cannot be used are left out, with one warning per list', () => {
  const config = {
    kex: ['curve25519-sha256', 'diffie-hellman-group-exchange-sha256', 'toString'],
    ciphers: ['arcfour', 'aes128-ctr', 'aes128-ctr', 'tripledescbcID'],
    macs: ['umac-64@openssh.com', 'hmac-sha2-256'],
  }
  const { offer, warnings } = createOffer(config, hostKeys)
  assert.deepEqual([offer.kex, offer.ciphers, offer.macs], [['curve25519-sha256'], ['aes128-ctr'], ['hmac-sha2-256']])
  assert.deepEqual(warnings, [
    'key exchange not available here: diffie-hellman-group-exchange-sha256, toString',
    'cipher not available here: arcfour, tripledescbcID',
    'MAC not available here: umac-64@openssh.com',
  ])
})

test('a list of which nothing is usable is an error that shows it, and so is no host key', () => {
  assert.throws(() => createOffer({ ...algorithms, ciphers: ['arcfour'] }, hostKeys), /no usable cipher.*\[arcfour\]/)
  assert.throws(() => createOffer(algorithms, []), /no host key/)
})

test('every name of the test configuration is usable, so that the tests cover them', () => {
  assert.deepEqual(createOffer(algorithms, hostKeys).warnings, [])
})

test('of two host keys of one type the last is used, and RSA is offered with SHA-2 only', () => {
  const pem = (): string =>
    generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  const [first, last] = [parseHostKey(pem()), parseHostKey(pem())]
  const { offer } = createOffer(algorithms, [first, ...hostKeys, last])
  assert.equal(offer.hostKeys.get('ssh-ed25519'), last)
  assert.equal(offer.hostKeys.has('ssh-rsa'), false)
  assert.equal(offer.hostKeys.has('rsa-sha2-512'), true)
})

interface Proposal {
  readonly kex: string
  readonly hostKey?: string
  readonly cipher?: string
  readonly mac?: string
  readonly compression?: string
  readonly guessed?: boolean
}
function kexInit({
  kex,
  hostKey = 'ssh-ed25519',
  cipher = 'aes128-ctr',
  mac = 'hmac-sha2-256',
  compression = 'none',
  guessed = false,
}: Proposal): Buffer {
  const lists = [kex, hostKey, cipher, cipher, mac, mac, compression, compression, '', '']
  return Buffer.concat([
    Buffer.of(20),
    Buffer.alloc(16),
    ...lists.map(sshString),
    Buffer.of(guessed ? 1 : 0, 0, 0, 0, 0),
  ])
}

test('the first of the client that the server has is chosen', () => {
  const chosen = negotiate(
    kexInit({
      kex: 'foo,ecdh-sha2-nistp521,curve25519-sha256',
      hostKey: 'x,rsa-sha2-256',
      cipher: 'y,aes256-ctr',
      mac: 'z,hmac-sha2-512',
    }),
    offer,
  )
  assert.equal(chosen.kexName, 'ecdh-sha2-nistp521')
  assert.equal(chosen.hostKeyAlgorithm, 'rsa-sha2-256')
  assert.equal(chosen.inbound.name, 'aes256-ctr')
  assert.equal(chosen.outbound.mac?.len, 64)
})

test('an RSA key will sign with the algorithm of the exchange, else with the best that the client names', () => {
  const rsaSignature = (hostKey: string): string =>
    negotiate(kexInit({ kex: 'curve25519-sha256', hostKey }), offer).rsaSignature
  assert.equal(rsaSignature('rsa-sha2-256,rsa-sha2-512'), 'rsa-sha2-256')
  assert.equal(rsaSignature('ssh-ed25519,rsa-sha2-256'), 'rsa-sha2-256')
  assert.equal(rsaSignature('ssh-ed25519,rsa-sha2-256,rsa-sha2-512'), 'rsa-sha2-512')
  assert.equal(rsaSignature('ssh-ed25519,ssh-rsa'), 'rsa-sha2-512')
})

test('a cipher that authenticates needs no common MAC', () => {
  assert.equal(
    negotiate(kexInit({ kex: 'curve25519-sha256', cipher: 'aes128-gcm@openssh.com', mac: 'umac' }), offer).inbound.mac,
    undefined,
  )
  assert.throws(
    () => negotiate(kexInit({ kex: 'curve25519-sha256', mac: 'umac' }), offer),
    /no common MAC from client to server/,
  )
})

test('compression, and names that only mark an extension, are never agreed on', () => {
  assert.throws(
    () => negotiate(kexInit({ kex: 'curve25519-sha256', compression: 'zlib' }), offer),
    /no common compression/,
  )
  assert.throws(
    () => negotiate(kexInit({ kex: 'ext-info-c,kex-strict-s-v00@openssh.com' }), offer),
    /no common key exchange/,
  )
})

test('a guessed packet is ignored unless both sides prefer the same method and host key', () => {
  const [first = ''] = offer.kex
  const guess = (kex: string, hostKey: string): boolean =>
    negotiate(kexInit({ kex, hostKey, guessed: true }), offer).wrongGuess
  assert.equal(guess(first, 'ssh-ed25519'), false)
  assert.equal(guess(`curve25519-sha256,${first}`, 'ssh-ed25519'), true)
  assert.equal(guess(first, 'rsa-sha2-256,ssh-ed25519'), true)
  assert.equal(negotiate(kexInit({ kex: 'curve25519-sha256' }), offer).wrongGuess, false)
})

test('any bytes are a proposal or a ProtocolError', () => {
  const good = kexInit({ kex: 'curve25519-sha256' })
  fc.assert(
    fc.property(fc.nat(good.length - 1), fc.nat(255), fc.nat(good.length), (at, value, length) => {
      const bytes = Buffer.from(good)
      bytes[at] = value
      try {
        negotiate(bytes.subarray(0, length), offer)
      } catch (error) {
        assert.ok(error instanceof ProtocolError, String(error))
      }
    }),
  )
})
