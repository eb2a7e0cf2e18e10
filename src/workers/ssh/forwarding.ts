/** A channel that is a stream to somewhere (RFC 4254 section 7.2): each direction ends on its own. */
import type { Duplex } from 'node:stream'
import type { Log } from '../../shared/log.ts'
import type { ChannelId, Sink } from '../ports.ts'
import { ChannelEnd } from './channel-end.ts'
import type { ConnectionService } from './connection.ts'
import { channelMessage } from './messages.ts'
import { message } from './numbers.ts'
import type { PeerEnd } from './output.ts'
import type { DecodedRequest } from './requests.ts'

export class ForwardingChannel extends ChannelEnd {
  readonly #stream: Duplex
  #clientEnded = false

  constructor(service: ConnectionService, id: ChannelId, peer: PeerEnd, log: Log, stream: Duplex) {
    super(service, id, peer, log)
    this.#stream = stream
  }

  /** Not earlier: a stream may have bytes at once, and they must follow the confirmation. */
  override opened(): void {
    const stream = this.#stream
    const { stdout, stderr } = this.output
    stderr.end()
    stdout.onDrain(() => stream.resume())
    stream.on('data', (bytes: Buffer) => {
      if (!stdout.write(bytes)) stream.pause()
    })
    stream.on('end', () => stdout.end())
    // An error needs a listener; 'close' follows it. The bytes that came before are still sent.
    stream.on('error', () => undefined)
    stream.on('close', () => {
      this.#clientEnded = true
      stdout.end()
      if (this.sentEof) this.close()
    })
    this.input.into(sinkInto(stream, () => this.#inputComplete()))
  }

  /** RFC 4254 knows no requests on forwarding channels. */
  request({ wantReply }: DecodedRequest): void {
    if (wantReply) this.service.link.wire.send(channelMessage(message.channelFailure, this.output.recipient))
  }

  stop(): void {
    this.close()
  }

  #inputComplete(): void {
    this.#clientEnded = true
    if (this.sentEof) this.close()
  }

  protected outputComplete(): void {
    if (this.#clientEnded) this.close()
  }

  protected async release(): Promise<void> {
    this.#stream.destroy()
  }
}

function sinkInto(stream: Duplex, ended: () => void): Sink {
  let over = false
  return {
    // The stream keeps what it is given, the bytes are only lent.
    write: (bytes) => stream.write(Buffer.from(bytes)),
    onDrain: (listener) => void stream.on('drain', listener),
    end() {
      if (over) return
      over = true
      stream.end()
      ended()
    },
  }
}
