/** What a server that is written with the Go program's library sends when its handler sets nothing: every option, zero. */
import type * as z from 'zod'
import { schema } from '../../../../src/shared/config/schema.ts'
import { core } from '../../../../src/shared/config/shape.ts'

const client = { url: '', allowRedirects: false, timeout: 0, cacert: '', cert: '', key: '' }
const tls = { tlsVersion: '', curves: null, cipher: null }
const webhook = { ...client, ...tls, authTimeout: 0 }
const kerberos = {
  ...{ keytab: '', acceptor: '', enforceUsername: false, credentialCachePath: '', configPath: '', clockSkew: 0 },
}
const server = { listen: '', key: '', cert: '', clientcacert: '', ...tls }
const oauth2 = {
  redirect: { ...server, webroot: '' },
  ...{ clientId: '', clientSecret: '', provider: '' },
  github: {
    ...{ cacert: '', url: '', apiurl: '', cert: '', key: '', ...tls, enforceUsername: false },
    ...{ requireOrgMembership: '', require2FA: false, extraScopes: null, enforceScopes: false, timeout: 0 },
  },
  oidc: {
    ...{ ...client, ...tls, deviceFlow: false, authorizationCodeFlow: false, usernameField: '' },
    ...{ redirectURI: '', extraScopes: null, enforceScopes: false },
  },
  generic: { authorizeEndpointURL: '', tokenEndpoint: { ...client, ...tls }, redirectURI: '' },
  ...{ qrCodeClients: null, deviceFlowClients: null, authTimeout: 0 },
}
const launch = { container: null, host: null, network: null, platform: null, containername: '' }
const execution = {
  ...{ auth: null, mode: '', idleCommand: null, shellCommand: null, agentPath: '', disableAgent: false },
  ...{ subsystems: null, imagePullPolicy: '', exposeAuthMetadataAsEnv: false },
}

/** `config` in the answer of 0.6; later builds have the keys that are unknown here. */
export const zeroConfig = {
  ssh: {
    ...{ listen: '', serverVersion: '', allowedProxies: null, ciphers: null, kex: null, macs: null, banner: '' },
    ...{ hostkeys: null, clientAliveInterval: 0, clientAliveCountMax: 0 },
  },
  configserver: { ...client, ...tls, transmitSensitiveMetadata: false },
  auth: {
    password: { method: '', webhook, kerberos },
    publicKey: { method: '', webhook },
    keyboardInteractive: { method: '', oauth2 },
    gssapi: { method: '', kerberos },
    authz: { method: '', webhook },
    ...{ authTimeout: 0, ...client, ...tls, pubkey: null },
  },
  cleanupserver: { ...client, ...tls },
  log: {
    ...{ level: 'emerg', format: '', destination: '', file: '' },
    syslog: { destination: '', facility: '', tag: '', pid: false, hostname: '' },
  },
  metrics: { ...server, enable: false, path: '' },
  geoip: { provider: '', 'maxmind-geoip2-file': '' },
  audit: {
    ...{ enable: false, format: '', storage: '', file: { directory: '' } },
    s3: {
      ...{ local: '', accessKey: '', secretKey: '', bucket: '', region: '', endpoint: '', cacert: '', acl: '' },
      ...{ pathStyleAccess: false, uploadPartSize: 0, parallelUploads: 0, metadata: { ip: false, username: false } },
    },
    intercept: { stdin: false, stdout: false, stderr: false, passwords: false, forwarding: false },
  },
  health: { enable: false, ...server, client: { ...client, ...tls } },
  security: {
    ...{ defaultMode: '', forceCommand: '', env: { mode: '', allow: null, deny: null } },
    ...{ command: { mode: '', allow: null }, shell: { mode: '' }, subsystem: { mode: '', allow: null, deny: null } },
    forwarding: {
      ...{ reverseForwardingMode: '', forwardingMode: '', socketForwardingMode: '', socketListenMode: '' },
      x11ForwardingMode: '',
    },
    ...{ tty: { mode: '' }, signal: { mode: '', allow: null, deny: null }, maxSessions: 0 },
  },
  backend: '',
  docker: {
    connection: { host: '', cacert: '', cert: '', key: '' },
    execution: { ...launch, ...execution },
    timeouts: { containerStart: 0, containerStop: 0, commandStart: 0, signal: 0, window: 0, http: 0 },
  },
  kubernetes: {
    connection: {},
    pod: {
      metadata: { creationTimestamp: null },
      spec: { containers: null },
      ...{ exposeAuthMetadataAsEnv: null, exposeAuthMetadataAsLabels: null, exposeAuthMetadataAsAnnotations: null },
    },
    timeouts: {},
  },
  sshproxy: {
    ...{ server: '', port: 0, usernamePassThrough: false, username: '', password: '', privateKey: '' },
    ...{ allowedHostKeyFingerprints: null, ciphers: null, kex: null, macs: null, hostKeyAlgos: null, timeout: 0 },
    clientVersion: '',
  },
}

/** As other builds of the library write it. */
export const zeroConfigWithLaunch = {
  ...zeroConfig,
  docker: { ...zeroConfig.docker, execution: { Launch: launch, ...execution } },
}

/** The whole answer. */
export const zeroAnswer = (config: object = zeroConfig) => ({
  ...{ remoteAddress: '<nil>:0', connectionId: '', clientVersion: '', username: '' },
  config,
})

/** Every option that our schema has, with the zero value of its type. */
export function zeroOfSchema(declared: z.ZodType = schema): unknown {
  const { schema: inner, kind } = core(declared)
  const { shape } = inner.def as { shape?: Readonly<Record<string, z.ZodType>> }
  if (shape !== undefined) {
    return Object.fromEntries(Object.entries(shape).map(([key, child]) => [key, zeroOfSchema(child)]))
  }
  if (kind?.zeros !== undefined) return kind.zeros[0]
  switch (kind?.form) {
    case 'text':
      return ''
    case 'flag':
      return kind.pointer ? null : false
    case 'number':
      return kind.pointer ? null : 0
    case 'duration':
    case 'nanoseconds':
      return 0
    default:
      return null
  }
}
