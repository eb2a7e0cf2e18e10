/** The npm package ssh2, as a client. */
import { resolve } from 'node:path'
import { libraryClient, type SshClient } from './client.ts'

export const ssh2: SshClient = {
  name: 'ssh2',
  kex: 'curve25519-sha256@libssh.org',
  keys: ['ed25519', 'rsa', 'ecdsa'],
  rekeys: {},
  ...libraryClient(process.execPath, resolve(import.meta.dirname, 'ssh2-client.ts')),
}
