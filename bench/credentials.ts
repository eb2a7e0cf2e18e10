/** Keys and names of one run. They are worthless outside it: the servers listen on loopback and end with the run. */
import { randomBytes } from 'node:crypto'
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runFile } from './process.ts'
import type { Credentials } from './server.ts'

export async function makeCredentials(): Promise<Credentials & Disposable> {
  const directory = mkdtempSync(join(tmpdir(), 'containerssh-bench-'))
  // sshd reads the authorized keys as the user who logs in: others may pass through, the secrets have their own modes.
  chmodSync(directory, 0o711)
  const keyFile = join(directory, 'user_key')
  const hostKeyFile = join(directory, 'host_key')
  for (const file of [keyFile, hostKeyFile])
    await runFile('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'bench', '-f', file])
  return {
    directory,
    user: 'bench',
    password: randomBytes(12).toString('hex'),
    keyFile,
    publicKey: readFileSync(`${keyFile}.pub`, 'utf8').trim(),
    hostKeyFile,
    [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }),
  }
}
