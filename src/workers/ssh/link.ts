/**
 * One TCP connection from the hand-over to its end: which phase it is in, what is logged about that, and who is told
 * what when it is over. The phases themselves are `authentication.ts` and `connection.ts`.
 */
import { asFault, type Fault } from '../../shared/codes/fault.ts'
import type { Config } from '../../shared/config/index.ts'
import type { Outcome } from '../../shared/ipc/outcome.ts'
import type { Log } from '../../shared/log.ts'
import { count, observe, secondsSince } from '../../shared/metric.ts'
import { withoutStacks } from '../../shared/stackless.ts'
import type { Connection, Member, Peer, Refused, Session, Verdict } from '../ports.ts'
import { Authentication } from './authentication.ts'
import { blameFor } from './blame.ts'
import { ConnectionService } from './connection.ts'
import type { Ending } from './ending.ts'
import { announceHostKeys } from './host-key-proof.ts'
import type { House } from './house.ts'
import { Keepalive } from './keepalive.ts'
import { type Lifetime, lifetimeOf } from './lifetime.ts'
import { pongFor } from './messages.ts'
import { disconnect, message } from './numbers.ts'
import { Reading } from './reading.ts'
import { release } from './release.ts'
import type { Watchers } from './watchers.ts'
import type { Initiator, Negotiated, Wire, WireEvents } from './wire.ts'
import type { Subject, Witness } from './witness.ts'

/** How long a user whom the backend turned away may take to open the channel on which we can say why. */
const farewellMs = 5000

export class Link implements WireEvents, Subject {
  readonly house: House
  readonly ticket: number
  readonly wire: Wire
  readonly reading: Reading
  readonly port: Connection
  readonly witness: Witness | undefined
  /** Grows while the connection does. */
  readonly peer: { -readonly [K in keyof Peer]: Peer[K] }
  member: Member | undefined
  /** Once the user has a room, or one in the making. */
  session: Session | undefined
  /** Only while somebody watches. */
  watchers: Watchers | undefined
  /** The last attempt that did not succeed, and how many there were. */
  lastFailure: string | undefined
  failures = 0
  /** No message is looked at any more. */
  over = false
  #phase: Authentication | ConnectionService | undefined
  #keepalive: Keepalive | undefined
  #lifetime: Lifetime | undefined
  #negotiated: Negotiated | undefined
  #abort: AbortController | undefined
  /** Login grace, later the time for the farewell. */
  #timer: NodeJS.Timeout | undefined
  #session: Promise<Verdict<Session>> | undefined
  /** What we told the client when we ended the connection. */
  #reason: string | undefined
  /** When this phase began, and the connection; of `performance.now()`. */
  phaseMs = 0
  startMs = 0
  /** At least one attempt to log in has failed. */
  rejected = false
  #blame: Outcome | undefined
  #failed = false
  #closed = false

  /** The peer becomes ours. */
  constructor(house: House, ticket: number, wire: Wire, peer: Link['peer']) {
    this.house = house
    this.ticket = ticket
    this.wire = wire
    this.reading = new Reading(wire)
    this.peer = peer
    const recording = house.record?.(ticket, this.peer, this)
    this.witness = recording?.witness
    this.port = house.admit(this.peer, recording?.layer)
  }

  get log(): Log {
    return this.peer.log
  }
  get settings(): Config['ssh'] {
    return this.house.config.ssh
  }
  get limits(): Config['limits'] {
    return this.house.config.limits
  }
  /** From the first key exchange on. */
  get negotiated(): Negotiated {
    if (this.#negotiated === undefined) throw new Error('nothing has been negotiated yet')
    return this.#negotiated
  }
  /** From the authentication on. */
  get service(): ConnectionService | undefined {
    return this.#phase instanceof ConnectionService ? this.#phase : undefined
  }
  /** Aborted when the connection is over. */
  get signal(): AbortSignal {
    this.#abort ??= new AbortController()
    return this.#abort.signal
  }

  start(): void {
    this.log.emit('SSH_CONNECTED', {})
    this.#timer = setTimeout(loginExpired, this.settings.loginGrace, this).unref()
    this.startMs = performance.now()
    this.phaseMs = this.startMs
    this.wire.start(this)
  }

  ready(negotiated: Negotiated): void {
    observe('containerssh_ssh_key_exchange_seconds', {}, secondsSince(this.phaseMs))
    this.phaseMs = performance.now()
    this.#negotiated = negotiated
    this.peer.clientVersion = negotiated.clientVersion
    this.witness?.negotiated(negotiated)
    this.#phase = new Authentication(this, negotiated.sessionId)
  }

  rekeyed(initiator: Initiator): void {
    this.log.emit('SSH_REKEYED', { initiator })
  }

  message(payload: Buffer): void {
    if (this.over) return
    const number = payload[0]
    if (number === message.ping) this.#pong(payload)
    else this.#phase?.message(payload)
  }

  #pong(payload: Buffer): void {
    const pong = pongFor(payload)
    if (pong === undefined) this.protocolError('malformed ping')
    else this.wire.send(pong)
  }

  drain(): void {
    this.service?.drain()
  }

  /** RFC 4252 is done. `waiting`: messages that arrived meanwhile. */
  authenticated(member: Member, method: string, waiting: readonly Buffer[]): void {
    clearTimeout(this.#timer)
    observe('containerssh_ssh_authentication_seconds', {}, secondsSince(this.phaseMs))
    this.wire.rekeying.allow()
    const service = new ConnectionService(this)
    this.#phase = service
    this.phaseMs = performance.now()
    this.member = member
    this.peer.log = this.log.with({ username: member.username })
    this.house.authenticated(this)
    announceHostKeys(this)
    const { clientAliveInterval, clientAliveCountMax } = this.settings
    if (clientAliveInterval > 0) this.#keepalive = new Keepalive(this, clientAliveInterval, clientAliveCountMax)
    this.#session = this.#enter(member, method, service)
    this.guard(this.#session)
    for (const payload of waiting) this.message(payload)
  }

  async #enter(member: Member, method: string, service: ConnectionService): Promise<Verdict<Session>> {
    let verdict: Verdict<Session>
    try {
      verdict = await this.port.enter(member, this.signal)
    } catch (error) {
      verdict = { accepted: false, fault: asFault(error) }
    }
    if (this.over) return verdict
    if (verdict.accepted) {
      this.session = verdict.value
      const { clientVersion, kex, cipherOut } = this.negotiated
      this.log.emit('SSH_HANDSHAKE_SUCCESSFUL', { method, clientVersion, kex, cipher: cipherOut })
      count('containerssh_ssh_successful_handshakes_total', { country: this.peer.country })
      this.#lifetime = lifetimeOf(this, service, verdict.value.limits)
      service.serve(verdict.value)
      return verdict
    }
    const { fault } = verdict
    this.log.emit('SSH_BACKEND_REJECTED_HANDSHAKE', { reason: fault.code }, { cause: fault })
    this.#handshakeFailed(fault.message)
    this.#timer = setTimeout(expire, farewellMs, this, fault.userText).unref()
    service.refuse(fault)
    return verdict
  }

  /** Work that nobody waits for: when it fails, that is a bug of ours, and it costs this connection only. */
  guard(work: Promise<unknown>): void {
    work.catch((error: unknown) => {
      this.log.fault(asFault(error), 'error')
      this.#blame ??= 'server'
      this.wire.destroy(error instanceof Error ? error : undefined)
    })
  }

  protocolError(reason: string): void {
    if (this.over) return
    this.log.emit('SSH_PROTOCOL_ERROR', { reason })
    count('containerssh_ssh_limits_total', { limit: 'protocol' })
    this.#blame ??= 'protocol-error'
    this.disconnect(disconnect.protocolError, reason)
  }

  /** After a final refusal nothing more is to be heard from this client. */
  heed({ final, fault }: Refused): void {
    if (final) this.disconnect(disconnect.byApplication, fault.userText)
  }

  loginExpired(): void {
    count('containerssh_ssh_limits_total', { limit: 'login_grace' })
    this.#blame ??= 'grace-exceeded'
    this.disconnect(disconnect.byApplication, 'the login took too long')
  }

  /** How it ended, when it has: it decides who may connect next. */
  get outcome(): Outcome {
    if (this.#phase instanceof ConnectionService) return 'session'
    return this.#blame ?? (this.rejected ? 'auth-failed' : 'no-auth')
  }

  /** Ends the connection with a reason; the transport sees to it that it ends soon. */
  disconnect(reason: number, description: string): void {
    if (this.over) return
    this.over = true
    this.#reason = description
    this.wire.disconnect(reason, description)
  }

  endUnrecorded(why: Fault): void {
    this.expel(why.userText)
  }

  /** Ends it for a reason of ours, which whoever sits at a terminal reads as well. */
  expel(text: string): void {
    this.service?.tell(text)
    this.#blame ??= 'server'
    this.disconnect(disconnect.byApplication, text)
  }

  /** The client answered one of our global requests. */
  answered(): void {
    this.#keepalive?.answered()
  }

  /** Asks every program to end; the connection ends when the last channel has. */
  stop(ending: Ending): void {
    if (this.#phase instanceof ConnectionService) this.#phase.stop(ending)
    else {
      this.#blame ??= 'server'
      this.disconnect(disconnect.byApplication, ending.text)
    }
  }

  closed(error?: Error): void {
    if (this.#closed) return
    this.#closed = true
    this.over = true
    clearTimeout(this.#timer)
    this.#keepalive?.stop()
    this.#lifetime?.stop()
    this.#blame ??= blameFor(error)
    const session = this.session === undefined ? 'no' : 'yes'
    observe('containerssh_ssh_connection_seconds', { session }, secondsSince(this.startMs))
    const reason = this.#reason ?? error?.message
    if (this.session === undefined) this.#handshakeFailed(reason ?? gone.message)
    this.#abort?.abort(reason === undefined ? gone : withoutStacks(() => new Error(reason)))
    void this.#dispose(reason)
  }

  #handshakeFailed(reason: string): void {
    if (this.#failed) return
    this.#failed = true
    const { failures, lastFailure } = this
    const tries = failures === 0 ? {} : { failures, lastFailure }
    this.log.emit('SSH_HANDSHAKE_FAILED', { reason, ...tries })
    this.witness?.handshakeFailed(reason)
    count('containerssh_ssh_failed_handshakes_total', { country: this.peer.country })
  }

  async #dispose(reason: string | undefined): Promise<void> {
    this.log.emit('SSH_DISCONNECTED', { reason })
    await release(this, this.#session)
    this.witness?.end()
    this.house.ended(this)
  }
}

/** Made once: nobody reads its stack. */
const gone = withoutStacks(() => new Error('the client disconnected'))
const loginExpired = (link: Link): void => link.loginExpired()
const expire = (link: Link, reason: string): void => link.disconnect(disconnect.byApplication, reason)
