/**
 * Passwords of the users in `auth.users`, checked at a bounded cost.
 *
 * What takes equally long: a wrong password of a known user, any password of a user that does not exist, and of one
 * that has no password. Each costs one key derivation with the parameters of the first user's hash, or of the user's
 * own; so hashes with different parameters can be told apart, which `containerssh hash-password` never makes.
 * What does not: the right password. Once verified, it is recognised by a keyed digest for a few minutes, which takes
 * microseconds; whoever sees the difference already knew the password.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { decoyHash, verifyPassword } from './password.ts'
import { createTurns } from './turns.ts'

/** `busy`: too many are waiting already; says nothing about the password. */
export type PasswordVerdict = 'match' | 'mismatch' | 'busy'

export interface Credentials {
  /** The bytes are used during the call only. An abort while waiting for a turn is a `busy`. */
  verify(user: string, password: Uint8Array, signal?: AbortSignal): Promise<PasswordVerdict>
}

export interface CredentialOptions {
  /** Key derivations at a time; libuv has four threads for all work of this kind. */
  readonly concurrency?: number
  /** Callers that wait for their turn; each may hold a password. */
  readonly waiting?: number
  /** Verified passwords that are remembered; the one not used for longest goes first. */
  readonly remembered?: number
  /** How long after its verification a password is recognised without another one. */
  readonly rememberedMs?: number
  /** Milliseconds that only grow. */
  readonly now?: () => number
}

interface Account {
  readonly name: string
  readonly passwordHash?: string | undefined
}

/** Digests of verified passwords, least recently used first. */
const memory = (most: number, forMs: number, now: () => number) => {
  const entries = new Map<string, { readonly digest: Buffer; readonly until: number }>()
  return {
    has(user: string, digest: Buffer): boolean {
      const entry = entries.get(user)
      if (entry === undefined || !timingSafeEqual(entry.digest, digest)) return false
      entries.delete(user)
      if (entry.until <= now()) return false
      entries.set(user, entry)
      return true
    },
    add(user: string, digest: Buffer): void {
      entries.delete(user)
      const [oldest] = entries.keys()
      if (entries.size >= most && oldest !== undefined) entries.delete(oldest)
      entries.set(user, { digest, until: now() + forMs })
    },
  }
}

export const createCredentials = (users: readonly Account[], options: CredentialOptions = {}): Credentials => {
  const { concurrency = 2, waiting = 256, remembered = 10_000, rememberedMs = 300_000 } = options
  const hashes = new Map<string, string>()
  for (const { name, passwordHash } of users) if (passwordHash !== undefined) hashes.set(name, passwordHash)
  const [first] = hashes.values()
  const decoy = decoyHash(first)
  const known = memory(remembered, rememberedMs, options.now ?? (() => performance.now()))
  const turn = createTurns(concurrency, waiting)
  // A memory dump of this process shows no password, and no digest that could be tried out elsewhere without the key.
  const key = randomBytes(32)
  const digestOf = (hash: string, password: Uint8Array): Buffer =>
    createHmac('sha256', key).update(`${hash.length}:${hash}`).update(password).digest()

  const verify = async (user: string, password: Uint8Array, signal?: AbortSignal): Promise<PasswordVerdict> => {
    const hash = hashes.get(user)
    const digest = digestOf(hash ?? decoy, password)
    if (known.has(user, digest)) return 'match'
    // The caller may reuse its buffer before the turn comes.
    const copy = Uint8Array.from(password)
    if (!(await turn.enter(signal))) return 'busy'
    try {
      const matches = await verifyPassword(copy, hash ?? decoy)
      if (!matches || hash === undefined) return 'mismatch'
      known.add(user, digest)
      return 'match'
    } finally {
      copy.fill(0)
      turn.leave()
    }
  }
  return { verify }
}
