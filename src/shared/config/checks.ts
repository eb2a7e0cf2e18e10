/** What a value's own type cannot tell: rules over several options. */
import { isPasswordHash } from '../password.ts'
import { type AlgorithmNames, ciphers, keyExchanges, macs } from './algorithms.ts'
import { auditFindings } from './audit-checks.ts'
import { chains, isServed, webhookUrls } from './auth-checks.ts'
import { nearest, show } from './problems.ts'
import { roomFindings } from './room-checks.ts'
import { s3Findings } from './s3-checks.ts'
import type { Config } from './schema.ts'
import { addresses } from './service-checks.ts'
import { unsupportedOptions } from './unsupported.ts'

/** Path by the schema's names. */
export interface Finding {
  readonly path: readonly (string | number)[]
  readonly message: string
}

const plannedRooms = ['docker', 'kubernetes', 'sshproxy', 'sandbox']

const backend = (config: Config, rooms: readonly string[]): Finding[] => {
  const path = ['backend']
  if (rooms.includes(config.backend)) return []
  if (plannedRooms.includes(config.backend)) {
    return [{ path, message: `${show(config.backend)} is not supported by this version yet` }]
  }
  const meant = nearest(config.backend, rooms)
  const hint = meant === undefined ? '' : `; did you mean ${meant}?`
  return [{ path, message: `${show(config.backend)} is not known; expected one of ${rooms.join(', ')}${hint}` }]
}

const users = ({ auth }: Config): Finding[] => {
  const trustsCAs = auth.userCAs.length > 0
  const found: Finding[] = []
  if (auth.anyCertificateUser && !trustsCAs) {
    found.push({ path: ['auth', 'anyCertificateUser'], message: 'has no effect; expected at least one key in userCAs' })
  }
  if (auth.users.length === 0 && !auth.anyCertificateUser && !isServed(auth)) {
    const example = '{name: alice, passwordHash: …} (see containerssh hash-password)'
    const message = `nobody could log in; expected at least one user, e.g. ${example}`
    found.push({ path: ['auth', 'users'], message })
  }
  return [...found, ...eachUser(auth, trustsCAs)]
}

/** A CA may also stand among the keys of a user, in a file that is read later. */
const eachUser = (auth: Config['auth'], trustsCAs: boolean): Finding[] => {
  const seen = new Set<string>()
  return auth.users.flatMap(({ name, passwordHash, authorizedKeys, principals = [] }, index) => {
    const path = ['auth', 'users', index]
    const found: Finding[] = []
    if (seen.has(name)) found.push({ path: [...path, 'name'], message: `${show(name)} stands here a second time` })
    seen.add(name)
    if (passwordHash !== undefined && !isPasswordHash(passwordHash)) {
      const message = 'is not an argon2id hash within our limits; containerssh hash-password makes one'
      found.push({ path: [...path, 'passwordHash'], message })
    }
    if (passwordHash === undefined && authorizedKeys.length === 0 && !trustsCAs) {
      found.push({ path, message: `${show(name)} could not log in; expected passwordHash or authorizedKeys` })
    } else if (principals.length > 0 && authorizedKeys.length === 0 && !trustsCAs) {
      found.push({ path: [...path, 'principals'], message: 'has no effect; expected at least one key in auth.userCAs' })
    }
    return found
  })
}

const lists: readonly (readonly ['ciphers' | 'kex' | 'macs', AlgorithmNames])[] = [
  ['ciphers', ciphers],
  ['kex', keyExchanges],
  ['macs', macs],
]
const algorithms = (config: Config): { readonly errors: Finding[]; readonly warnings: Finding[] } => {
  const errors: Finding[] = []
  const warnings: Finding[] = []
  for (const [key, { offered, obsolete, weak }] of lists) {
    const names = config.ssh[key]
    names.forEach((name, index) => {
      const path = ['ssh', key, index]
      if (obsolete.includes(name)) {
        warnings.push({ path, message: `${show(name)} can no longer be offered and is left out` })
      }
      if (weak.includes(name))
        warnings.push({ path, message: `${show(name)} is weak; clients of today need it no more` })
    })
    if (!names.some((name) => offered.includes(name))) {
      errors.push({
        path: ['ssh', key],
        message: `none of these can be offered; expected one of ${offered.join(', ')}`,
      })
    }
  }
  return { errors, warnings }
}

/** The configuration without the algorithm names that nothing can be done with. */
export const withoutObsolete = (config: Config): Config => {
  const kept = Object.fromEntries(
    lists.map(([key, { offered }]) => [key, config.ssh[key].filter((name) => offered.includes(name))]),
  )
  return { ...config, ssh: { ...config.ssh, ...kept } }
}

/** It becomes a label of containers, and of pods too. */
const instance = ({ instance }: Config): Finding[] => {
  if (instance === '' || /^[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/.test(instance)) return []
  const message = `${show(instance)} is not a name; expected letters, digits, ".", "-" and "_", 63 at most`
  return [{ path: ['instance'], message }]
}

/** What is part of something else is not larger than it. */
const parts = [
  ['channelWindowBytes', 'connectionWindowBytes'],
  ['connectionWindowBytes', 'workerWindowBytes'],
  ['connectionOutputBytes', 'workerOutputBytes'],
] as const
const limits = ({ ssh, limits }: Config): Finding[] => {
  const found: Finding[] = parts
    .filter(([part, whole]) => limits[part] > limits[whole])
    .map(([part, whole]) => ({
      path: ['limits', part],
      message: `${limits[part]} is more than limits.${whole}; expected ${limits[whole]} or less`,
    }))
  if (ssh.maxAuthRequests < ssh.maxAuthTries) {
    const message = `${ssh.maxAuthRequests} is less than ssh.maxAuthTries; expected ${ssh.maxAuthTries} or more`
    found.push({ path: ['ssh', 'maxAuthRequests'], message })
  }
  return found
}

/**
 * `isWhole`: the section of the backend is all that a user has. It is not where a configuration server may send what is
 * missing; then it is looked at when somebody logs in.
 */
export const check = (config: Config, rooms: readonly string[], isWhole = true) => {
  const refused = unsupportedOptions(config).map((option) => ({
    path: option.split('.'),
    message: 'is not supported by this version yet',
  }))
  const { errors, warnings } = algorithms(config)
  const room = isWhole ? roomFindings(config) : []
  errors.push(
    ...addresses(config),
    ...instance(config),
    ...limits(config),
    ...users(config),
    ...webhookUrls(config),
    ...chains(config),
  )
  errors.push(...s3Findings(config), ...auditFindings(config))
  return { errors: [...errors, ...backend(config, rooms), ...room, ...refused], warnings }
}
