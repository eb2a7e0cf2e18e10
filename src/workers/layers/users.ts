/**
 * The users of `auth.users` and the CAs of `auth.userCAs`. What somebody proves costs the same time for users that exist
 * and users that do not: passwords by `credentials.ts`, keys because each attempt is one look into one map, which a
 * stranger does not have, certificates as `certificates.ts` says.
 */
import { fault } from '../../shared/codes/fault.ts'
import type { Config, User } from '../../shared/config/index.ts'
import { type Credentials, createCredentials } from '../../shared/credentials.ts'
import { type KeyOptions, noOptions } from '../../shared/key-options.ts'
import type { Log } from '../../shared/log.ts'
import type { SessionLimits } from '../ports.ts'
import type { OfferedKey } from '../ssh/offered-key.ts'
import { fingerprint, type PublicKey } from '../ssh/public-key.ts'
import { parseAuthorizedKey } from '../ssh/user-key.ts'
import { type Authorities, decideCertificate, type Trust } from './certificates.ts'
import { type KeyVerdict, type Moment, objection } from './key-verdict.ts'
import { createRevocation } from './revocation.ts'

export interface Users {
  /** Methods that at least one user can log in with; the same list for everybody. */
  readonly methods: readonly string[]
  /** Is there such a user? */
  has(name: string): boolean
  readonly credentials: Credentials
  /** What is set for this user; undefined: nothing. */
  limitsOf(name: string): SessionLimits | undefined
  /** May the user log in with this key or certificate? The same answer with a signature and without, as far as possible. */
  decide(offer: OfferedKey, moment: Moment): KeyVerdict
}

/** What of the configuration matters here. */
export type UserConfig = Pick<Config['auth'], 'users'> &
  Partial<Pick<Config['auth'], 'userCAs' | 'anyCertificateUser' | 'revokedKeys'>>

/** Options of the lines that hold a key, by its name: the same key may stand there twice, for two addresses. */
type Lines = Map<string, KeyOptions[]>
interface Account {
  /** By `nameOf`: a fingerprint of each key that is offered would cost ten times as much. */
  readonly keys: Lines
  /** By fingerprint. */
  readonly authorities: Lines
  readonly principals: readonly string[]
}

/** Made once per worker. A key that cannot be used is left out with a warning: nobody gets in by it. */
export function createUsers(config: UserConfig, log: Log): Users {
  const { users, userCAs = [], revokedKeys = [] } = config
  const known = new Map<string, PublicKey>()
  const accounts = new Map(users.map((user) => [user.name, accountOf(user, known, log)]))
  const limits = new Map(users.flatMap((user) => (user.limits === undefined ? [] : [[user.name, user.limits]])))
  const trusted = trustedCAs(userCAs, known, log)
  const revocation = createRevocation(revokedKeys)
  const authorities: Authorities = {
    keys: known,
    trusts: trustsOf(accounts, trusted, config.anyCertificateUser === true),
  }
  const methods: string[] = []
  if (known.size > 0 || [...accounts.values()].some(({ keys }) => keys.size > 0)) methods.push('publickey')
  if (users.some((user) => user.passwordHash !== undefined)) methods.push('password')
  return {
    methods,
    has: (name) => accounts.has(name),
    credentials: createCredentials(users),
    limitsOf: (name) => limits.get(name),
    decide(offer, moment) {
      const revoked = revocation.objection(offer, moment)
      if (revoked !== undefined) return { kind: 'refused', fault: revoked }
      const { certificate } = offer
      if (certificate !== undefined) return decideCertificate(authorities, offer, certificate, moment)
      const name = nameOf(offer.blob)
      return decideKey(accounts.get(moment.username)?.keys.get(name), offer, moment)
    },
  }
}

function accountOf(user: User, known: Map<string, PublicKey>, log: Log): Account {
  const [keys, authorities]: [Lines, Lines] = [new Map(), new Map()]
  for (const line of user.authorizedKeys) {
    try {
      const key = parseAuthorizedKey(line)
      if (key.options.certAuthority) {
        known.set(fingerprint(key.blob), key)
        put(authorities, fingerprint(key.blob), key.options)
      } else put(keys, nameOf(key.blob), key.options)
    } catch (cause) {
      log.emit('AUTH_KEY_UNUSABLE', { username: user.name }, { cause })
    }
  }
  const { principals = [] } = user
  return { keys, authorities, principals: principals.length > 0 ? principals : [user.name] }
}

function trustedCAs(lines: readonly string[], known: Map<string, PublicKey>, log: Log): Lines {
  const trusted: Lines = new Map()
  for (const line of lines) {
    try {
      const key = parseAuthorizedKey(line)
      known.set(fingerprint(key.blob), key)
      put(trusted, fingerprint(key.blob), key.options)
    } catch (cause) {
      log.emit('AUTH_CA_UNUSABLE', {}, { cause })
    }
  }
  return trusted
}

/** One character for each byte of the blob. */
const nameOf = ({ buffer, byteOffset, length }: Uint8Array): string =>
  Buffer.from(buffer, byteOffset, length).toString('latin1')

function put(lines: Lines, name: string, options: KeyOptions): void {
  lines.set(name, [...(lines.get(name) ?? []), options])
}

/**
 * `principals` of a user's own line stand in place of the user's, as in OpenSSH. Those of a line in `auth.userCAs` only
 * limit the CA: a line for everybody that named the principals of all would let each of them be anybody.
 */
function trustsOf(accounts: ReadonlyMap<string, Account>, trusted: Lines, anybody: boolean): Authorities['trusts'] {
  return (username, authority) => {
    const account = accounts.get(username)
    if (account === undefined && !anybody) return []
    const names = account?.principals ?? [username]
    const own = (account?.authorities.get(authority) ?? []).map((options): Trust => {
      return { options, principals: [options.principals ?? names] }
    })
    const common = (trusted.get(authority) ?? []).map((options): Trust => {
      return { options, principals: options.principals === undefined ? [names] : [names, options.principals] }
    })
    return [...own, ...common]
  }
}

/** `lines`: those of the user that hold the key. */
function decideKey(lines: readonly KeyOptions[] | undefined, offer: OfferedKey, moment: Moment): KeyVerdict {
  let reason = ''
  // A stranger's key may be somebody's to an authenticator inside, but touched it must be for all of them.
  for (const options of lines ?? [noOptions]) {
    const why = objection(options, offer, moment)
    if (why === undefined) return lines === undefined ? { kind: 'unknown' } : { kind: 'granted', options }
    reason = why
  }
  const labels = { username: moment.username, reason, fingerprint: fingerprint(offer.blob) }
  return { kind: 'refused', fault: fault('AUTH_KEY_REFUSED', labels) }
}
