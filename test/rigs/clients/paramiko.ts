/** Paramiko, the library below Ansible and Fabric. */
import { resolve } from 'node:path'
import { libraryClient, type SshClient } from './client.ts'
import { python } from './install.ts'

export const paramiko: SshClient = {
  name: 'Paramiko',
  kex: 'mlkem768x25519-sha256',
  keys: ['ed25519', 'rsa', 'ecdsa'],
  rekeys: {},
  ...libraryClient(python, resolve(import.meta.dirname, 'paramiko_client.py')),
  exitSignal: { lacking: 'it answers the message as an unknown request' },
}
