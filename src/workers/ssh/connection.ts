/**
 * The connection protocol (RFC 4254) from USERAUTH_SUCCESS on: which channel a message is for, and which channels there
 * are. How channels come into being is in `opening.ts`.
 */
import { asFault, type Fault, fault } from '../../shared/codes/fault.ts'
import { count } from '../../shared/metric.ts'
import type { Arrive, ChannelId, Session } from '../ports.ts'
import { Arrivals, notBeingOpened } from './arrivals.ts'
import { Budget } from './budget.ts'
import type { SessionChannel } from './channel.ts'
import type { ChannelEnd } from './channel-end.ts'
import type { Ending } from './ending.ts'
import { GlobalRequests } from './global.ts'
import type { Link } from './link.ts'
import { dataProblem } from './messages.ts'
import { disconnect, message } from './numbers.ts'
import { Opening } from './opening.ts'
import { pause } from './reading.ts'
import { decodeChannelRequest } from './requests.ts'
import { Traffic } from './traffic.ts'
import { Turns } from './turns.ts'

const beyondWindow = 'more data than the window allows'

export class ConnectionService {
  readonly link: Link
  readonly turns: Turns
  readonly budget: Budget
  readonly traffic = new Traffic()
  /** By our number. */
  readonly channels = new Map<number, ChannelEnd>()
  readonly #globals: GlobalRequests
  readonly #opening: Opening
  #arrivals: Arrivals | undefined
  #nextNumber = 0
  /** Channels whose requests pile up. */
  #overloaded: Set<SessionChannel> | undefined
  /** Ports of closed channels that are still being disposed. */
  readonly #releases = new Set<Promise<void>>()
  #ending: Ending | undefined
  #limitTold = false
  /** Grows with the data from the client. */
  #received = 0
  #turnsDue = false

  constructor(link: Link) {
    this.link = link
    this.turns = new Turns(link.wire, link.house.backlog)
    this.budget = new Budget(link.limits.connectionWindowBytes, link.house.budget)
    this.#globals = new GlobalRequests(this)
    this.#opening = new Opening(this)
  }

  /** Channels that exist or whose program is still being ended. */
  get size(): number {
    return this.channels.size + this.#releases.size
  }
  get noMoreSessions(): boolean {
    return this.#globals.noMoreSessions
  }
  /** Set: no new channels, and the connection ends with the last one. */
  get ending(): Ending | undefined {
    return this.#ending ?? this.link.house.ending
  }
  /** Changes whenever data has moved on a channel, in either direction, or a channel has come into being. */
  get activity(): number {
    return this.#received + this.#nextNumber + this.turns.sent
  }

  /** Those channels included that are being opened, or whose programs are still being ended. */
  get full(): boolean {
    return this.size + this.#opening.size + (this.#arrivals?.size ?? 0) >= this.link.limits.channels
  }

  /** A client that does not stop asking gets an answer each time, but not a line of this level. */
  tooMany(): Fault {
    const why = fault('SSH_CHANNEL_LIMIT', { limit: this.link.limits.channels })
    count('containerssh_ssh_limits_total', { limit: 'channels' })
    if (!this.#limitTold) this.link.log.fault(why)
    this.#limitTold = true
    return why
  }

  nextNumber(): ChannelId {
    return this.#nextNumber++ as ChannelId
  }

  /** Both sides know the channel. */
  add(channel: ChannelEnd, type: string): void {
    this.channels.set(channel.id, channel)
    channel.log.emit('SSH_NEW_CHANNEL', { type })
    channel.type = type
    this.link.witness?.opened(channel.id, type)
    this.link.watchers?.opened(channel)
    channel.opened()
    const { ending } = this
    if (ending !== undefined) channel.stop(ending.signal)
  }

  /** A connection for the client, who is asked whether it wants it. */
  readonly arrive: Arrive = (door, stream, origin) => {
    if (this.link.over) {
      stream.on('error', () => undefined).destroy()
      return
    }
    this.#arrivals ??= new Arrivals(this)
    this.#arrivals.take(door, stream, origin)
  }

  serve(session: Session): void {
    this.#opening.serve(session)
    this.#globals.serve(session)
    this.#stopIfIdle()
  }

  /** The backend turned the user away: the first channel open is refused with the reason, then the connection ends. */
  refuse(fault: Fault): void {
    this.#globals.refuse(fault)
    this.#opening.refuse(fault)
  }

  message(payload: Buffer): void {
    const number = payload[0]
    if (number === message.channelData) {
      this.#data(payload)
      return
    }
    switch (number) {
      case message.globalRequest:
        this.#globals.message(payload)
        return
      case message.channelOpen:
        this.#opening.message(payload)
        return
      case message.channelOpenConfirmation:
      case message.channelOpenFailure:
        if (this.#arrivals === undefined) this.link.protocolError(notBeingOpened)
        else this.#arrivals.answer(payload)
        return
      case message.channelWindowAdjust:
        this.#adjust(payload)
        return
      case message.channelExtendedData:
        this.#extendedData(payload)
        return
      case message.channelRequest:
        this.#request(payload)
        return
      case message.channelEof:
        this.#find(payload, 5)?.input.end()
        return
      case message.channelClose:
        this.#closed(payload)
        return
      case message.requestSuccess:
      case message.requestFailure:
        this.link.answered()
        return
      // The rest is what RFC 4252 section 5.3 tells us to ignore after the login.
    }
  }

  /**
   * The wire has room. In a later turn of the event loop: a program in this process would otherwise fill and drain a
   * fast wire for ever, and no other connection would get its turn.
   */
  drain(): void {
    if (this.#turnsDue) return
    this.#turnsDue = true
    setImmediate(takeTurns, this)
  }

  takeTurns(): void {
    this.#turnsDue = false
    if (!this.link.over) this.turns.run()
  }

  /** The channel that the message is for. Undefined: the message was wrong, and the connection has been ended. */
  #find(payload: Buffer, length: number): ChannelEnd | undefined {
    if (payload.length !== length) {
      this.link.protocolError(`malformed message ${payload[0]}`)
      return undefined
    }
    return this.#channel(payload)
  }

  #channel(payload: Buffer): ChannelEnd | undefined {
    const channel = payload.length < 5 ? undefined : this.channels.get(payload.readUInt32BE(1))
    if (channel === undefined) this.link.protocolError(`message ${payload[0]} for a channel that is not open`)
    return channel
  }

  #data(payload: Buffer): void {
    const channel = this.#channel(payload)
    if (channel === undefined) return
    this.#received++
    const wrong = dataProblem(payload, 9)
    if (wrong !== undefined) this.link.protocolError(wrong)
    else if (!channel.input.receive(payload.subarray(9))) this.link.protocolError(beyondWindow)
  }

  /** RFC 4254 section 5.2 defines none from client to server: the bytes count, nobody gets them. */
  #extendedData(payload: Buffer): void {
    const channel = this.#channel(payload)
    if (channel === undefined) return
    this.#received++
    const wrong = dataProblem(payload, 13)
    if (wrong !== undefined) this.link.protocolError(wrong)
    else if (!channel.input.discard(payload.length - 13)) this.link.protocolError(beyondWindow)
  }

  #adjust(payload: Buffer): void {
    if (payload.length !== 9) {
      this.link.protocolError('malformed window adjust')
      return
    }
    // As in OpenSSH: an adjust that crosses our CLOSE is harmless.
    const channel = this.channels.get(payload.readUInt32BE(1))
    if (channel?.output.adjust(payload.readUInt32BE(5)) === false) {
      this.link.protocolError('a window larger than 2^32-1 bytes')
    }
  }

  #request(payload: Buffer): void {
    const request = decodeChannelRequest(payload)
    if (request === undefined) {
      this.link.protocolError('malformed channel request')
      return
    }
    const channel = this.#channel(payload)
    // Nothing is sent after our CLOSE, so there is nothing to do either.
    if (channel?.open === true) channel.request(request)
  }

  #closed(payload: Buffer): void {
    const channel = this.#find(payload, 5)
    if (channel === undefined) return
    this.channels.delete(channel.id)
    channel.close()
    this.#stopIfIdle()
  }

  /** Takes over the end of a channel's port. */
  releasing(channel: ChannelEnd, release: Promise<void>): void {
    this.traffic.left(channel)
    const done = release.then(undefined, (error: unknown) => this.link.log.fault(asFault(error), 'error'))
    this.#releases.add(done)
    void done.then(() => {
      this.#releases.delete(done)
      this.#stopIfIdle()
    })
  }

  requestsWaiting(channel: SessionChannel): void {
    this.#overloaded ??= new Set()
    this.#overloaded.add(channel)
    this.link.reading.pause(pause.requests)
  }

  requestsServed(channel: SessionChannel): void {
    if (this.#overloaded?.delete(channel) !== true) return
    if (this.#overloaded.size === 0) this.link.reading.resume(pause.requests)
  }

  /** No new channels, and every program is asked to end; the connection ends when the last channel has. */
  stop(ending: Ending): void {
    this.#ending = ending
    if (ending.notice !== '') this.tell(ending.notice)
    for (const channel of this.channels.values()) channel.stop(ending.signal)
    this.#stopIfIdle()
  }

  /** To whoever sits at a terminal, `onStderr`: or has none; resolves to how many programs were reached. */
  tell(text: string, onStderr = false): number {
    return [...this.channels.values()].filter((channel) => channel.tell(text, onStderr)).length
  }

  #stopIfIdle(): void {
    const { ending } = this
    if (ending === undefined || this.size > 0 || this.#opening.size > 0) return
    this.link.disconnect(disconnect.byApplication, ending.text)
  }

  /** The connection is gone: resolves when nothing of its channels is left. */
  async end(): Promise<void> {
    this.#opening.end()
    this.#arrivals?.end()
    this.turns.end()
    for (const channel of this.channels.values()) channel.detach()
    this.channels.clear()
    const closed = this.#globals.end()
    while (this.#releases.size > 0 || this.#opening.size > 0) {
      await Promise.allSettled([...this.#releases, this.#opening.idle()])
    }
    await closed
  }
}

const takeTurns = (service: ConnectionService): void => service.takeTurns()
