/** CHANNEL_OPEN (RFC 4254 section 5.1): what is opened, what is refused with which reason, what waits for the session. */
import { asFault, type Fault, fault } from '../../shared/codes/fault.ts'
import type { Log } from '../../shared/log.ts'
import { count } from '../../shared/metric.ts'
import type { Arrive, ChannelId, Origin, Session, Target, Verdict } from '../ports.ts'
import { SessionChannel } from './channel.ts'
import type { ChannelEnd } from './channel-end.ts'
import type { ConnectionService } from './connection.ts'
import { ForwardingChannel } from './forwarding.ts'
import { firstWindowBytes } from './input.ts'
import { type ChannelOpen, channelOpenConfirmation, channelOpenFailure, decodeChannelOpen } from './messages.ts'
import { disconnect, maximumPacketBytes, openFailure } from './numbers.ts'
import { pause } from './reading.ts'
import { decodeDirectStreamlocal, decodeDirectTcpip } from './requests.ts'

/** Until the originator is decoded. */
const nowhere: Origin = { address: '', port: 0 }

type Wish = { readonly open: ChannelOpen; readonly target: Target | undefined }

export class Opening {
  readonly #service: ConnectionService
  #session: Session | undefined
  #refusal: Fault | undefined
  #ended = false
  #waiting: Wish[] = []
  readonly #pending = new Set<Promise<void>>()
  #nextId = 0
  #limitTold = false
  /** Channels towards the client are not opened yet. */
  readonly #arrive: Arrive = (_door, stream) => void stream.destroy()

  constructor(service: ConnectionService) {
    this.#service = service
  }

  get busy(): boolean {
    return this.#pending.size > 0
  }
  /** Resolves when the opens that are being decided now are decided. */
  async idle(): Promise<void> {
    await Promise.allSettled(this.#pending)
  }

  serve(session: Session): void {
    this.#session = session
    const waiting = this.#waiting
    this.#waiting = []
    for (const wish of waiting) this.#begin(wish)
    this.#service.link.reading.resume(pause.opens)
  }

  refuse(why: Fault): void {
    this.#refusal = why
    const [first] = this.#waiting
    this.#service.link.reading.resume(pause.opens)
    if (first !== undefined) this.#farewell(first.open, why)
  }

  end(): void {
    this.#ended = true
    this.#waiting = []
  }

  message(payload: Buffer): void {
    const open = decodeChannelOpen(payload)
    // Without the client's number of the channel there is nobody to answer to.
    if (open === undefined) {
      this.#service.link.protocolError('malformed channel open')
      return
    }
    const wish = this.#check(open)
    if (wish === undefined) return
    if (this.#refusal !== undefined) {
      this.#farewell(open, this.#refusal)
      return
    }
    if (this.#session !== undefined) {
      this.#begin(wish)
      return
    }
    this.#waiting.push(wish)
    if (this.#waiting.length >= this.#service.link.limits.opensWaiting) this.#service.link.reading.pause(pause.opens)
  }

  /** What can be said about an open without the session. Undefined: refused. */
  #check(received: ChannelOpen): Wish | undefined {
    const target = targetOf(received)
    // The extra data is decoded; what is kept must not point into the transport's buffer.
    const open = { ...received, data: Buffer.alloc(0) }
    const { type } = open
    if (target === 'unknown') {
      this.#service.link.log.emit('SSH_UNSUPPORTED_CHANNEL_TYPE', { type })
      this.#send(open, openFailure.unknownType, 'unsupported channel type')
      return undefined
    }
    if (target === 'malformed') {
      this.#service.link.log.emit('SSH_DECODE_FAILED', { RequestType: type })
      this.#refuse(open, openFailure.connectFailed, 'malformed channel open')
      return undefined
    }
    if (open.maximumPacket === 0) {
      this.#refuse(open, openFailure.connectFailed, 'maximum packet size 0')
      return undefined
    }
    if (target === 'session' && this.#service.noMoreSessions) {
      this.#refuse(open, openFailure.prohibited, 'no more sessions, as announced')
      return undefined
    }
    return { open, target: target === 'session' ? undefined : target }
  }

  #begin(wish: Wish): void {
    if (this.#service.stopping) {
      this.#refuse(wish.open, openFailure.resourceShortage, 'server is shutting down')
      return
    }
    const { channels } = this.#service.link.limits
    // Those included whose programs are still being ended.
    if (this.#service.size + this.#pending.size >= channels) {
      this.#tooMany(wish.open, fault('SSH_CHANNEL_LIMIT', { limit: channels }))
      return
    }
    const opening = this.#open(wish).finally(() => this.#pending.delete(opening))
    this.#pending.add(opening)
    this.#service.link.guard(opening)
  }

  async #open({ open, target }: Wish): Promise<void> {
    const session = this.#session
    if (session === undefined) return
    const id = this.#nextId++ as ChannelId
    if (target === undefined) {
      const verdict = await verdictOf(session.open(id, this.#arrive))
      if (!verdict.accepted) return this.#refused(open, verdict.fault, openFailure.resourceShortage)
      if (this.#ended) return this.#late(open, verdict.value)
      this.#confirm(new SessionChannel(this.#service, id, open, this.#log(id), verdict.value), open)
    } else {
      const verdict = await verdictOf(session.dial(target, nowhere, this.#service.link.signal))
      if (!verdict.accepted) return this.#refused(open, verdict.fault, openFailure.prohibited)
      if (this.#ended) return this.#late(open, verdict.value)
      this.#confirm(new ForwardingChannel(this.#service, id, open, this.#log(id), verdict.value), open)
    }
  }

  #log(id: ChannelId): Log {
    return this.#service.link.log.with({ channelId: id })
  }

  #confirm(channel: ChannelEnd, open: ChannelOpen): void {
    this.#service.channels.set(channel.id, channel)
    this.#service.link.wire.send(channelOpenConfirmation(open.sender, channel.id, firstWindowBytes, maximumPacketBytes))
    channel.log.emit('SSH_NEW_CHANNEL', { type: open.type })
    channel.opened()
    if (this.#service.stopping) channel.stop()
  }

  /** The connection ended while the channel was made. */
  async #late({ type }: ChannelOpen, made: AsyncDisposable): Promise<void> {
    this.#service.link.log.emit('SSH_REPLY_SEND_FAILED', { RequestType: type })
    await made[Symbol.asyncDispose]()
  }

  #refused(open: ChannelOpen, why: Fault, reason: number): void {
    this.#service.link.log.emit('SSH_NEW_CHANNEL_REJECTED', { type: open.type, reason: why.code }, { cause: why })
    this.#send(open, reason, why.userText)
  }

  /** A client that does not stop asking gets an answer each time, but not a line of this level. */
  #tooMany(open: ChannelOpen, why: Fault): void {
    count('containerssh_ssh_limits_total', { limit: 'channels' })
    if (!this.#limitTold) this.#service.link.log.fault(why)
    this.#limitTold = true
    this.#refused(open, why, openFailure.resourceShortage)
  }

  #refuse(open: ChannelOpen, reason: number, text: string): void {
    this.#service.link.log.emit('SSH_NEW_CHANNEL_REJECTED', { type: open.type, reason: text })
    this.#send(open, reason, text)
  }

  #send(open: ChannelOpen, reason: number, text: string): void {
    if (!this.#ended) this.#service.link.wire.send(channelOpenFailure(open.sender, reason, text))
  }

  #farewell(open: ChannelOpen, why: Fault): void {
    this.#refused(open, why, openFailure.connectFailed)
    this.#service.link.disconnect(disconnect.byApplication, why.userText)
  }
}

async function verdictOf<T>(verdict: Promise<Verdict<T>>): Promise<Verdict<T>> {
  try {
    return await verdict
  } catch (error) {
    return { accepted: false, fault: asFault(error) }
  }
}

function targetOf({ type, data }: ChannelOpen): 'session' | 'unknown' | 'malformed' | Target {
  switch (type) {
    case 'session':
      return data.length === 0 ? 'session' : 'malformed'
    case 'direct-tcpip':
      return decodeDirectTcpip(data) ?? 'malformed'
    case 'direct-streamlocal@openssh.com':
      return decodeDirectStreamlocal(data) ?? 'malformed'
    default:
      return 'unknown'
  }
}
