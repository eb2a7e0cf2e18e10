/** Clients are told of all our host keys, and get them proven: OpenSSH PROTOCOL section 2.5. */
import { sshString } from './blob.ts'
import { Reader } from './bytes.ts'
import type { HostKey } from './host-key.ts'
import type { Link } from './link.ts'
import { globalRequest } from './messages.ts'

/** Clients that end the connection when they are told: of Cisco, and Tera Term up to 2.72 (as in OpenSSH's compat.c). */
const frightened = /^SSH-[\d.]+-(Cisco-1\.|TeraTerm SSH|TTSSH\/(1\.5\.|2\.[1-6]|2\.7[0-2]))/
export const mayHearOfHostKeys = (clientVersion: string): boolean => !frightened.test(clientVersion)

/** Unless the configuration or the client is against it. */
export function announceHostKeys({ house: { hostKeys }, settings, negotiated, wire }: Link): void {
  if (!settings.announceHostKeys || hostKeys.count === 0) return
  if (mayHearOfHostKeys(negotiated.clientVersion)) wire.send(hostKeys.announcement)
}

/** For whom the keys are to sign. */
export interface Listener {
  readonly sessionId: Uint8Array
  /** Of RSA keys. */
  readonly rsaSignature: string
}

/** The host keys of a worker, as its connections know them. */
export interface HostKeys {
  readonly count: number
  /** The `hostkeys-00@openssh.com` request. */
  readonly announcement: Buffer
  /** The answer's data: one signature for each blob, in their order. Undefined: one of them is not ours. */
  prove(blobs: readonly Buffer[], listener: Listener): Buffer | undefined
}

const request = 'hostkeys-prove-00@openssh.com'

export function createHostKeys(keys: readonly HostKey[]): HostKeys {
  const announced = Buffer.concat(keys.map(({ blob }) => sshString(blob)))
  return {
    count: keys.length,
    announcement: globalRequest('hostkeys-00@openssh.com', false, announced),
    prove(blobs, listener) {
      const ours: HostKey[] = []
      for (const blob of blobs) {
        const key = keys.find((candidate) => candidate.blob.equals(blob))
        if (key === undefined) return undefined
        ours.push(key)
      }
      // Nothing is signed before all of them are known to be ours.
      return Buffer.concat(ours.map((key) => sshString(signatureOf(key, listener))))
    },
  }
}

function signatureOf(key: HostKey, { sessionId, rsaSignature }: Listener): Buffer {
  const [best = key.type] = key.algorithms
  const algorithm = key.algorithms.includes(rsaSignature) ? rsaSignature : best
  const signed = Buffer.concat([sshString(request), sshString(sessionId), sshString(key.blob)])
  return Buffer.concat([sshString(algorithm), sshString(key.sign(algorithm, signed))])
}

/** The data of `hostkeys-prove-00@openssh.com`. Views. Undefined: malformed, empty, or more than `most` keys. */
export function decodeProofRequest(data: Buffer, most: number): Buffer[] | undefined {
  const reader = new Reader(data)
  const blobs: Buffer[] = []
  while (!reader.complete && !reader.failed && blobs.length <= most) blobs.push(reader.string())
  return reader.complete && blobs.length > 0 && blobs.length <= most ? blobs : undefined
}
