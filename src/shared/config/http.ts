/** The two option groups of everything that speaks HTTP: as a client, and as a server. */
import { choice, colonList, duration, flag, name, secret, text } from './fields.ts'

const curves = ['x25519', 'secp256r1', 'secp384r1', 'secp521r1'] as const
const curveNames = [...curves, 'X25519', 'prime256v1']
const suites = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256',
  'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256',
] as const
/** Each suite of TLS 1.2 has three spellings: IANA's (nearly), OpenSSL's, GnuTLS's (nearly). */
const suiteNames = [
  ...suites,
  'TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384',
  'TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384',
  'TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305',
  'TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305',
  ...['RSA', 'ECDSA'].flatMap((kind) => [
    ...['AES128-GCM-SHA256', 'AES256-GCM-SHA384', 'CHACHA20-POLY1305'].map((rest) => `ECDHE-${kind}-${rest}`),
    ...['AES_128_GCM_SHA256', 'AES_256_GCM_SHA384', 'CHACHA20_POLY1305'].map((rest) => `TLS_ECDHE_${kind}_${rest}`),
  ]),
]

const tls = () => ({
  tlsVersion: choice(['1.2', '1.3'], '1.3').describe('The oldest version of TLS.'),
  curves: colonList(curveNames, curves).describe('Curves of TLS, the preferred one first.'),
  cipher: colonList(suiteNames, suites).describe('Cipher suites of TLS, by the name of IANA, OpenSSL or GnuTLS.'),
})

export const httpClient = (url = '') => ({
  url: text(url).describe('Where requests go.'),
  allowRedirects: flag().describe('Follows redirects, at most ten.'),
  timeout: duration(2000, 100).describe('For one request, from connecting to the end of the answer.'),
  cacert: text().describe("CA certificates in place of the system's: PEM text or the name of a file."),
  cert: text().describe('Client certificate: PEM text or the name of a file; needs `key`.'),
  key: secret().describe('Private key of `cert`: PEM text or the name of a file.'),
  ...tls(),
})

export const httpServer = (listen: string) => ({
  listen: name(listen).describe('Address and port.'),
  key: secret().describe('Private key of `cert`: PEM text or the name of a file.'),
  cert: text().describe('Certificate, which turns HTTPS on: PEM text or the name of a file; needs `key`.'),
  clientcacert: text().describe('CA certificates that a client must have a certificate of: PEM text or a file.'),
  ...tls(),
})
export { tls as tlsOptions }
