/** Asks the authentication webhooks about one attempt. */
import { asFault, fault } from '../../shared/codes/fault.ts'
import type { Config } from '../../shared/config/index.ts'
import { type AuthType, count, retryOf } from '../../shared/metric.ts'
import { type Answer, decodeAnswer, decodeInteractive } from '../../shared/webhook/answers.ts'
import type { Attempt, AuthVerdict, Member, Peer } from '../ports.ts'
import type { HttpClient } from './client.ts'
import { interactiveRequest, passwordRequest, publicKeyRequest } from './protocol.ts'
import { type Answered, ask } from './question.ts'

export interface Authenticator {
  readonly client: HttpClient
  readonly settings: Config['auth']['password']['webhook']
}
/** Who asks, and whether anybody still wants to know. */
export interface Inquirer {
  readonly peer: Peer
  readonly username: string
  readonly signal: AbortSignal
}

interface Kind {
  readonly authtype: AuthType
  readonly path: string
}
const password: Kind = { authtype: 'password', path: '/password' }
const publicKey: Kind = { authtype: 'pubkey', path: '/pubkey' }
const interactive: Kind = { authtype: 'keyboard-interactive', path: '/keyboard-interactive' }
/** Rounds of questions in one attempt. */
const mostRounds = 8

export const authenticatePassword = (to: Authenticator, from: Inquirer, secret: Uint8Array): Promise<AuthVerdict> =>
  verdictOf(to, from, password, () => {
    const body = passwordRequest(from.peer, from.username, secret, to.settings.legacyFields)
    return question(to, from, password, body, decodeAnswer)
  })

/** `line`: of authorized_keys. `proven`: the client has the private key; otherwise it only wants to know whether it would do. */
export const authenticateKey = (
  to: Authenticator,
  from: Inquirer,
  line: string,
  proven: boolean,
): Promise<AuthVerdict> => {
  const body = publicKeyRequest(from.peer, from.username, line, to.settings.legacyFields)
  const questioned = () => question(to, from, publicKey, body, decodeAnswer)
  return verdictOf(to, from, publicKey, questioned, proven)
}

export const authenticateInteractively = (
  to: Authenticator,
  from: Inquirer,
  attempt: Extract<Attempt, { readonly method: 'keyboard-interactive' }>,
): Promise<AuthVerdict> => verdictOf(to, from, interactive, () => converse(to, from, attempt))

/** Undefined: the client did not answer, or was asked without end. */
async function converse(
  to: Authenticator,
  from: Inquirer,
  { submethods, ask }: Extract<Attempt, { readonly method: 'keyboard-interactive' }>,
): Promise<Answered<Answer> | undefined> {
  const { legacyFields } = to.settings
  let answers: readonly Uint8Array[] | undefined
  let state = ''
  for (let round = 0; round <= mostRounds; round++) {
    const body = interactiveRequest(from.peer, from.username, submethods, answers, state, legacyFields)
    const found = await question(to, from, interactive, body, decodeInteractive)
    const { value, attempt } = found
    if (!('prompts' in value)) return { value, attempt }
    state = value.state
    answers = await ask(value)
    if (answers === undefined) return undefined
  }
  return undefined
}

function question<T>(
  { client, settings }: Authenticator,
  { peer, username, signal }: Inquirer,
  { path, authtype }: Kind,
  body: unknown,
  decode: (value: unknown) => T,
): Promise<Answered<T>> {
  const labels = { username, url: client.endpoint, authtype }
  const log = peer.log.with({ module: 'auth' })
  return ask({ client, totalMs: settings.authTimeout, path, body, decode, authtype, labels, log, signal })
}

async function verdictOf(
  { client }: Authenticator,
  { peer, username }: Inquirer,
  { authtype }: Kind,
  answered: () => Promise<Answered<Answer> | undefined>,
  proven = true,
): Promise<AuthVerdict> {
  const labels = { username, url: client.endpoint, authtype }
  const log = peer.log.with({ module: 'auth' })
  let answer: Answered<Answer> | undefined
  try {
    answer = await answered()
  } catch (error) {
    const why = asFault(error)
    log.fault(why)
    return { outcome: 'unavailable', fault: why }
  }
  if (answer?.value.success !== true) {
    const why = fault('AUTH_FAILED', labels)
    log.fault(why)
    count('containerssh_auth_failures_total', { authtype, retry: retryOf(answer?.attempt ?? 1), country: peer.country })
    return { outcome: 'failure', fault: why }
  }
  const member = memberOf(username, answer.value)
  if (!proven) log.emit('AUTH_KEY_ACCEPTABLE', labels)
  else accepted(peer, member, client.endpoint, authtype, answer.attempt)
  return { outcome: 'success', member }
}

/** The client is let in: at the second look at a key, no server is asked again. `attempt`: which try was answered. */
export function accepted(
  peer: Peer,
  { username, authenticatedUsername }: Member,
  url: string,
  authtype: AuthType,
  attempt = 1,
): void {
  peer.log.with({ module: 'auth' }).emit('AUTH_SUCCESSFUL', { username, url, authtype, authenticatedUsername })
  count('containerssh_auth_success_total', { authtype, retry: retryOf(attempt), country: peer.country })
}

const memberOf = (username: string, { authenticatedUsername, metadata, environment, files }: Answer): Member => ({
  username,
  authenticatedUsername: authenticatedUsername === '' ? username : authenticatedUsername,
  metadata,
  environment,
  files,
})
