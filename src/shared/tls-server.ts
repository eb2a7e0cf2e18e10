/** Certificates of the server: PEM texts, or names of files, which are read again each time. */
import { createSecureContext, type SecureContextOptions } from 'node:tls'
import { readPem } from './config/pem.ts'

export interface TlsFiles {
  readonly cert: string
  readonly key: string
  /** Callers must have a certificate of this CA. */
  readonly clientCa?: string | undefined
  /** Default 1.3, as the daemon's own. */
  readonly minVersion?: '1.2' | '1.3'
}

/** `protocol`: what else is configured. @throws Error that says what cannot be used */
export async function readTls(
  { cert, key, clientCa, minVersion = '1.3' }: TlsFiles,
  protocol: SecureContextOptions = {},
): Promise<SecureContextOptions> {
  const options: SecureContextOptions = {
    cert: await read('the certificate', cert),
    key: await read('the key', key),
    ...(clientCa !== undefined && { ca: await read('the CA of clients', clientCa) }),
    minVersion: `TLSv${minVersion}`,
    ...protocol,
  }
  try {
    createSecureContext(options)
  } catch (cause) {
    throw new Error('certificate, key and CA cannot be used together', { cause })
  }
  return options
}

async function read(what: string, value: string): Promise<string> {
  const { text, shown, problem } = await readPem(value)
  if (problem !== undefined) throw new Error(`${what}: ${shown} ${problem}`)
  return text
}
