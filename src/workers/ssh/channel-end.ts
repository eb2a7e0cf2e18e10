/** Our end of one channel (RFC 4254 section 5): windows, EOF and CLOSE. What the bytes are for is up to the subclass. */
import type { Log } from '../../shared/log.ts'
import type { ChannelId, WindowSize } from '../ports.ts'
import type { ConnectionService } from './connection.ts'
import { Input, type InputOwner } from './input.ts'
import { channelMessage, windowAdjust } from './messages.ts'
import { message } from './numbers.ts'
import { Output, type OutputOwner, type PeerEnd } from './output.ts'
import type { DecodedRequest } from './requests.ts'

/** What a channel is for, for operators who ask. */
export interface Doing {
  /** Of the channel request that it was accepted with; empty: none. */
  readonly program: 'shell' | 'exec' | 'subsystem' | ''
  /** The command, the subsystem, or where a forwarding leads to. */
  readonly detail: string
  /** Of the terminal, if there is one. */
  readonly size: WindowSize | undefined
  /** A container or pod of its own. */
  readonly room: string | undefined
}

export abstract class ChannelEnd implements InputOwner, OutputOwner {
  readonly id: ChannelId
  /** Carries channelId. */
  readonly log: Log
  readonly service: ConnectionService
  readonly input: Input
  readonly output: Output
  /** Of RFC 4254 section 4.9.1. */
  type = ''
  #sentEof = false

  constructor(service: ConnectionService, id: ChannelId, peer: PeerEnd, log: Log) {
    this.service = service
    this.id = id
    this.log = log
    this.input = new Input(service.budget, service.link.limits.channelWindowBytes, this)
    this.output = new Output(service.link.wire, service.turns, peer, this)
  }

  /** The client's request, decoded as far as that was possible. */
  abstract request(request: DecodedRequest): void
  /** Come to an end soon: `signal`, without SIG, for what runs. */
  abstract stop(signal: string): void
  abstract get doing(): Doing
  /** For whoever sits in front of the channel. `onStderr`: or reads what its program complains of. False: nobody does. */
  tell(_text: string, _onStderr = false): boolean {
    return false
  }
  /** The client knows the channel: bytes may flow. */
  opened(): void {}
  /** No message goes out any more: end what is behind the channel. Called once. */
  protected abstract release(): Promise<void>
  /** Everything was sent, EOF included. */
  protected abstract outputComplete(): void

  /** False from the first CHANNEL_CLOSE on, in either direction. */
  get open(): boolean {
    return this.output.open
  }
  protected get sentEof(): boolean {
    return this.#sentEof
  }

  grant(bytes: number): void {
    this.send(windowAdjust(this.output.recipient, bytes))
  }

  outputEnded(): void {
    if (this.#sentEof) return
    this.#sentEof = true
    this.service.link.witness?.closedForWriting(this.id)
    this.send(channelMessage(message.channelEof, this.output.recipient))
    this.outputComplete()
  }

  /** Nothing goes out after our CLOSE. */
  protected send(payload: Uint8Array): void {
    if (this.open) this.service.link.wire.send(payload)
  }

  /** Our CLOSE, at most once. The client's own is awaited by the connection. */
  close(): void {
    if (!this.open) return
    this.send(channelMessage(message.channelClose, this.output.recipient))
    this.detach()
  }

  /** The client closed, or the connection is gone: nothing moves any more. */
  detach(): void {
    if (!this.open) return
    this.output.close()
    this.input.close()
    this.service.link.witness?.closed(this.id)
    this.service.releasing(this, this.release())
  }
}
