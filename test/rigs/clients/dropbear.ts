/** Dropbear's client, of many small devices. */
import type { Errand, SshClient } from './client.ts'

const environment = ({ password }: Errand): NodeJS.ProcessEnv => ({
  TERM: 'xterm',
  ...(password === undefined ? {} : { DROPBEAR_PASSWORD: password }),
})

export const dropbear: SshClient = {
  name: 'Dropbear dbclient',
  kex: 'curve25519-sha256',
  keys: ['ed25519', 'rsa', 'ecdsa'],
  convertKey: (from, to) => ({ command: 'dropbearconvert', args: ['openssh', 'dropbear', from, to] }),
  chatter: /^dbclient: Caution, skipping hostkey check for 127\.0\.0\.1\n\n?/m,
  run: (errand, command) => {
    const terminal = errand.terminal === true ? '-t' : '-T'
    const key = errand.keyFile === undefined ? [] : ['-i', errand.keyFile]
    const args = ['-y', '-y', terminal, ...key, '-p', String(errand.port), `${errand.user}@127.0.0.1`, command]
    return { command: 'dbclient', args, env: environment(errand) }
  },
  rekeys: { lacking: 'it re-keys after a fixed 1 GiB' },
  channels: { lacking: 'it has one session per connection' },
  copies: { lacking: 'Dropbear brings no program for it' },
  exitSignal: { lacking: 'it ignores the message' },
}
