/**
 * Certificates and keys of what speaks HTTP: those of webhooks and of S3 are read when the configuration is, so that workers
 * need no access to files; those of our own endpoints are only checked, as they are read again while we run.
 */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { activeWebhooks, type HttpClientSettings } from './auth-checks.ts'
import type { Finding } from './checks.ts'
import { readPem } from './pem.ts'
import { isS3Used } from './s3-checks.ts'
import type { Config } from './schema.ts'

type FileKey = 'cacert' | 'cert' | 'key' | 'clientcacert'
type Complain = (key: FileKey, message: string) => void

const blocks = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

const certificates = (text: string): readonly X509Certificate[] | undefined => {
  try {
    const found = (text.match(blocks) ?? []).map((block) => new X509Certificate(block))
    return found.length === 0 ? undefined : found
  } catch {
    return undefined
  }
}
const privateKey = (text: string): KeyObject | undefined => {
  try {
    return createPrivateKey(text)
  } catch {
    return undefined
  }
}

const load = async (value: string, key: FileKey, complain: Complain): Promise<string> => {
  if (value.trim() === '') return ''
  const { text, shown, problem } = await readPem(value)
  const inline = value.trim().startsWith('-----') ? 'the text' : shown
  if (problem !== undefined) complain(key, `${shown} ${problem}`)
  else if (key === 'key' ? privateKey(text) === undefined : certificates(text) === undefined) {
    complain(
      key,
      `${inline} holds no ${key === 'key' ? 'private key without a passphrase' : 'certificate'} in PEM form`,
    )
  } else return text
  return ''
}

/** `complain`: which option is wrong, and why. */
export const readClient = async <C extends HttpClientSettings>(client: C, complain: Complain): Promise<C> => {
  const [cacert, cert, key] = await Promise.all([
    load(client.cacert, 'cacert', complain),
    load(client.cert, 'cert', complain),
    load(client.key, 'key', complain),
  ])
  checkPair(client, { cert, key }, complain)
  return { ...client, cacert, cert, key }
}

/** Both or none, and of each other. `texts`: what they stand for. */
function checkPair(options: CertificateAndKey, texts: CertificateAndKey, complain: Complain): void {
  if (options.cert !== '' && options.key === '') complain('cert', 'needs a key; expected cert and key together')
  if (options.key !== '' && options.cert === '') complain('key', 'needs a certificate; expected cert and key together')
  const [leaf] = certificates(texts.cert) ?? []
  const pair = privateKey(texts.key)
  if (leaf !== undefined && pair !== undefined && !leaf.checkPrivateKey(pair)) {
    complain('key', 'does not belong to the certificate in cert')
  }
}
interface CertificateAndKey {
  readonly cert: string
  readonly key: string
}

const checkServer = async (server: Config['metrics'] | Config['health'], complain: Complain): Promise<void> => {
  const [cert, key] = await Promise.all([
    load(server.cert, 'cert', complain),
    load(server.key, 'key', complain),
    load(server.clientcacert, 'clientcacert', complain),
  ])
  checkPair(server, { cert, key }, complain)
  if (server.clientcacert !== '' && server.cert === '') complain('clientcacert', 'has no effect without cert and key')
}

const readS3 = async (config: Config, complain: Complain): Promise<Config['audit']> => {
  const { audit } = config
  if (!isS3Used(config)) return audit
  return { ...audit, s3: { ...audit.s3, cacert: await load(audit.s3.cacert, 'cacert', complain) } }
}

/** The configuration with texts in place of file names, for the services that are switched on. */
export const readClientFiles = async (config: Config, findings: Finding[]): Promise<Config> => {
  const complainAt =
    (...path: string[]): Complain =>
    (key, message) =>
      void findings.push({ path: [...path, key], message })
  const read = activeWebhooks(config.auth).map(async (name) => {
    const section = config.auth[name]
    return [
      name,
      { ...section, webhook: await readClient(section.webhook, complainAt('auth', name, 'webhook')) },
    ] as const
  })
  const { configserver } = config
  for (const name of ['metrics', 'health'] as const) {
    if (config[name].enable) await checkServer(config[name], complainAt(name))
  }
  return {
    ...config,
    audit: await readS3(config, complainAt('audit', 's3')),
    configserver: configserver.url === '' ? configserver : await readClient(configserver, complainAt('configserver')),
    auth: { ...config.auth, ...Object.fromEntries(await Promise.all(read)) },
  }
}
