import assert from 'node:assert/strict'
import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto'
import { describe, test } from 'node:test'
import { sshString } from '../../../src/workers/ssh/blob.ts'
import { Reader } from '../../../src/workers/ssh/bytes.ts'
import { parseHostKey } from '../../../src/workers/ssh/host-key.ts'
import { createHostKeys, mayHearOfHostKeys } from '../../../src/workers/ssh/host-key-proof.ts'
import { serve } from './double.ts'
import { verifyUserSignature } from './signing.ts'

const pems = {
  ed25519: generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  ecdsa: generateKeyPairSync('ec', { namedCurve: 'P-256' })
    .privateKey.export({ type: 'pkcs8', format: 'pem' })
    .toString(),
  rsa: generateKeyPairSync('rsa', { modulusLength: 2048 })
    .privateKey.export({ type: 'pkcs8', format: 'pem' })
    .toString(),
}
const ed25519 = parseHostKey(pems.ed25519)
const ecdsa = parseHostKey(pems.ecdsa)
const rsa = parseHostKey(pems.rsa)
const all = [ed25519, ecdsa, rsa]
const { blob: strange } = parseHostKey(
  generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
)
const sessionId = Buffer.from('the session id')
const request = 'hostkeys-prove-00@openssh.com'
const signedBy = (blob: Buffer): Buffer => Buffer.concat([sshString(request), sshString(sessionId), sshString(blob)])

/** The signature blobs of an answer. */
function signatures(answer: Buffer | undefined): Buffer[] {
  const reader = new Reader(answer ?? Buffer.alloc(0))
  const found: Buffer[] = []
  while (!reader.complete && !reader.failed) found.push(reader.string())
  assert.equal(reader.failed, false)
  return found
}
const algorithmOf = (signature: Buffer): string => new Reader(signature).name()

test('each key signs the name of the request, the session id and itself, in the order asked for', () => {
  const keys = createHostKeys(all)
  const asked = [rsa, ed25519, ecdsa]
  const answer = keys.prove(
    asked.map(({ blob }) => blob),
    { sessionId, rsaSignature: 'rsa-sha2-256' },
  )
  const found = signatures(answer)
  assert.deepEqual(found.map(algorithmOf), ['rsa-sha2-256', 'ssh-ed25519', 'ecdsa-sha2-nistp256'])
  for (const [i, { blob }] of asked.entries()) {
    const signature = found[i] ?? Buffer.alloc(0)
    assert.ok(verifyUserSignature(algorithmOf(signature), blob, signedBy(blob), signature))
    assert.ok(!verifyUserSignature(algorithmOf(signature), blob, signedBy(strange), signature))
  }
  // Once by other means than our own.
  const reader = new Reader(found[1] ?? Buffer.alloc(0))
  reader.name()
  assert.ok(verify(null, signedBy(ed25519.blob), createPublicKey(pems.ed25519), reader.string()))
})

test('an RSA key signs with the hash that the client can do', () => {
  const keys = createHostKeys(all)
  for (const rsaSignature of ['rsa-sha2-512', 'rsa-sha2-256']) {
    assert.deepEqual(signatures(keys.prove([rsa.blob], { sessionId, rsaSignature })).map(algorithmOf), [rsaSignature])
  }
})

test('nothing is signed when one of the keys is not ours', () => {
  let signed = 0
  const counting = all.map((key) => ({
    ...key,
    sign(algorithm: string, data: Uint8Array) {
      signed++
      return key.sign(algorithm, data)
    },
  }))
  const keys = createHostKeys(counting)
  assert.equal(keys.prove([ed25519.blob, strange], { sessionId, rsaSignature: '' }), undefined)
  assert.equal(signed, 0)
})

test('clients that are known to end the connection over it do not hear of host keys', () => {
  const frightened = ['TTSSH/2.72 Win32', 'TTSSH/1.5.4', 'TTSSH/2.10', 'TeraTerm SSH 1', 'Cisco-1.25']
  for (const software of frightened) assert.equal(mayHearOfHostKeys(`SSH-2.0-${software}`), false, software)
  const others = ['TTSSH/2.73', 'TTSSH/2.91', 'TTSSH/3.1', 'OpenSSH_9.2p1', 'Cisco-2.0', 'PuTTY_Release_0.78', 'Go']
  for (const software of others) assert.equal(mayHearOfHostKeys(`SSH-2.0-${software}`), true, software)
})

describe('a client that logs in', () => {
  const announcement = 'global hostkeys-00@openssh.com false'
  const login = async (script: Parameters<typeof serve>[0]) => {
    const served = serve({ hostKeys: all, ...script })
    served.client.password('alice', 'secret')
    return { ...served, heard: await served.client.heard() }
  }

  test('is told all host keys, right after the login', async () => {
    const { heard, wire } = await login({})
    assert.deepEqual(heard, ['auth success', announcement])
    const sent = wire.sent.at(-1) ?? Buffer.alloc(0)
    const expected = Buffer.concat(all.map(({ blob }) => sshString(blob)))
    assert.ok(sent.subarray(-expected.length).equals(expected))
  })

  test('is not when that is switched off, or would frighten it', async () => {
    assert.deepEqual((await login({ ssh: { announceHostKeys: false } })).heard, ['auth success'])
    assert.deepEqual((await login({ clientVersion: 'SSH-2.0-TTSSH/2.72' })).heard, ['auth success'])
  })

  const blobs = (...keys: readonly Uint8Array[]): Buffer => Buffer.concat(keys.map((key) => sshString(key)))

  test('gets them proven, but not without end', async () => {
    const { client, wire } = await login({})
    client.global(request, true, blobs(rsa.blob, ed25519.blob))
    const [answer] = await client.heard()
    assert.match(answer ?? '', /^request success [0-9a-f]+$/)
    const found = signatures(wire.sent.at(-1)?.subarray(1))
    assert.deepEqual(found.map(algorithmOf), ['rsa-sha2-256', 'ssh-ed25519'])
    assert.ok(verifyUserSignature('ssh-ed25519', ed25519.blob, signedBy(ed25519.blob), found[1] ?? Buffer.alloc(0)))
    client.global(request, true, blobs(rsa.blob, ecdsa.blob, ed25519.blob))
    assert.match((await client.heard())[0] ?? '', /^request success /)
    client.global(request, true, blobs(rsa.blob, ecdsa.blob))
    assert.deepEqual(await client.heard(), ['request failure'])
  })

  test('gets a failure for keys that are not ours, for more than there are, for none, and for half a key', async () => {
    const { client, wire } = await login({})
    const before = client.codes.length
    client.global(request, true, blobs(ed25519.blob, strange))
    client.global(request, true, blobs(...Array<Buffer>(4).fill(ed25519.blob)))
    client.global(request, true)
    client.global(request, true, Buffer.of(0, 0, 0, 9, 1))
    assert.deepEqual(await client.heard(), Array<string>(4).fill('request failure'))
    assert.deepEqual(client.codes.slice(before), [
      'SSH_GLOBAL_REQUEST',
      'SSH_GLOBAL_REQUEST_FAILED',
      ...Array<string>(3).fill('SSH_DECODE_FAILED'),
    ])
    assert.equal(wire.ended, undefined)
  })
})
