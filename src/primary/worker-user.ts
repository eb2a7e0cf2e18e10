/**
 * As whom workers run. They parse what strangers send, so where the primary has the right to it they are another user:
 * one that can read neither host keys nor recordings, and cannot send signals to anybody else.
 */
import { existsSync, readFileSync, type Stats, statSync } from 'node:fs'
import { userInfo } from 'node:os'
import { dirname, resolve } from 'node:path'
import type { Config } from '../shared/config/index.ts'
import { ConfigErrors } from '../shared/config/problems.ts'
import type { Log } from '../shared/log.ts'

/** Of passwd(5). */
export interface Account {
  readonly name: string
  readonly uid: number
  readonly gid: number
}

export interface WorkerUserOptions {
  /** Of the configuration, for error texts. */
  readonly configPath: string
  readonly log: Log
  /** What a worker loads once it is somebody else. */
  readonly program?: string
  /** passwd(5). */
  readonly accounts?: string
}

/** The one that the package makes: see `systemd/containerssh.sysusers`. */
const usual = 'containerssh-worker'
const source = resolve(import.meta.dirname, '..')

/**
 * Undefined: the user of this process.
 * @throws ConfigErrors when the user of the configuration cannot be had
 */
export function workerUserOf({ workerUser }: Config, options: WorkerUserOptions): Account | undefined {
  const { configPath, log, program = source, accounts = '/etc/passwd' } = options
  const account = accountOf(workerUser || usual, accounts)
  const problem = problemOf(account, program)
  if (account !== undefined && problem === undefined) return account
  if (workerUser !== '') {
    throw new ConfigErrors(configPath, [`${configPath}: workerUser: ${JSON.stringify(workerUser)} ${problem}`])
  }
  log.emit('WORKER_USER_SHARED', { user: nameOfThis(), reason: `the user ${usual} ${problem}` })
  return undefined
}

/** Reads after the name; undefined: none. */
function problemOf(account: Account | undefined, program: string): string | undefined {
  if (account === undefined) return 'does not exist'
  if (account.uid === 0) return 'is root; expected one without rights'
  const missing = missingRights()
  if (missing.length > 0) return `cannot be taken, as this process has no ${missing.join(', ')}`
  const closed = unreadable(program, account)
  return closed === undefined ? undefined : `cannot read ${closed}, and so not load the program`
}

function accountOf(name: string, path: string): Account | undefined {
  // Images with nothing but a program have no such file.
  const lines = existsSync(path) ? readFileSync(path, 'utf8').split('\n') : []
  for (const line of lines) {
    const [found, , uid, gid] = line.split(':')
    if (found === name) return { name, uid: Number(uid), gid: Number(gid) }
  }
  return undefined
}

/** Bits of capability sets, linux/capability.h. A worker that hangs is killed, for which CAP_KILL is needed then. */
const rights = { CAP_KILL: 5n, CAP_SETGID: 6n, CAP_SETUID: 7n } as const

function missingRights(): string[] {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0'
  const set = BigInt(`0x${effective}`)
  return Object.entries(rights).flatMap(([name, bit]) => ((set >> bit) & 1n ? [] : [name]))
}

/** The first folder on the way to `path`, or `path` itself, that is closed to the account; its further groups do not count. */
function unreadable(path: string, account: Account): string | undefined {
  const folders = [path]
  for (let folder = dirname(path); folder !== folders.at(-1); folder = dirname(folder)) folders.push(folder)
  return folders.toReversed().find((folder) => !mayEnter(statSync(folder), account))
}

/** Search of a folder (inode(7)), for owner, group or others. */
const mayEnter = ({ mode, uid, gid }: Stats, account: Account): boolean => {
  const shift = uid === account.uid ? 6 : gid === account.gid ? 3 : 0
  return ((mode >> shift) & 0o1) !== 0
}

export function nameOfThis(): string {
  try {
    return userInfo().username
  } catch {
    return String(process.getuid?.()) // no user has this id
  }
}
