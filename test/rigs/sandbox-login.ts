/** A daemon with the sandbox backend, one user with a key, and the OpenSSH client. */
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { helper } from '../guest/program.ts'
import { type Daemon, startDaemon } from './daemon.ts'
import { uniqueUser } from './login.ts'
import { type Client, client, makeKey } from './ssh.ts'

/** User IDs that no other test and nobody on the machine has. */
export const ids = { first: 3_100_000, count: 1000 }

export interface SandboxLogin extends AsyncDisposable {
  readonly daemon: Daemon
  readonly client: Client
  readonly user: string
  /** Of `sandbox.directory`. */
  readonly directory: string
  /** Command lines of processes of this machine that run as one of `ids`. */
  processes(): string[]
  /** Numbers of sandboxes that have a folder. */
  folders(): string[]
  /** The same configuration, another daemon. */
  again(): Promise<Daemon>
}

/** `section` and `more`: of the configuration, as in a file. Needs root. */
export async function sandboxLogin(section: object = {}, more: object = {}): Promise<SandboxLogin> {
  await helper()
  const key = makeKey()
  const user = uniqueUser()
  const directory = mkdtempSync(join(tmpdir(), 'sbx-'))
  chmodSync(directory, 0o711)
  const config = {
    ssh: { listen: '127.0.0.1:0', penalties: { enable: false } },
    auth: { users: [{ name: user, authorizedKeys: [key.line] }] },
    workers: 1,
    backend: 'sandbox',
    sandbox: { directory, ids, ...section },
    ...more,
  }
  const remove = (): void => {
    key[Symbol.dispose]()
    rmSync(directory, { recursive: true })
  }
  const daemon = await startDaemon(config).catch((error: unknown) => {
    remove()
    throw error
  })
  return {
    daemon,
    directory,
    user,
    client: client(daemon.port, key, user),
    processes,
    folders: () => readdirSync(directory).filter((name) => /^\d+$/.test(name)),
    again: () => startDaemon(config),
    async [Symbol.asyncDispose]() {
      await daemon[Symbol.asyncDispose]()
      remove()
    },
  }
}

function processes(): string[] {
  const listed = execFileSync('ps', ['-eo', 'uid=,pid='], { encoding: 'utf8' }).trim().split('\n')
  return listed.flatMap((line) => {
    const [uid = '', pid = ''] = line.trim().split(/\s+/)
    if (Number(uid) < ids.first || Number(uid) >= ids.first + ids.count) return []
    try {
      return [readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')]
    } catch {
      return [] // it has just ended
    }
  })
}
