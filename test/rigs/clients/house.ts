/** One daemon with the Docker backend for the whole client matrix; each client is a user of its own. */
import { execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { hashPassword } from '../../../src/shared/password.ts'
import { type Daemon, type LogLine, startDaemon, until } from '../daemon.ts'
import { configFor, noContainersOf, uniqueUser } from '../login.ts'
import { type Finished, finish, type Key, makeKey, type SshProcess } from '../ssh.ts'
import type { Errand, KeyType, Program, SshClient } from './client.ts'

/** Bytes. Several key exchanges fall into each direction of a transfer. */
export const sizes = { transfer: 64 << 20, rekey: 16 << 20, file: 8 << 20 } as const
/** For one program; a busy machine takes its time. */
const limitMs = 180_000
const password = 'correct horse battery staple'
const keyTypes: readonly KeyType[] = ['ed25519', 'rsa', 'ecdsa']

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

export interface Started {
  readonly stdin: SshProcess['stdin']
  readonly finished: Promise<Finished>
  /** Waits until the standard output so far matches. */
  says(pattern: RegExp): Promise<void>
}
interface RunOptions {
  /** Log in with the password; otherwise with a key, ed25519 unless told. */
  readonly password?: boolean
  readonly key?: KeyType
  readonly input?: Uint8Array
  readonly rekeyBytes?: number
  readonly verbose?: boolean
}
/** A client at the door of the daemon. */
export interface Guest {
  readonly user: string
  readonly folder: string
  errand(options?: RunOptions): Errand
  /** Runs a command with the client to the end. Standard input is `input`, or closed at once. */
  run(command: string, options?: RunOptions): Promise<Finished>
  /** Runs the command on a terminal of 100x30 that becomes 91x17, until it has printed both. */
  terminal(command: string): Promise<Finished>
  /** Starts a program whose standard input stays open. */
  start(program: Program): Started
  /** A place in the log; what comes later is about what is done from now on. */
  mark(): number
  lines(mark: number, code: string): LogLine[]
  /** Everything logged since the mark, for the message of a failure. */
  story(mark: number): string
  line(mark: number, code: string): Promise<LogLine>
  /** Key exchanges that were begun by that side since the mark. */
  rekeys(mark: number, initiator: 'client' | 'server'): number
  /** Waits until the user has no container. */
  gone(): Promise<void>
}
export interface House extends AsyncDisposable {
  readonly daemon: Daemon
  guest(client: SshClient): Guest
}

/** `ssh` holds more options of the server. */
export async function openHouse(
  clients: readonly SshClient[],
  ssh: Readonly<Record<string, unknown>> = {},
): Promise<House> {
  const folder = mkdtempSync(join(tmpdir(), 'containerssh-matrix-'))
  const hostKey = makeKey()
  const keys = new Map(keyTypes.map((type) => [type, makeKey(type)]))
  const users = new Map(clients.map((client) => [client, uniqueUser()]))
  const passwordHash = await hashPassword(Buffer.from(password))
  const authorizedKeys = [...keys.values()].map((key) => key.line)
  const auth = { users: [...users.values()].map((name) => ({ name, passwordHash, authorizedKeys })) }
  const options = { ssh: { hostkeys: [hostKey.file], ...ssh }, config: { auth } }
  const daemon = await startDaemon(await configFor('', hostKey, options))
  const fingerprint = execFileSync('ssh-keygen', ['-lf', hostKey.file], { encoding: 'utf8' }).split(' ')[1] ?? ''
  return {
    daemon,
    guest: (client) =>
      createGuest(client, {
        daemon,
        user: users.get(client) ?? '',
        folder: join(folder, client.name.replace(/[^A-Za-z0-9]+/g, '-')),
        hostKey: fingerprint,
        keys,
      }),
    async [Symbol.asyncDispose]() {
      await daemon[Symbol.asyncDispose]()
      for (const key of [hostKey, ...keys.values()]) key[Symbol.dispose]()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

interface Place {
  readonly daemon: Daemon
  readonly user: string
  readonly folder: string
  readonly hostKey: string
  readonly keys: ReadonlyMap<KeyType, Key>
}

function createGuest(client: SshClient, { daemon, user, folder, hostKey, keys }: Place): Guest {
  mkdirSync(folder, { recursive: true })
  const files = new Map<KeyType, string>()
  const keyFile = (type: KeyType): string => {
    const original = keys.get(type)?.file ?? ''
    const known = files.get(type) ?? convert(client, original, join(folder, type))
    files.set(type, known)
    return known
  }
  const errand = (options: RunOptions = {}): Errand => ({
    ...{ port: daemon.port, user, hostKey, folder },
    ...(options.password === true ? { password } : { keyFile: keyFile(options.key ?? 'ed25519') }),
    ...(options.rekeyBytes === undefined ? {} : { rekeyBytes: options.rekeyBytes }),
    verbose: options.verbose ?? false,
  })
  const lines = (mark: number, code: string): LogLine[] =>
    daemon.lines.slice(mark).filter((line) => line.code === code && line.details['username'] === user)
  return {
    user,
    folder,
    errand,
    run: async (command, options = {}) => {
      const child = launch(client.run(errand(options), command))
      const finished = await finish(child, options.input, limitMs)
      return client.chatter === undefined
        ? finished
        : { ...finished, stderr: finished.stderr.replace(client.chatter, '') }
    },
    terminal: (command) => {
      const { command: name, args, env } = client.run({ ...errand(), terminal: true }, command)
      const rig = resolve(import.meta.dirname, '../terminal.py')
      return finish(launch({ command: 'python3', args: [rig, name, ...args], env: { TERM: 'xterm', ...env } }))
    },
    start,
    mark: () => daemon.lines.length,
    lines,
    story: (mark) =>
      daemon.lines
        .slice(mark)
        .map(({ timestamp, code, message }) => `${timestamp} ${code} ${message}`)
        .join('\n'),
    line: (mark, code) => until(`${code} of ${user}`, () => lines(mark, code)[0]),
    rekeys: (mark, initiator) =>
      lines(mark, 'SSH_REKEYED').filter((line) => line.details['initiator'] === initiator).length,
    gone: () => noContainersOf(user, 60_000),
  }
}

function convert(client: SshClient, original: string, to: string): string {
  if (client.convertKey === undefined) return original
  const { command, args } = client.convertKey(original, to)
  execFileSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'], timeout: 60_000 })
  return to
}

const launch = ({ command, args, env }: Program): SshProcess =>
  spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...env } })

function start(program: Program): Started {
  const child = launch(program)
  const stdout: Buffer[] = []
  let stderr = ''
  let over = false
  const timer = setTimeout(() => child.kill('SIGKILL'), limitMs)
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk))
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  child.stdin.on('error', () => undefined)
  const finished = new Promise<Finished>((done, fail) => {
    child.on('error', fail).on('close', (code, signal) => {
      over = true
      clearTimeout(timer)
      done({ code, signal, stdout: Buffer.concat(stdout), stderr })
    })
  })
  const says = async (pattern: RegExp): Promise<void> => {
    const said = (): boolean => pattern.test(Buffer.concat(stdout).toString())
    await until(`${program.command} to print ${pattern}`, () => said() || over, limitMs)
    if (!said()) throw new Error(`${program.command} ended before it printed ${pattern}: ${stderr}`)
  }
  return { stdin: child.stdin, finished, says }
}
