/** Keys and names of one run. They are worthless outside it: the servers listen on loopback and end with the run. */
import { randomBytes } from 'node:crypto'
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runFile } from './process.ts'
import { type Credentials, type KeyType, keyTypes } from './server.ts'

export async function makeCredentials(): Promise<Credentials & Disposable> {
  const directory = mkdtempSync(join(tmpdir(), 'containerssh-bench-'))
  // sshd reads the authorized keys as the user who logs in: others may pass through, the secrets have their own modes.
  chmodSync(directory, 0o711)
  const hostKeyFile = (type: KeyType): string => join(directory, `host_key_${type}`)
  const keyFile = join(directory, 'user_key')
  const hostKeyFiles = { ed25519: hostKeyFile('ed25519'), ecdsa: hostKeyFile('ecdsa'), rsa: hostKeyFile('rsa') }
  await makeKey('ed25519', keyFile)
  for (const type of keyTypes) await makeKey(type, hostKeyFiles[type])
  return {
    directory,
    user: 'bench',
    password: randomBytes(12).toString('hex'),
    keyFile,
    publicKey: readFileSync(`${keyFile}.pub`, 'utf8').trim(),
    hostKeyFiles,
    hostKey: readFileSync(hostKeyFiles.ed25519, 'utf8'),
    [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }),
  }
}

/** Of the size that ssh-keygen takes to be right for the type. */
const makeKey = (type: KeyType, file: string): Promise<unknown> =>
  runFile('ssh-keygen', ['-q', '-t', type, '-N', '', '-C', 'bench', '-f', file])
