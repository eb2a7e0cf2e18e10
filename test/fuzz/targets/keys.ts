/** Keys, certificates and signatures of strangers; keys of the administrator. */
import assert from 'node:assert/strict'
import { MalformedBlob } from '../../../src/workers/ssh/blob.ts'
import { isSignedBy, parseCertificate } from '../../../src/workers/ssh/certificate.ts'
import { parseHostKey } from '../../../src/workers/ssh/host-key.ts'
import { parsePublicKeyBlob, publicKeyBlob } from '../../../src/workers/ssh/public-key.ts'
import { verifySignature } from '../../../src/workers/ssh/signature.ts'
import { parseAuthorizedKey } from '../../../src/workers/ssh/user-key.ts'
import { allowing, type Target } from '../target.ts'

const target = (mostBytes: number, run: Target['run']): Target => ({ run, mostBytes })
/** Malformed, or a plain Error that says what is not supported. */
const refusals = [MalformedBlob, Error]

export const keys: Readonly<Record<string, Target>> = {
  'public-key': target(4096, (bytes) => {
    const key = allowing(refusals, () => parsePublicKeyBlob(bytes))
    if (key === undefined) return
    assert.deepEqual(key.blob, bytes)
    // What was read is what stands there: no two blobs for one key.
    if (key.application === undefined) assert.deepEqual(publicKeyBlob(key.key).blob, bytes)
  }),
  certificate: target(8192, (bytes) => {
    const certificate = allowing(refusals, () => parseCertificate(bytes))
    if (certificate === undefined) return
    const authority = allowing(refusals, () => parsePublicKeyBlob(certificate.authority))
    if (authority !== undefined) isSignedBy(certificate, authority)
  }),
  /** A key, then a signature: never throws. */
  signature: target(4096, (bytes) => {
    const length = bytes.length < 2 ? 0 : bytes.readUInt16BE()
    const blob = bytes.subarray(2, 2 + length)
    const key = allowing(refusals, () => parsePublicKeyBlob(blob))
    if (key === undefined) return
    for (const name of key.algorithms) {
      assert.equal(verifySignature(key, name, Buffer.from('other'), bytes.subarray(2 + length)).valid, false)
    }
  }),
  'authorized-key': target(2048, (bytes) => {
    allowing(refusals, () => parseAuthorizedKey(bytes.toString('utf8')))
  }),
  'host-key': target(4096, (bytes) => {
    allowing(refusals, () => parseHostKey(bytes.toString('latin1')))
  }),
}
