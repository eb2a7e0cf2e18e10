/** From the section `kubernetes.connection` to what the client library wants. */
import { X509Certificate } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import type { Config } from '../../../shared/config/schema.ts'

export type ConnectionSettings = Config['kubernetes']['connection']

/** The default host: where a pod finds the API server of its own cluster. */
const inCluster = 'kubernetes.default.svc'
const accountFolder = '/var/run/secrets/kubernetes.io/serviceaccount'

/** For KubeConfig.loadFromOptions. */
export interface KubeOptions {
  readonly clusters: readonly [
    { name: string; server: string; caData?: string; tlsServerName?: string; skipTLSVerify: boolean },
  ]
  readonly users: readonly [
    {
      name: string
      certData?: string
      keyData?: string
      token?: string
      username?: string
      password?: string
      authProvider?: object
    },
  ]
  readonly contexts: readonly [{ name: string; cluster: string; user: string }]
  readonly currentContext: string
}

const base64 = (text: string): string => Buffer.from(text).toString('base64')

/** The text, or what stands in the file. @throws Error that names the option */
function pem(text: string, file: string, option: string): string {
  if (text !== '') return text
  if (file === '') return ''
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new Error(`kubernetes.connection.${option}: ${(cause as Error).message}`, { cause })
  }
}

/** @throws Error with a sentence */
export function kubeOptions(settings: ConnectionSettings): KubeOptions {
  const own = ownAccount(settings)
  const ca = pem(settings.cacert, settings.cacertFile || own.caFile, 'cacertFile')
  const cert = pem(settings.cert, settings.certFile, 'certFile')
  const key = pem(settings.key, settings.keyFile, 'keyFile')
  if ((cert === '') !== (key === '')) throw new Error('kubernetes.connection: expected cert and key together')
  for (const text of [ca, cert]) if (text !== '') check(text)
  const tokenFile = settings.bearerTokenFile || own.tokenFile
  const name = 'containerssh'
  const cluster = {
    name,
    server: serverOf(settings.host),
    skipTLSVerify: settings.insecure,
    ...(ca !== '' && { caData: base64(ca) }),
    ...(settings.serverName !== '' && { tlsServerName: settings.serverName }),
  }
  const user = {
    name,
    ...(cert !== '' && { certData: base64(cert), keyData: base64(key) }),
    ...(settings.username !== '' && { username: settings.username, password: settings.password }),
    ...(settings.bearerToken !== ''
      ? { token: settings.bearerToken }
      : tokenFile !== '' && { authProvider: { name: 'tokenFile', config: { tokenFile } } }),
  }
  return { clusters: [cluster], users: [user], contexts: [{ name, cluster: name, user: name }], currentContext: name }
}

/** In a pod, with nothing configured, it is the pod's service account. */
function ownAccount(settings: ConnectionSettings): { readonly caFile: string; readonly tokenFile: string } {
  const { host, cacert, cacertFile, bearerToken, bearerTokenFile, cert, certFile, username } = settings
  const given = [cacert, cacertFile, bearerToken, bearerTokenFile, cert, certFile, username].some((one) => one !== '')
  const tokenFile = `${accountFolder}/token`
  if (host !== inCluster || given || !existsSync(tokenFile)) return { caFile: '', tokenFile: '' }
  return { caFile: `${accountFolder}/ca.crt`, tokenFile }
}

/** Without a scheme it is https: a token must not travel in the open. */
function serverOf(host: string): string {
  const text = /^https?:\/\//i.test(host) ? host : `https://${host}`
  let url: URL
  try {
    url = new URL(text)
  } catch (cause) {
    throw new Error(`kubernetes.connection.host: ${JSON.stringify(host)} is no host, host:port or URL`, { cause })
  }
  return url.href.replace(/\/+$/, '')
}

function check(text: string): void {
  try {
    new X509Certificate(text)
  } catch (cause) {
    throw new Error(`kubernetes.connection: a certificate cannot be read: ${(cause as Error).message}`, { cause })
  }
}
