/** `auth`: who may log in. */
import * as z from 'zod'
import { api, choice, duration, flag, kinds, list, name, secret, section, text, texts } from './fields.ts'
import { httpClient, httpServer, tlsOptions } from './http.ts'
import { userLimits } from './limits.ts'

const required = (what: string) => z.string({ error: what }).min(1, 'is empty').register(kinds, { form: 'text' })

/** A user of our own. At least one way to prove it is needed (`checks.ts`). */
const user = z.strictObject(
  {
    /** The SSH login name. */
    name: required('is not a text'),
    /** PHC string; `containerssh hash-password` makes one. */
    passwordHash: z
      .string({ error: 'is not a text' })
      .register(kinds, { form: 'text', secret: true, emptyMeansDefault: true })
      .optional(),
    /** OpenSSH authorized_keys lines; in the file also names of files of such lines, which are read at start. */
    authorizedKeys: texts(),
    limits: userLimits,
    /** A certificate must list one of these instead of the login name. */
    principals: api.texts(),
  },
  { error: 'is not a mapping; expected e.g. {name: alice, passwordHash: …}' },
)

const webhook = <M extends z.ZodRawShape>(more: M) =>
  section({
    ...httpClient(),
    /** For all tries together. */
    authTimeout: duration(60_000, 100),
    ...more,
  })
/** `legacyFields`: also sends `user`, `sessionId` and `publicKeyBase64`, which servers from before 0.5 may read. */
const authenticator = () => webhook({ legacyFields: flag() })
const kerberos = () =>
  section({
    keytab: name('/etc/krb5.keytab'),
    acceptor: name('any'),
    enforceUsername: flag(true),
    credentialCachePath: name('/tmp/krb5cc'),
    configPath: name('/etc/containerssh/krb5.conf'),
    clockSkew: duration(300_000),
  })

const github = section({
  cacert: text(),
  url: name('https://github.com'),
  apiurl: name('https://api.github.com'),
  cert: text(),
  key: secret(),
  ...tlsOptions(),
  enforceUsername: flag(true),
  requireOrgMembership: text(),
  require2FA: flag(),
  extraScopes: texts(),
  enforceScopes: flag(),
  timeout: duration(10_000, 100),
})
const oidc = section({
  ...httpClient(),
  deviceFlow: flag(),
  authorizationCodeFlow: flag(),
  usernameField: name('sub'),
  redirectURI: text(),
  extraScopes: texts(),
  enforceScopes: flag(),
})
const oauth2 = section({
  redirect: section({ ...httpServer('0.0.0.0:8080'), webroot: text() }),
  clientId: text(),
  clientSecret: secret(),
  provider: choice(['', 'github', 'oidc', 'generic'], ''),
  github,
  oidc,
  generic: section({ authorizeEndpointURL: text(), tokenEndpoint: section(httpClient()), redirectURI: text() }),
  qrCodeClients: texts(),
  deviceFlowClients: texts(),
  authTimeout: duration(120_000, 100),
})

/** SSH names of the methods of which chains are made. */
const method = choice(['publickey', 'password', 'keyboard-interactive'], 'publickey').removeDefault()

export const auth = section({
  users: list(user),
  /** CAs whose user certificates are accepted: authorized_keys lines, or names of files of such lines. */
  userCAs: texts(),
  /** Lets in whoever has a certificate for the login name, without an entry in `users`. */
  anyCertificateUser: flag(),
  /** Keys, `SHA256:…` or `serial:SHA256:…:N`, or names of files of such lines; they win over everything above. */
  revokedKeys: texts(),
  /** Each entry is a list of methods that let a user in together, in this order; empty: any one method. */
  required: list(list(method).removeDefault()),
  password: section({
    method: choice(['', 'webhook', 'kerberos'], ''),
    webhook: authenticator(),
    kerberos: kerberos(),
  }),
  publicKey: section({ method: choice(['', 'webhook'], ''), webhook: authenticator() }),
  /** `webhook` is our addition: its server asks the questions. */
  keyboardInteractive: section({ method: choice(['', 'oauth2', 'webhook'], ''), webhook: authenticator(), oauth2 }),
  gssapi: section({ method: choice(['', 'kerberos'], ''), kerberos: kerberos() }),
  /** `transmitSensitiveMetadata`: values marked as sensitive are sent too, as the Go program always did. */
  authz: section({ method: choice(['', 'webhook'], ''), webhook: webhook({ transmitSensitiveMetadata: flag() }) }),
  /** The form before 0.5: one webhook for both methods. */
  authTimeout: duration(60_000, 100),
  ...httpClient(),
  pubkey: flag(true),
})
