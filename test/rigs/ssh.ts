/** The stock OpenSSH client, with a key of its own and no known hosts. */
import { type ChildProcessByStdio, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'

export interface Key {
  readonly file: string
  /** One authorized_keys line. */
  readonly line: string
  [Symbol.dispose](): void
}

export function makeKey(type = 'ed25519'): Key {
  const folder = mkdtempSync(join(tmpdir(), 'containerssh-key-'))
  const file = join(folder, 'id')
  execFileSync('ssh-keygen', ['-q', '-t', type, '-N', '', '-C', 'test', '-f', file])
  return {
    file,
    line: readFileSync(`${file}.pub`, 'utf8').trim(),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  }
}

export interface Finished {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: Buffer
  readonly stderr: string
}

export type SshProcess = ChildProcessByStdio<Writable, Readable, Readable>

export interface Client {
  /** Options that come before the host; also right for scp and sftp except for the port. */
  readonly options: readonly string[]
  readonly port: number
  readonly user: string
  /** Starts `ssh OPTIONS host COMMAND…`. */
  start(command: readonly string[], options?: readonly string[]): SshProcess
  /** Runs to the end; stdin is `input`, or closed at once. The client is killed after 60 s. */
  run(
    command: readonly string[],
    options?: { input?: Uint8Array; options?: readonly string[]; timeoutMs?: number },
  ): Promise<Finished>
}

/** No configuration file, any host key, no chatter: what every client of a test begins with. */
export const anyHost: readonly string[] = [
  ...['-F', 'none', '-o', 'LogLevel=ERROR'],
  ...['-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null'],
]

/** `network`: words in front of the command, for a client in another network namespace. */
export function client(
  port: number,
  key: Key,
  user = 'alice',
  host = '127.0.0.1',
  network: readonly string[] = [],
): Client {
  const [program = 'ssh', ...words] = [...network, 'ssh']
  const options = [...anyHost, '-i', key.file, '-o', 'IdentitiesOnly=yes', '-o', 'BatchMode=yes']
  const start = (command: readonly string[], more: readonly string[] = []): SshProcess =>
    spawn(program, [...words, ...options, ...more, '-p', String(port), `${user}@${host}`, ...command], {
      stdio: ['pipe', 'pipe', 'pipe'],
    })
  return {
    options,
    port,
    user,
    start,
    run: (command, { input, options: more, timeoutMs = 60_000 } = {}) => finish(start(command, more), input, timeoutMs),
  }
}

/** Collects a process to its end. */
export function finish(child: SshProcess, input?: Uint8Array, timeoutMs = 60_000): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const stdout: Buffer[] = []
    let stderr = ''
    const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs)
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk))
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    child.on('error', reject)
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      resolve({ code, signal, stdout: Buffer.concat(stdout), stderr })
    })
    // The program may end without reading its input: that is its right, and no fault of the test.
    child.stdin.on('error', () => undefined)
    child.stdin.end(input)
  })
}
