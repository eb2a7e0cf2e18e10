/**
 * The algorithm names that a configuration may hold. `offered` are those the transport can negotiate; the rest are
 * names that older configurations contain and that no maintained TLS library offers any more: they are skipped with
 * a warning instead of refusing to start. The `weak` ones are offered when asked for, with a warning too.
 */
export interface AlgorithmNames {
  readonly preset: readonly string[]
  readonly offered: readonly string[]
  readonly obsolete: readonly string[]
  readonly weak: readonly string[]
}

const chachaGcmCtr = [
  'chacha20-poly1305@openssh.com',
  'aes256-gcm@openssh.com',
  'aes128-gcm@openssh.com',
  'aes256-ctr',
  'aes192-ctr',
  'aes128-ctr',
]

export const ciphers: AlgorithmNames = {
  preset: chachaGcmCtr,
  offered: [...chachaGcmCtr, 'aes128-cbc'],
  obsolete: ['arcfour256', 'arcfour128', 'arcfour', 'tripledescbcID'],
  weak: ['aes128-cbc'],
}

const curve25519 = ['curve25519-sha256', 'curve25519-sha256@libssh.org']
/** The NIST curves and finite-field groups only when asked for: ssh-audit warns about the first and some of the second. */
export const keyExchanges: AlgorithmNames = {
  preset: ['mlkem768x25519-sha256', ...curve25519],
  offered: [
    'mlkem768x25519-sha256',
    ...curve25519,
    'ecdh-sha2-nistp521',
    'ecdh-sha2-nistp384',
    'ecdh-sha2-nistp256',
    'diffie-hellman-group14-sha256',
    'diffie-hellman-group16-sha512',
    'diffie-hellman-group18-sha512',
    'diffie-hellman-group14-sha1',
    'diffie-hellman-group1-sha1',
  ],
  obsolete: [],
  weak: ['diffie-hellman-group14-sha1', 'diffie-hellman-group1-sha1'],
}

const etm = ['hmac-sha2-256-etm@openssh.com', 'hmac-sha2-512-etm@openssh.com']
export const macs: AlgorithmNames = {
  preset: etm,
  offered: [...etm, 'hmac-sha2-256', 'hmac-sha2-512', 'hmac-sha1', 'hmac-sha1-96'],
  obsolete: [],
  weak: ['hmac-sha1', 'hmac-sha1-96'],
}

/** For the SSH client of the sshproxy backend: those of the Go program. */
export const hostKeyAlgorithms = [
  'ssh-rsa-cert-v01@openssh.com',
  'ssh-dss-cert-v01@openssh.com',
  'ecdsa-sha2-nistp256-cert-v01@openssh.com',
  'ecdsa-sha2-nistp384-cert-v01@openssh.com',
  'ecdsa-sha2-nistp521-cert-v01@openssh.com',
  'ssh-ed25519-cert-v01@openssh.com',
  'ssh-rsa',
  'ssh-dss',
  'ssh-ed25519',
] as const
/** Others, which it refused. */
export const moreHostKeyAlgorithms = [
  'rsa-sha2-512',
  'rsa-sha2-256',
  'rsa-sha2-512-cert-v01@openssh.com',
  'rsa-sha2-256-cert-v01@openssh.com',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
] as const
