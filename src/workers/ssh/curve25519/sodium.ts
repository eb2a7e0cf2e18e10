/**
 * By libsodium, of which the package sodium-native has builds for glibc on x64 and arm64. We load its build itself: its own
 * entry brings a stack of stream classes along, which takes each worker 22 ms and 2.4 MB. So these are internals of exactly
 * version 5.1.0, whose functions check no length; they are used only if they agree with the RFCs' examples.
 */
import type { KeyObject } from 'node:crypto'
import { fillRandom } from '../random.ts'
import type { Curve25519 } from './index.ts'

/** 0 is success, -1 failure: libsodium's `crypto_scalarmult` and `crypto_sign_detached`. */
interface Binding {
  crypto_scalarmult_base(q: Uint8Array, n: Uint8Array): number
  crypto_scalarmult(q: Uint8Array, n: Uint8Array, p: Uint8Array): number
  crypto_sign_detached(signature: Uint8Array, message: Uint8Array, secretKey: Uint8Array): number
  /** Three times memory, offset and length. */
  crypto_sign_verify_detached(
    signature: ArrayBufferLike,
    signatureOffset: number,
    signatureBytes: number,
    message: ArrayBufferLike,
    messageOffset: number,
    messageBytes: number,
    key: ArrayBufferLike,
    keyOffset: number,
    keyBytes: number,
  ): boolean
}

const keyBytes = 32
const signatureBytes = 64
const file = `sodium-native/prebuilds/${process.platform}-${process.arch}/sodium-native.node`

/** @throws Error when there is no build for this platform, or when it does not do as it should. */
export function openLibsodium(require: (file: string) => unknown): Curve25519 {
  // Proven right below, by what it does.
  const sodium = require(file) as Binding
  checkAgreement(sodium)
  checkSignature(sodium)
  // Not on V8's heap, where a collection would leave copies.
  const scalar = Buffer.allocUnsafeSlow(keyBytes)
  return {
    agree(clientValue) {
      expectBytes(clientValue, keyBytes)
      const answer = Buffer.allocUnsafe(keyBytes)
      const secret = Buffer.allocUnsafe(keyBytes)
      fillRandom(scalar, 0, keyBytes)
      const base = sodium.crypto_scalarmult_base(answer, scalar)
      const shared = sodium.crypto_scalarmult(secret, scalar, clientValue)
      scalar.fill(0)
      // RFC 8731 section 3: abort on the all-zero value, for which libsodium fails.
      if (base !== 0 || shared !== 0) throw new Error('the X25519 public key has a small order')
      return { answer, secret }
    },
    signer(key) {
      const secretKey = secretKeyOf(key)
      return (data) => signed(sodium, data, secretKey)
    },
    verify: ({ point }, data, signature) => isSigned(sodium, point, data, signature),
  }
}

function isSigned(sodium: Binding, point: Uint8Array, data: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== signatureBytes) return false
  expectBytes(point, keyBytes)
  return sodium.crypto_sign_verify_detached(
    signature.buffer,
    signature.byteOffset,
    signatureBytes,
    data.buffer,
    data.byteOffset,
    data.length,
    point.buffer,
    point.byteOffset,
    keyBytes,
  )
}

function signed(sodium: Binding, data: Uint8Array, secretKey: Uint8Array): Buffer {
  const signature = Buffer.allocUnsafe(signatureBytes)
  if (sodium.crypto_sign_detached(signature, data, secretKey) !== 0) throw new Error('libsodium made no signature')
  return signature
}

/** As libsodium has it: the seed and the public key. */
function secretKeyOf(key: KeyObject): Buffer {
  const { d = '', x = '' } = key.export({ format: 'jwk' })
  const secretKey = Buffer.allocUnsafeSlow(2 * keyBytes)
  secretKey.write(d, 0, 'base64url')
  secretKey.write(x, keyBytes, 'base64url')
  return secretKey
}

function expectBytes(value: Uint8Array, bytes: number): void {
  if (value.length !== bytes) throw new Error(`expected ${bytes} bytes, not ${value.length}`)
}

const hex = (text: string): Buffer => Buffer.from(text, 'hex')

/** RFC 7748 section 5.2, and that the public value of a key is what the base point makes of it. */
function checkAgreement(sodium: Binding): void {
  const scalar = hex('a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4')
  const point = hex('e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c')
  const product = Buffer.alloc(keyBytes)
  const isRight = sodium.crypto_scalarmult(product, scalar, point) === 0
  if (!isRight || product.toString('hex') !== 'c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552') {
    throw new Error('its X25519 does not agree with RFC 7748 section 5.2')
  }
  const [base, same] = [Buffer.alloc(keyBytes), Buffer.alloc(keyBytes)]
  const made =
    sodium.crypto_scalarmult_base(base, scalar) +
    sodium.crypto_scalarmult(same, scalar, Buffer.of(9, ...Buffer.alloc(keyBytes - 1)))
  if (made !== 0 || !base.equals(same)) throw new Error('its X25519 has another base point than RFC 7748')
}

/** RFC 8032 section 7.1, test 2. */
function checkSignature(sodium: Binding): void {
  const seed = hex('4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb')
  const point = hex('3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c')
  const message = hex('72')
  const signature = hex(
    '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da' +
      '085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
  )
  const isSame = signed(sodium, message, Buffer.concat([seed, point])).equals(signature)
  const isRight = isSame && isSigned(sodium, point, message, signature)
  if (!isRight || isSigned(sodium, point, hex('73'), signature)) {
    throw new Error('its Ed25519 does not agree with RFC 8032 section 7.1')
  }
}
