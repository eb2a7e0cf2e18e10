/** AsyncSSH, the library of Python's event loop. */
import { resolve } from 'node:path'
import { libraryClient, type SshClient } from './client.ts'
import { python } from './install.ts'

export const asyncssh: SshClient = {
  name: 'AsyncSSH',
  kex: 'mlkem768x25519-sha256',
  keys: ['ed25519', 'rsa', 'ecdsa'],
  rekeys: {},
  ...libraryClient(python, resolve(import.meta.dirname, 'asyncssh_client.py')),
}
