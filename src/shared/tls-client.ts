/** The TLS options of the configuration as OpenSSL understands them, and what a client makes of them. */
import { createSecureContext, getCACertificates, type SecureContext, type SecureContextOptions } from 'node:tls'
import type { HttpClientSettings } from './config/auth-checks.ts'

const curves: Readonly<Record<string, string>> = {
  x25519: 'X25519',
  secp256r1: 'P-256',
  secp384r1: 'P-384',
  secp521r1: 'P-521',
}

/** The Go program cannot switch these off, so lists that only name suites of TLS 1.2 exist. */
const suites13 = ['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256']

/** IANA's and GnuTLS's spelling to OpenSSL's: `TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256`, `ECDHE-RSA-AES128-GCM-SHA256`. */
export const openSslSuite = (name: string): string =>
  name.startsWith('TLS_ECDHE_')
    ? name
        .slice(4)
        .replace('WITH_', '')
        .replace(/AES_(\d+)/, 'AES$1')
        .replaceAll('_', '-')
    : name

/** What both ends of a connection choose from. */
export function protocolOf(
  settings: Pick<HttpClientSettings, 'tlsVersion' | 'cipher' | 'curves'>,
): SecureContextOptions {
  const named = settings.cipher.map(openSslSuite)
  const ciphers = named.some((name) => suites13.includes(name)) ? named : [...suites13, ...named]
  return {
    minVersion: settings.tlsVersion === '1.2' ? 'TLSv1.2' : 'TLSv1.3',
    ciphers: ciphers.join(':'),
    ecdhCurve: settings.curves.map((name) => curves[name] ?? name).join(':'),
  }
}

/** Made once per client: parsing the certificates of the system for each connection would cost milliseconds. */
export function secureContextOf(settings: HttpClientSettings): SecureContext {
  const ca = settings.cacert === '' ? getCACertificates('system') : [settings.cacert]
  return createSecureContext({
    // A machine without certificates of its own still has those that the runtime brings along.
    ...(ca.length > 0 && { ca }),
    ...(settings.cert !== '' && { cert: settings.cert, key: settings.key }),
    ...protocolOf(settings),
  })
}
