/** `sshproxy`: the backend that forwards to another SSH server. */
import { ciphers, hostKeyAlgorithms, keyExchanges, macs, moreHostKeyAlgorithms } from './algorithms.ts'
import { colonList, duration, flag, integer, secret, section, text, texts, traits } from './fields.ts'
import { algorithmList, identification } from './ssh.ts'

export const sshproxy = section({
  server: text().describe('Name or address of the server.'),
  port: integer(22, 1, 65_535).describe('Its port.'),
  usernamePassThrough: flag().describe("Uses the client's login name."),
  username: text().describe('Login name at the server, unless it is passed through.'),
  password: secret().describe('Password at the server.'),
  privateKey: secret().describe('Private key for the server: PEM text or the name of a file.'),
  allowedHostKeyFingerprints: texts().describe('Host keys that the server may have, as `SHA256:…`.'),
  ciphers: algorithmList(ciphers).describe('Ciphers, the preferred one first.'),
  kex: algorithmList(keyExchanges).describe('Key exchange methods, the preferred one first.'),
  macs: algorithmList(macs).describe('Message authentication codes, the preferred one first.'),
  hostKeyAlgos: colonList([...hostKeyAlgorithms, ...moreHostKeyAlgorithms], hostKeyAlgorithms).describe(
    'Host key types, the preferred one first.',
  ),
  timeout: duration(60_000, 1).describe('For connecting and logging in at the server.'),
  clientVersion: identification().describe('Identification that the server sees.'),
})
// As the manual of the Go program called it.
traits.add(sshproxy.unwrap(), { aliases: { hostKeyAlgorithms: 'hostKeyAlgos' } })
