/**
 * Channels that we open towards the client (RFC 4254 sections 5.1, 6.3.2 and 7.2; OpenSSH PROTOCOL section 2.4): a
 * connection arrived at a door of its session, and waits here until the client has said whether it wants it.
 */
import type { Duplex } from 'node:stream'
import type { Log } from '../../shared/log.ts'
import { placeName } from '../place.ts'
import type { ChannelId, Door, Origin } from '../ports.ts'
import type { ConnectionService } from './connection.ts'
import { arrivalOf } from './forward-messages.ts'
import { ForwardingChannel } from './forwarding.ts'
import { firstWindowBytes } from './input.ts'
import { channelOpen, decodeOpenConfirmation, decodeOpenFailure } from './messages.ts'
import { maximumPacketBytes, message } from './numbers.ts'
import { openedByUs, type Witness } from './witness.ts'

const answerMs = 30_000
export const notBeingOpened = 'an answer for a channel that is not being opened'

interface Rejected {
  readonly id: ChannelId | undefined
  readonly type: string
  readonly log: Log
  readonly stream: Duplex
  readonly witness: Witness | undefined
}
interface Arrival extends Rejected {
  readonly id: ChannelId
  readonly timer: NodeJS.Timeout
  readonly place: string
}

export class Arrivals {
  readonly #service: ConnectionService
  /** By our number. One that the client never answered stays: its number may still be answered. */
  readonly #pending = new Map<number, Arrival>()

  constructor(service: ConnectionService) {
    this.#service = service
  }

  get size(): number {
    return this.#pending.size
  }

  take(door: Door, stream: Duplex, origin: Origin): void {
    const service = this.#service
    // Without a listener an error would end the process. Nothing else happens to it: its bytes wait in the stream.
    stream.on('error', () => undefined)
    const { type, data } = arrivalOf(door, origin)
    const { ending } = service
    const { witness } = service.link
    if (ending !== undefined || service.full) {
      const id = witness === undefined ? undefined : service.nextNumber()
      if (id !== undefined) witness?.arrived(id, door, origin)
      reject({ id, type, log: service.link.log, stream, witness }, ending?.text ?? service.tooMany().code)
      return
    }
    const id = service.nextNumber()
    const log = service.link.log.with({ channelId: id })
    const rejected = { id, type, log, stream, witness }
    const timer = setTimeout(reject, answerMs, rejected, 'the client does not answer').unref()
    this.#pending.set(id, { ...rejected, timer, place: placeName(door) })
    witness?.arrived(id, door, origin)
    const open = { type, sender: id, windowBytes: firstWindowBytes, maximumPacket: maximumPacketBytes, data }
    service.link.wire.send(channelOpen(open))
  }

  /** CHANNEL_OPEN_CONFIRMATION or CHANNEL_OPEN_FAILURE. */
  answer(payload: Buffer): void {
    if (payload[0] === message.channelOpenConfirmation) this.#confirmed(payload)
    else this.#refused(payload)
  }

  /** A stream that has ended meanwhile gives a channel that ends at once. */
  #confirmed(payload: Buffer): void {
    const service = this.#service
    const peer = decodeOpenConfirmation(payload)
    if (peer === undefined || peer.maximumPacket === 0) {
      service.link.protocolError('malformed channel open confirmation')
      return
    }
    const arrival = this.#answered(peer.recipient)
    if (arrival === undefined) return
    const { id, log, stream, type, place } = arrival
    service.add(new ForwardingChannel(service, id, peer, log, stream, openedByUs, place), type)
  }

  #refused(payload: Buffer): void {
    const failure = decodeOpenFailure(payload)
    if (failure === undefined) {
      this.#service.link.protocolError('malformed channel open failure')
      return
    }
    const arrival = this.#answered(failure.recipient)
    if (arrival === undefined) return
    reject(arrival, `the client refused with reason ${failure.reason}: ${failure.description}`)
  }

  /** The connection is over. */
  end(): void {
    for (const { timer, stream } of this.#pending.values()) {
      clearTimeout(timer)
      stream.destroy()
    }
    this.#pending.clear()
  }

  #answered(id: number): Arrival | undefined {
    const arrival = this.#pending.get(id)
    if (arrival === undefined) {
      this.#service.link.protocolError(notBeingOpened)
      return undefined
    }
    clearTimeout(arrival.timer)
    this.#pending.delete(id)
    return arrival
  }
}

function reject({ id, type, log, stream, witness }: Rejected, reason: string): void {
  log.emit('SSH_NEW_CHANNEL_REJECTED', { type, reason })
  if (id !== undefined) witness?.refused(id, type, reason)
  stream.destroy()
}
