/**
 * The user authentication protocol (RFC 4252) until it has let a user in: attempts strictly one after the other, in the
 * order of their arrival. The methods' own decisions are the port's (`Connection.authenticate`).
 */
import { asFault, describeCause, fault } from '../../shared/codes/fault.ts'
import { count } from '../../shared/metric.ts'
import type { Ask, AuthVerdict, Member } from '../ports.ts'
import { Conversation } from './conversation.ts'
import type { Link } from './link.ts'
import {
  decodeUserauthRequest,
  type Proof,
  type UserauthRequest,
  userauthBanner,
  userauthFailure,
  userauthPkOk,
  userauthSuccess,
} from './messages.ts'
import { disconnect, message } from './numbers.ts'
import { readOffer } from './offered-key.ts'
import { pause } from './reading.ts'

/** Messages that may wait for the attempt that is being decided; then reading stops. */
const mostWaiting = 4

/** The `method` labels of logs since ContainerSSH 0.4. */
const labels: Readonly<Record<string, string>> = { publickey: 'public key' }

export class Authentication {
  readonly #link: Link
  readonly #sessionId: Uint8Array
  #requests = 0
  #failures = 0
  #deciding = false
  /** Of the keyboard-interactive attempt that is being decided. */
  #conversation: Conversation | undefined
  /** Copies. */
  #waiting: Buffer[] = []

  constructor(link: Link, sessionId: Uint8Array) {
    this.#link = link
    this.#sessionId = sessionId
  }

  message(payload: Buffer): void {
    // A copy in both cases: the password and the key are still needed when the transport uses its buffer again.
    const copy = Buffer.from(payload)
    if (!this.#deciding) {
      this.#take(copy)
      return
    }
    const number = copy[0]
    if (number === message.userauthInfoResponse && this.#conversation?.waiting === true) {
      this.#conversation.answer(copy)
      return
    }
    if (number === message.userauthRequest) this.#conversation?.abandon()
    this.#waiting.push(copy)
    if (this.#waiting.length >= mostWaiting) this.#link.reading.pause(pause.attempts)
  }

  #take(payload: Buffer): void {
    const number = payload[0] ?? 0
    // An answer that crossed our refusal.
    if (number === message.userauthInfoResponse) return
    // RFC 4252 section 6: higher numbers are for after the login. Lower ones are a server's.
    if (number !== message.userauthRequest) {
      this.#link.protocolError(`message ${number} before authentication`)
      return
    }
    const request = decodeUserauthRequest(payload)
    if (request === undefined) {
      this.#link.protocolError('malformed authentication request')
      return
    }
    // Accepted key queries are no failures, but nobody has so many keys.
    if (this.#requests >= this.#link.settings.maxAuthRequests) {
      count('containerssh_ssh_limits_total', { limit: 'auth_requests' })
      this.#link.disconnect(disconnect.tooManyFailures, 'Too many authentication requests')
      return
    }
    this.#deciding = true
    this.#link.guard(this.#decide(request, payload))
  }

  async #decide(request: UserauthRequest, payload: Buffer): Promise<void> {
    const link = this.#link
    if (this.#requests++ === 0 && link.settings.banner !== '') link.wire.send(userauthBanner(link.settings.banner))
    if (request.service !== 'ssh-connection') return link.disconnect(disconnect.serviceNotAvailable, 'unknown service')
    const user = request.user
    let verdict: AuthVerdict | 'may sign'
    try {
      verdict =
        user === undefined ? refused('', 'the user name is not UTF-8 or too long') : await this.#attempt(user, request)
    } catch (error) {
      verdict = unavailable(error)
    }
    payload.fill(0)
    if (link.over) return
    if (verdict === 'may sign') return this.#next()
    if (verdict.outcome === 'success') return this.#succeed(user ?? '', verdict.member, request.method.kind)
    // As in OpenSSH, what was right does not count as a failure.
    if (verdict.outcome === 'partial') link.wire.send(userauthFailure(verdict.methods, true))
    else this.#fail(user ?? '(unreadable)', request, verdict)
    if (!link.over) this.#next()
  }

  /** `may sign`: the key would do, and the client has been told. */
  #attempt(user: string, { method }: UserauthRequest): Promise<AuthVerdict | 'may sign'> | AuthVerdict {
    const { port, signal } = this.#link
    switch (method.kind) {
      case 'none':
        return port.authenticate(user, { method: 'none' }, signal)
      case 'password':
        return port.authenticate(user, { method: 'password', password: method.password }, signal)
      case 'publickey':
        return this.#publicKey(user, method.algorithm, method.blob, method.proof)
      case 'keyboard-interactive':
        return this.#converse(user, method.submethods)
      case 'password-change':
        return refused(user, 'passwords cannot be changed here')
      case 'malformed':
        return refused(user, 'malformed request')
      case 'other':
        return this.#otherMethod(user, method.name)
    }
  }

  #otherMethod(user: string, method: string): AuthVerdict {
    const why = fault(method === 'gssapi-with-mic' ? 'AUTH_DISABLED' : 'AUTH_NOT_SUPPORTED', { method, username: user })
    this.#link.log.with({ module: 'auth' }).fault(why)
    return { outcome: 'unavailable', fault: why }
  }

  async #converse(user: string, submethods: string): Promise<AuthVerdict> {
    const { port, signal } = this.#link
    const conversation = new Conversation(this.#link)
    const ask: Ask = (inquiry) => conversation.ask(inquiry)
    // A client that did not even wait for the first question has begun another attempt already.
    if (this.#waiting.some((payload) => payload[0] === message.userauthRequest)) conversation.abandon()
    this.#conversation = conversation
    try {
      return await port.authenticate(user, { method: 'keyboard-interactive', submethods, ask }, signal)
    } finally {
      conversation.close()
      this.#conversation = undefined
    }
  }

  #publicKey(
    user: string,
    algorithm: string,
    blob: Buffer,
    proof: Proof | undefined,
  ): Promise<AuthVerdict | 'may sign'> | AuthVerdict {
    const { port, signal } = this.#link
    const offer = readOffer(algorithm, blob, proof, this.#sessionId)
    if (typeof offer === 'string') {
      this.#link.witness?.keyRefused(user, algorithm, blob)
      return refused(user, offer)
    }
    const verdict = port.authenticate(user, offer, signal)
    return offer.signed ? verdict : this.#answerQuery(verdict, algorithm, blob)
  }

  async #answerQuery(asked: Promise<AuthVerdict>, algorithm: string, blob: Buffer): Promise<AuthVerdict | 'may sign'> {
    const verdict = await asked
    if (verdict.outcome !== 'success') return verdict
    if (!this.#link.over) this.#link.wire.send(userauthPkOk(algorithm, blob))
    return 'may sign'
  }

  #succeed(user: string, member: Member, kind: string): void {
    const link = this.#link
    const method = labels[kind] ?? kind
    link.log.emit('SSH_AUTH_SUCCESSFUL', {
      username: user,
      method,
      authenticatedUsername: member.authenticatedUsername,
    })
    link.wire.send(userauthSuccess())
    link.reading.resume(pause.attempts)
    link.authenticated(member, method, this.#waiting)
  }

  #fail(user: string, request: UserauthRequest, verdict: Refusal): void {
    const link = this.#link
    const kind = 'name' in request.method ? request.method.name : request.method.kind
    const method = labels[kind] ?? kind
    link.failures++
    link.lastFailure = `${method}: ${describeCause(verdict.fault)}`
    // Everybody begins with `none`, to learn the methods: no failure, and nothing to tell (OpenSSH: the first is free).
    const first = kind === 'none' && this.#requests === 1
    if (!first) this.#failures++
    if (kind !== 'none') {
      // When nobody could decide, it was not the client's failure.
      if (verdict.outcome === 'failure') link.rejected = true
      const code = verdict.outcome === 'failure' ? 'SSH_AUTH_FAILED' : 'SSH_AUTH_UNAVAILABLE'
      link.log.emit(code, { username: user, method, reason: verdict.fault.code }, { cause: verdict.fault })
    }
    if (this.#failures >= link.settings.maxAuthTries) {
      count('containerssh_ssh_limits_total', { limit: 'auth_tries' })
      link.disconnect(disconnect.tooManyFailures, 'Too many authentication failures')
      return
    }
    link.wire.send(userauthFailure(verdict.methods ?? link.port.methods, false))
  }

  #next(): void {
    this.#deciding = false
    while (!this.#deciding && !this.#link.over) {
      const payload = this.#waiting.shift()
      if (payload === undefined) {
        this.#link.reading.resume(pause.attempts)
        return
      }
      this.#take(payload)
    }
  }
}

type Refusal = Extract<AuthVerdict, { readonly fault: unknown }>
const refused = (username: string, reason: string): Refusal => ({
  outcome: 'failure',
  fault: fault('AUTH_FAILED', { username, reason }, { cause: reason }),
})
/** A method whose decision failed: a bug or a backend that is out of order, never a reason to let somebody in. */
const unavailable = (error: unknown): Refusal => ({ outcome: 'unavailable', fault: asFault(error) })
