/**
 * The users of `auth.users`. What they prove costs the same time for users that exist and users that do not: passwords
 * by `credentials.ts`, keys because each attempt is one digest and one look into one set, which for a stranger is empty.
 */
import { createHash } from 'node:crypto'
import type { User } from '../../shared/config/index.ts'
import { type Credentials, createCredentials } from '../../shared/credentials.ts'
import type { Log } from '../../shared/log.ts'
import type { SessionLimits } from '../ports.ts'
import { parseAuthorizedKey } from '../ssh/user-key.ts'

export interface Users {
  /** Methods that at least one user can log in with; the same list for everybody. */
  readonly methods: readonly string[]
  /** Is there such a user? */
  has(name: string): boolean
  readonly credentials: Credentials
  /** Does this public key blob belong to the user? */
  owns(name: string, blob: Uint8Array): boolean
  /** What is set for this user; undefined: nothing. */
  limitsOf(name: string): SessionLimits | undefined
}

/** Made once per worker. A key that cannot be used is left out with a warning: nobody gets in by it. */
export function createUsers(users: readonly User[], log: Log): Users {
  const keys = new Map(users.map((user) => [user.name, digests(user, log)]))
  const limits = new Map(users.flatMap((user) => (user.limits === undefined ? [] : [[user.name, user.limits]])))
  const methods: string[] = []
  if ([...keys.values()].some((owned) => owned.size > 0)) methods.push('publickey')
  if (users.some((user) => user.passwordHash !== undefined)) methods.push('password')
  const nobody: ReadonlySet<string> = new Set()
  return {
    methods,
    has: (name) => keys.has(name),
    credentials: createCredentials(users),
    limitsOf: (name) => limits.get(name),
    owns: (name, blob) => (keys.get(name) ?? nobody).has(digest(blob)),
  }
}

const digest = (blob: Uint8Array): string => createHash('sha256').update(blob).digest('base64')

function digests({ name, authorizedKeys }: User, log: Log): ReadonlySet<string> {
  const found = new Set<string>()
  for (const line of authorizedKeys) {
    try {
      found.add(digest(parseAuthorizedKey(line).blob))
    } catch (cause) {
      log.emit('AUTH_KEY_UNUSABLE', { username: name }, { cause })
    }
  }
  return found
}
