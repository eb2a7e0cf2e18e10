/** What the authenticators of keys say, and what the options of a key mean for one attempt and for its session. */
import type { Fault } from '../../shared/codes/fault.ts'
import type { KeyOptions } from '../../shared/key-options.ts'
import type { Restrictions } from '../ports.ts'
import type { OfferedKey } from '../ssh/offered-key.ts'

export type KeyVerdict =
  | { readonly kind: 'granted'; readonly options: KeyOptions }
  /** We know the key, or that nobody may use it: no other authenticator is asked. Never `unknown`: a certificate. */
  | { readonly kind: 'refused'; readonly fault: Fault }
  | { readonly kind: 'unknown' }

/** Who offers the key, from where and when. */
export interface Moment {
  readonly username: string
  readonly address: string
  /** Milliseconds since 1970. */
  readonly nowMs: number
}

/** Why the options forbid this attempt; undefined: they do not. */
export function objection(options: KeyOptions, offer: OfferedKey, { address, nowMs }: Moment): string | undefined {
  const { expiresMs, from, touchRequired, verifyRequired } = options
  if (expiresMs !== undefined && nowMs > expiresMs) return `it expired at ${new Date(expiresMs).toISOString()}`
  if (from !== undefined && !from.includes(address)) return `it may not be used from ${address}`
  // PROTOCOL.u2f: other keys attest nothing, so they cannot do what is required.
  if (verifyRequired && !offer.algorithm.startsWith('sk-')) return 'it is no security key and cannot verify its user'
  if (!offer.signed) return undefined
  if (verifyRequired && offer.attested?.verified !== true) return 'the security key did not verify its user'
  return touchRequired && offer.attested?.touched === false ? 'nobody touched the security key' : undefined
}

/** Undefined when nothing is forbidden or forced. */
export function restrictionsOf(options: KeyOptions): Restrictions | undefined {
  const { pty, portForwarding, agentForwarding, x11Forwarding, command, permitOpen, permitListen } = options
  const isFree = pty && portForwarding && agentForwarding && x11Forwarding
  if (isFree && command === undefined && permitOpen === undefined && permitListen === undefined) return undefined
  return {
    pty,
    portForwarding,
    agentForwarding,
    x11Forwarding,
    ...(command !== undefined && { forceCommand: command }),
    ...(permitOpen && { permitOpen }),
    ...(permitListen && { permitListen }),
  }
}
