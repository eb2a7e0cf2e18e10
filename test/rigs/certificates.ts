/** Certificates for one test run, made by the openssl program: a CA, and what it signs. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** PEM texts, and the files that hold them. */
export interface Certificate {
  readonly cert: string
  readonly key: string
  readonly certFile: string
  readonly keyFile: string
}
export interface Authority extends Disposable {
  readonly folder: string
  readonly ca: Certificate
  /** `names`: subject alternative names, such as `IP:127.0.0.1`. */
  issue(name: string, names: string, options?: { readonly days?: number }): Certificate
}

export function createAuthority(): Authority {
  const folder = mkdtempSync(join(tmpdir(), 'containerssh-ca-'))
  const openssl = (...args: string[]): void => void execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' })
  const read = (name: string): Certificate => {
    const certFile = join(folder, `${name}.crt`)
    const keyFile = join(folder, `${name}.key`)
    return { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8'), certFile, keyFile }
  }
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  openssl('req', '-x509', ...curve, '-keyout', 'ca.key', '-out', 'ca.crt', '-subj', '/CN=test-ca', '-days', '2')
  return {
    folder,
    ca: read('ca'),
    issue(name, names, { days = 2 } = {}) {
      openssl(
        'req',
        ...curve,
        '-keyout',
        `${name}.key`,
        '-out',
        `${name}.csr`,
        '-subj',
        `/CN=${name}`,
        '-addext',
        `subjectAltName=${names}`,
      )
      openssl(
        'x509',
        '-req',
        '-in',
        `${name}.csr`,
        '-CA',
        'ca.crt',
        '-CAkey',
        'ca.key',
        '-CAcreateserial',
        '-copy_extensions',
        'copy',
        '-out',
        `${name}.crt`,
        '-days',
        `${days}`,
      )
      return read(name)
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  }
}
