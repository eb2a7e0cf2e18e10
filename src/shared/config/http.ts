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
  tlsVersion: choice(['1.2', '1.3'], '1.3'),
  curves: colonList(curveNames, curves),
  cipher: colonList(suiteNames, suites),
})

/** `cacert`, `cert`, `key`: PEM text or the name of a file. */
export const httpClient = (url = '') => ({
  url: text(url),
  allowRedirects: flag(),
  timeout: duration(2000, 100),
  cacert: text(),
  cert: text(),
  key: secret(),
  ...tls(),
})

export const httpServer = (listen: string) => ({
  listen: name(listen),
  key: secret(),
  cert: text(),
  clientcacert: text(),
  ...tls(),
})
export { tls as tlsOptions }
