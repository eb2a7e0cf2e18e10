/** CHANNEL_OPEN (RFC 4254 section 5.1): what is opened, what is refused with which reason, what waits for the session. */
import type { Duplex } from 'node:stream'
import { asFault, type Fault, fault } from '../../shared/codes/fault.ts'
import type { Log } from '../../shared/log.ts'
import { placeName } from '../place.ts'
import type { ChannelId, Refused, Session, Verdict } from '../ports.ts'
import { SessionChannel } from './channel.ts'
import type { ConnectionService } from './connection.ts'
import { type DirectOpen, decodeDirectStreamlocal, decodeDirectTcpip } from './forward-messages.ts'
import { ForwardingChannel } from './forwarding.ts'
import { firstWindowBytes } from './input.ts'
import { type ChannelOpen, channelOpenConfirmation, channelOpenFailure, decodeChannelOpen } from './messages.ts'
import { disconnect, maximumPacketBytes, openFailure } from './numbers.ts'
import { patiently } from './patience.ts'
import { pause } from './reading.ts'
import { openedByClient } from './witness.ts'

/** From the open of a direct channel to the connection. Less than the two minutes in which TCP gives up. */
const dialMs = 30_000

/** `id`: our number, when whoever writes the open down needs one already. */
interface Asked extends ChannelOpen {
  readonly id: ChannelId | undefined
}
/** `direct` is undefined for a session. */
interface Wish {
  readonly open: Asked
  readonly direct: DirectOpen | undefined
}

export class Opening {
  readonly #service: ConnectionService
  #session: Session | undefined
  #refusal: Fault | undefined
  #ended = false
  #waiting: Wish[] = []
  readonly #pending = new Set<Promise<void>>()

  constructor(service: ConnectionService) {
    this.#service = service
  }

  /** Opens that are being decided. */
  get size(): number {
    return this.#pending.size
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
      this.#farewell(wish.open, this.#refusal)
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
    const decoded = decode(received)
    // The extra data is decoded; what is kept must not point into the transport's buffer.
    const { witness } = this.#service.link
    const id = witness === undefined ? undefined : this.#service.nextNumber()
    const open = { ...received, data: Buffer.alloc(0), id }
    const { type } = open
    if (decoded === 'unknown') {
      this.#service.link.log.emit('SSH_UNSUPPORTED_CHANNEL_TYPE', { type })
      this.#send(open, openFailure.unknownType, 'unsupported channel type')
      return undefined
    }
    if (decoded === 'malformed') {
      this.#service.link.log.emit('SSH_DECODE_FAILED', { RequestType: type })
      const reason = 'malformed channel open'
      const level = type === 'session' ? undefined : 'warning'
      this.#service.link.log.emit('SSH_NEW_CHANNEL_REJECTED', { type, reason }, { level })
      this.#send(open, openFailure.connectFailed, reason)
      return undefined
    }
    if (id !== undefined && decoded !== 'session') witness?.direct(id, decoded)
    if (open.maximumPacket === 0) {
      this.#refuse(open, openFailure.connectFailed, 'maximum packet size 0')
      return undefined
    }
    if (decoded === 'session' && this.#service.noMoreSessions) {
      this.#refuse(open, openFailure.prohibited, 'no more sessions, as announced')
      return undefined
    }
    return { open, direct: decoded === 'session' ? undefined : decoded }
  }

  #begin(wish: Wish): void {
    const { ending } = this.#service
    if (ending !== undefined) {
      this.#refuse(wish.open, openFailure.resourceShortage, ending.text)
      return
    }
    if (this.#service.full) {
      this.#rejected(wish.open, this.#service.tooMany(), openFailure.resourceShortage)
      return
    }
    const opening = this.#open(wish).finally(() => this.#pending.delete(opening))
    this.#pending.add(opening)
    this.#service.link.guard(opening)
  }

  async #open({ open, direct }: Wish): Promise<void> {
    const session = this.#session
    if (session === undefined) return
    const id = open.id ?? this.#service.nextNumber()
    if (direct === undefined) {
      const verdict = await verdictOf(session.open(id, this.#service.arrive))
      if (!verdict.accepted) return this.#refused(open, verdict, openFailure.resourceShortage)
      if (this.#ended) return this.#late(open, verdict.value)
      this.#confirm(new SessionChannel(this.#service, id, open, this.#log(id), verdict.value), open)
    } else {
      const verdict = await this.#dial(session, direct)
      if (!verdict.accepted) return this.#refused(open, verdict, openFailure.connectFailed)
      if (this.#ended) return this.#late(open, verdict.value)
      this.#confirm(this.#forwarding(id, open, direct, verdict.value), open)
    }
  }

  #dial(session: Session, { target, origin }: DirectOpen): Promise<Verdict<Duplex>> {
    const { link } = this.#service
    return patiently({
      limitMs: dialMs,
      signal: link.signal,
      ask: (signal) => session.dial(target, origin, signal),
      discard: (late) => late.destroy(),
      tooLate: () => {
        const why = fault('SSH_FORWARD_CONNECT_FAILED', { target: placeName(target), reason: 'no answer in time' })
        link.log.fault(why)
        return why
      },
    })
  }

  #forwarding(id: ChannelId, open: ChannelOpen, { target }: DirectOpen, stream: Duplex): ForwardingChannel {
    return new ForwardingChannel(this.#service, id, open, this.#log(id), stream, openedByClient, placeName(target))
  }

  #log(id: ChannelId): Log {
    return this.#service.link.log.with({ channelId: id })
  }

  #confirm(channel: SessionChannel | ForwardingChannel, open: ChannelOpen): void {
    this.#service.link.wire.send(channelOpenConfirmation(open.sender, channel.id, firstWindowBytes, maximumPacketBytes))
    this.#service.add(channel, open.type)
  }

  /** The connection ended while the channel was made. */
  async #late({ type }: ChannelOpen, made: AsyncDisposable): Promise<void> {
    this.#service.link.log.emit('SSH_REPLY_SEND_FAILED', { RequestType: type })
    await made[Symbol.asyncDispose]()
  }

  /** `otherwise`: the reason for what is neither forbidden nor too much. */
  #refused(open: Asked, verdict: Refused, otherwise: number): void {
    this.#rejected(open, verdict.fault, reasonOf(verdict.fault) ?? otherwise)
    this.#service.link.heed(verdict)
  }

  #rejected(open: Asked, why: Fault, reason: number): void {
    if (this.#ended) {
      this.#service.link.log.emit('SSH_REPLY_SEND_FAILED', { RequestType: open.type })
      return
    }
    this.#service.link.log.emit('SSH_NEW_CHANNEL_REJECTED', { type: open.type, reason: why.code }, { cause: why })
    this.#send(open, reason, why.userText, why.message)
  }

  #refuse(open: Asked, reason: number, text: string): void {
    this.#service.link.log.emit('SSH_NEW_CHANNEL_REJECTED', { type: open.type, reason: text })
    this.#send(open, reason, text)
  }

  /** `why`: for whoever writes it down. */
  #send({ id, type, sender }: Asked, reason: number, text: string, why = text): void {
    if (this.#ended) return
    const { wire, witness } = this.#service.link
    if (id !== undefined) witness?.refused(id, type, why)
    wire.send(channelOpenFailure(sender, reason, text))
  }

  #farewell(open: Asked, why: Fault): void {
    this.#rejected(open, why, openFailure.connectFailed)
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

/** What a rule forbids and what a room cannot do at all is prohibited; undefined: it was tried in vain. */
function reasonOf({ code }: Fault): number | undefined {
  if (code === 'SECURITY_MAX_SESSIONS') return openFailure.resourceShortage
  return code.startsWith('SECURITY_') || code === 'SSH_NOT_IMPLEMENTED' ? openFailure.prohibited : undefined
}

function decode({ type, data }: ChannelOpen): 'session' | 'unknown' | 'malformed' | DirectOpen {
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
