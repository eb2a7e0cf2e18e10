/** `auth`: who may log in. */
import * as z from 'zod'
import { api, choice, duration, flag, kinds, list, name, ours, secret, section, text, texts } from './fields.ts'
import { httpClient, httpServer, tlsOptions } from './http.ts'
import { userLimits } from './limits.ts'

const required = (what: string) => z.string({ error: what }).min(1, 'is empty').register(kinds, { form: 'text' })

/** A user of our own. At least one way to prove it is needed (`checks.ts`). */
const user = z.strictObject(
  {
    name: required('is not a text').describe('The login name.'),
    passwordHash: z
      .string({ error: 'is not a text' })
      .register(kinds, { form: 'text', secret: true, emptyMeansDefault: true })
      .optional()
      .describe('Hash of the password, in PHC form; `containerssh hash-password` makes one.'),
    authorizedKeys: texts().describe('Lines of an authorized_keys file, or names of such files, read at start.'),
    limits: userLimits.describe('In place of `limits`; what is absent is as there.'),
    principals: api.texts().describe('A certificate must list one of these instead of the login name.'),
  },
  { error: 'is not a mapping; expected e.g. {name: alice, passwordHash: …}' },
)

const webhook = <M extends z.ZodRawShape>(more: M) =>
  section({
    ...httpClient(),
    authTimeout: duration(60_000, 100).describe('For all tries together.'),
    ...more,
  }).describe('The webhook.')
const authenticator = () =>
  webhook({
    legacyFields: flag().meta(
      ours('Also sends `user`, `sessionId` and `publicKeyBase64`, which servers from before 0.5 may read.'),
    ),
  })
const kerberos = () =>
  section({
    keytab: name('/etc/krb5.keytab').describe('File with the keys of this server.'),
    acceptor: name('any').describe(
      "`any`: every key of it; `host`: those of `host/` and this machine's name; or a name.",
    ),
    enforceUsername: flag(true).describe('The login name must be that of the ticket.'),
    credentialCachePath: text('/tmp/krb5cc').describe('Where tickets are put in the container; empty: nowhere.'),
    configPath: name('/etc/containerssh/krb5.conf').describe('Configuration of Kerberos, for passwords.'),
    clockSkew: duration(300_000).describe('How far clocks may differ.'),
  }).describe('Kerberos.')

const github = section({
  cacert: text().describe("CA certificates in place of the system's: PEM text or the name of a file."),
  url: name('https://github.com').describe('GitHub, or a server of GitHub Enterprise.'),
  apiurl: name('https://api.github.com').describe('Its API.'),
  cert: text().describe('Client certificate: PEM text or the name of a file; needs `key`.'),
  key: secret().describe('Private key of `cert`: PEM text or the name of a file.'),
  ...tlsOptions(),
  enforceUsername: flag(true).describe('The login name must be that at GitHub.'),
  requireOrgMembership: text().describe('Organization that users must be members of.'),
  require2FA: flag().describe('Users must have a second factor at GitHub.'),
  extraScopes: texts().describe('Scopes to ask for besides those that are needed.'),
  enforceScopes: flag().describe('All of these must be granted.'),
  timeout: duration(10_000, 100).describe('For one request.'),
})
const oidc = section({
  ...httpClient(),
  deviceFlow: flag().describe('Users enter a code at a web page of the provider.'),
  authorizationCodeFlow: flag().describe('Users follow a link and bring back a code.'),
  usernameField: name('sub').describe("Field of the user's data that holds the name."),
  redirectURI: text().describe('Address of `redirect` as browsers see it.'),
  extraScopes: texts().describe('Scopes to ask for besides `openid`.'),
  enforceScopes: flag().describe('All of these must be granted.'),
})
const generic = section({
  authorizeEndpointURL: text().describe('Page at which users log in.'),
  tokenEndpoint: section(httpClient()).describe('Endpoint for tokens.'),
  redirectURI: text().describe('Address of `redirect` as browsers see it.'),
})
const oauth2 = section({
  redirect: section({
    ...httpServer('0.0.0.0:8080'),
    webroot: text().describe('Folder with an `index.html` in place of the built-in page.'),
  }).describe('Server of the page to which the provider sends users back.'),
  clientId: text().describe('Client ID at the provider.'),
  clientSecret: secret().describe('Client secret at the provider.'),
  provider: choice(['', 'github', 'oidc', 'generic'], '').describe('Which of the sections below counts.'),
  github: github.describe('GitHub.'),
  oidc: oidc.describe('OpenID Connect.'),
  generic: generic.describe('Another OAuth2 server.'),
  qrCodeClients: texts().describe('Regular expressions: clients that are shown a QR code.'),
  deviceFlowClients: texts().describe('Regular expressions: clients that use the device flow.'),
  authTimeout: duration(120_000, 100).describe('For the whole login.'),
}).describe('OAuth2.')

/** The form before 0.5: one webhook for both methods. `auth-url.ts` translates it. */
const old = 'Deprecated; write `auth.password.webhook` and `auth.publicKey.webhook`. '
const oldForm = () =>
  Object.fromEntries(
    Object.entries(httpClient()).map(([key, option]) => [key, option.describe(`${old}${option.description ?? ''}`)]),
  ) as ReturnType<typeof httpClient>

/** SSH names of the methods of which chains are made. */
const method = choice(['publickey', 'password', 'keyboard-interactive'], 'publickey').removeDefault()

export const auth = section({
  users: list(user).meta(ours('Users of this server itself.')),
  userCAs: texts().meta(
    ours('CAs whose user certificates are accepted: authorized_keys lines, or names of files of such lines.'),
  ),
  anyCertificateUser: flag().meta(
    ours('Lets in whoever has a certificate for the login name, without an entry in `users`.'),
  ),
  revokedKeys: texts().meta(
    ours('Keys, `SHA256:…` or `serial:SHA256:…:N`, or names of files of such lines; they win over everything above.'),
  ),
  required: list(list(method).removeDefault()).meta(
    ours('Each entry is a list of methods that let a user in together, in this order; empty: any one method.'),
  ),
  password: section({
    method: choice(['', 'webhook', 'kerberos'], '').describe('Who decides; empty: only `users`.'),
    webhook: authenticator(),
    kerberos: kerberos(),
  }).describe('Passwords.'),
  publicKey: section({
    method: choice(['', 'webhook'], '').describe('Who decides; empty: only `users` and `userCAs`.'),
    webhook: authenticator(),
  }).describe('Public keys.'),
  keyboardInteractive: section({
    method: choice(['', 'oauth2', 'webhook'], '').describe('Who decides; empty: nobody. `webhook`: its server asks.'),
    webhook: authenticator().meta(ours('The webhook that asks the questions.')),
    oauth2,
  }).describe('Questions and answers.'),
  gssapi: section({
    method: choice(['', 'kerberos'], '').describe('Who decides; empty: nobody.'),
    kerberos: kerberos(),
  }).describe('Kerberos tickets.'),
  authz: section({
    method: choice(['', 'webhook'], '').describe('Who decides; empty: everybody who has authenticated is let in.'),
    webhook: webhook({
      transmitSensitiveMetadata: flag().meta(
        ours('Values marked as sensitive are sent too, as the Go program always did.'),
      ),
    }),
  }).describe('Authorization, after authentication.'),
  authTimeout: duration(60_000, 100).describe(`${old}For all tries together.`),
  ...oldForm(),
  pubkey: flag(true).describe(`${old}Off: not for keys.`),
})
