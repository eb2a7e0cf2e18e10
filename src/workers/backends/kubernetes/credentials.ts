/** From the section `kubernetes.connection` to what the client library wants. */
import { X509Certificate } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { isIPv6 } from 'node:net'
import type { Config } from '../../../shared/config/schema.ts'

export type ConnectionSettings = Config['kubernetes']['connection']

/** The default host: where a pod finds the API server of its own cluster. */
const inCluster = 'kubernetes.default.svc'
const accountFolder = '/var/run/secrets/kubernetes.io/serviceaccount'

/** For KubeConfig.loadFromOptions. Files are named where they may change, and read by the library each time. */
export interface KubeOptions {
  readonly clusters: readonly [
    { name: string; server: string; caData?: string; caFile?: string; tlsServerName?: string; skipTLSVerify: boolean },
  ]
  readonly users: readonly [
    {
      name: string
      certData?: string
      keyData?: string
      certFile?: string
      keyFile?: string
      token?: string
      username?: string
      password?: string
    },
  ]
  readonly contexts: readonly [{ name: string; cluster: string; user: string }]
  readonly currentContext: string
}

export interface Credentials {
  /** Path, in place of `options`; empty: none. */
  readonly kubeconfig: string
  /** Of that file; empty: its current one. */
  readonly context: string
  readonly options: KubeOptions
  /** Empty: none. */
  readonly tokenFile: string
  /** URLs. */
  readonly moreServers: readonly string[]
}

/** @throws Error with a sentence */
export function credentialsOf(settings: ConnectionSettings): Credentials {
  const { kubeconfig, context, hosts, insecure, username, password, bearerToken } = settings
  if (kubeconfig !== '') alone(settings)
  if (settings.context !== '' && kubeconfig === '') {
    throw new Error('kubernetes.connection.context: expected kubeconfig beside it')
  }
  const own = ownAccount(settings)
  const cert = pem(settings.cert, settings.certFile, 'certFile')
  const key = pem(settings.key, settings.keyFile, 'keyFile')
  if ((cert.text === '') !== (key.text === '')) throw new Error('kubernetes.connection: expected cert and key together')
  const ca = pem(settings.cacert, settings.cacertFile || own.caFile, 'cacertFile')
  for (const { text } of [ca, cert]) if (text !== '') check(text)
  const tokenFile = bearerToken === '' ? settings.bearerTokenFile || own.tokenFile : ''
  if (tokenFile !== '') readOption(tokenFile, 'bearerTokenFile')
  const name = 'containerssh'
  const cluster = {
    name,
    server: own.server || urlOf(settings.host, 'host'),
    skipTLSVerify: insecure,
    ...(ca.text !== '' && (ca.file === '' ? { caData: base64(ca.text) } : { caFile: ca.file })),
    ...(settings.serverName !== '' && { tlsServerName: settings.serverName }),
  }
  const user = {
    name,
    ...(cert.text !== '' && (cert.file === '' ? { certData: base64(cert.text) } : { certFile: cert.file })),
    ...(key.text !== '' && (key.file === '' ? { keyData: base64(key.text) } : { keyFile: key.file })),
    ...(username !== '' && { username, password }),
    ...(bearerToken !== '' && { token: bearerToken }),
  }
  return {
    kubeconfig,
    context,
    options: {
      clusters: [cluster],
      users: [user],
      contexts: [{ name, cluster: name, user: name }],
      currentContext: name,
    },
    tokenFile,
    moreServers: hosts.map((host) => urlOf(host, 'hosts')),
  }
}

const base64 = (text: string): string => Buffer.from(text).toString('base64')

/** Neither of two that say where the server is, or who we are, could be taken. */
function alone(settings: ConnectionSettings): void {
  const { host } = settings
  const others = [...(host === inCluster ? [] : ['host']), ...identity.filter((key) => settings[key] !== '')]
  if (others.length === 0) return
  throw new Error(`kubernetes.connection.kubeconfig: expected no ${others.join(', ')} beside it, the file says it all`)
}
const identity = [
  ...(['cacert', 'cacertFile', 'serverName', 'bearerToken', 'bearerTokenFile'] as const),
  ...(['cert', 'certFile', 'key', 'keyFile', 'username'] as const),
] as const

/** The text and, if it stands in a file, the file. @throws Error that names the option */
function pem(text: string, file: string, option: string): { readonly text: string; readonly file: string } {
  if (text !== '' || file === '') return { text, file: '' }
  return { text: readOption(file, option), file }
}

function readOption(file: string, option: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new Error(`kubernetes.connection.${option}: ${(cause as Error).message}`, { cause })
  }
}

/**
 * In a pod, with nothing configured, it is the pod's service account, and the server that each pod is told of
 * (kubernetes.io: Accessing the Kubernetes API from a Pod).
 */
function ownAccount(settings: ConnectionSettings): Record<'server' | 'caFile' | 'tokenFile', string> {
  const isGiven = identity.some((key) => settings[key] !== '') || settings.kubeconfig !== ''
  const tokenFile = `${accountFolder}/token`
  if (settings.host !== inCluster || isGiven || !existsSync(tokenFile)) return { server: '', caFile: '', tokenFile: '' }
  const { KUBERNETES_SERVICE_HOST: host = '', KUBERNETES_SERVICE_PORT: port = '443' } = process.env
  const server = host === '' ? '' : `https://${isIPv6(host) ? `[${host}]` : host}:${port}`
  return { server, caFile: `${accountFolder}/ca.crt`, tokenFile }
}

/** Without a scheme it is https: a token must not travel in the open. */
function urlOf(host: string, option: string): string {
  const text = /^https?:\/\//i.test(host) ? host : `https://${host}`
  let url: URL
  try {
    url = new URL(text)
  } catch (cause) {
    throw new Error(`kubernetes.connection.${option}: ${JSON.stringify(host)} is no host, host:port or URL`, { cause })
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
