/** golang.org/x/crypto/ssh, the library of most tools written in Go. */
import { libraryClient, type SshClient } from './client.ts'
import { goClient } from './install.ts'

export const golang: SshClient = {
  name: 'golang.org/x/crypto/ssh',
  kex: 'mlkem768x25519-sha256',
  keys: ['ed25519', 'rsa', 'ecdsa'],
  rekeys: {},
  ...libraryClient(goClient),
  copies: { lacking: 'the module holds no SFTP' },
}
