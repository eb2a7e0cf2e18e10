/** `sshproxy`: the backend that forwards to another SSH server. */
import { ciphers, hostKeyAlgorithms, keyExchanges, macs } from './algorithms.ts'
import { colonList, duration, flag, integer, name, secret, section, text, texts } from './fields.ts'
import { algorithmList } from './ssh.ts'

export const sshproxy = section({
  server: text(),
  port: integer(22, 1, 65_535),
  usernamePassThrough: flag(),
  username: text(),
  password: secret(),
  privateKey: secret(),
  allowedHostKeyFingerprints: texts(),
  ciphers: algorithmList(ciphers),
  kex: algorithmList(keyExchanges),
  macs: algorithmList(macs),
  hostKeyAlgos: colonList(hostKeyAlgorithms, hostKeyAlgorithms),
  timeout: duration(60_000, 1),
  clientVersion: name('SSH-2.0-ContainerSSH'),
})
