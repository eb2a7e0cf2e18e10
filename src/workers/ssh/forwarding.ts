/**
 * A channel that carries one stream (RFC 4254 sections 6.3.2 and 7.2). Both directions end on their own; when both have,
 * the channel closes. What was received before the end goes out, as from any relay.
 */
import type { Duplex } from 'node:stream'
import type { Log } from '../../shared/log.ts'
import type { ChannelId, Sink } from '../ports.ts'
import { ChannelEnd, type Doing } from './channel-end.ts'
import type { ConnectionService } from './connection.ts'
import { channelMessage } from './messages.ts'
import { message } from './numbers.ts'
import type { PeerEnd } from './output.ts'
import type { DecodedRequest } from './requests.ts'
import { sinkOf } from './stdio.ts'
import type { StreamNumbers } from './witness.ts'

/** How long a closed channel's last bytes may take to be written, and how long when the connection is over, too. */
const lastBytesMs = 10_000
const lastBytesAloneMs = 2000

export class ForwardingChannel extends ChannelEnd {
  readonly #stream: Duplex
  /** Of the bytes to the client, and of those from it. */
  readonly #numbers: StreamNumbers
  /** Where it leads to. */
  readonly #place: string

  constructor(
    service: ConnectionService,
    id: ChannelId,
    peer: PeerEnd,
    log: Log,
    stream: Duplex,
    numbers: StreamNumbers,
    place: string,
  ) {
    super(service, id, peer, log)
    this.#stream = stream
    this.#numbers = numbers
    this.#place = place
  }

  /** Not earlier: a stream may have bytes at once, and they must follow the confirmation. */
  override opened(): void {
    const stream = this.#stream
    const { stdout: out, stderr } = this.output
    const { witness } = this.service.link
    const [outward, inward] = this.#numbers
    const stdout = witness === undefined ? out : witness.tap(this.id, outward, sinkOf(out))
    const sink = sinkInto(stream)
    stderr.end()
    stdout.onDrain(() => stream.resume())
    stream.on('data', (bytes: Buffer) => {
      if (!stdout.write(bytes)) stream.pause()
    })
    stream.on('end', () => stdout.end())
    stream.on('finish', () => this.#settle())
    // An error needs a listener; 'close' follows it. The bytes that came before are still sent.
    stream.on('error', () => undefined)
    stream.on('close', () => {
      stdout.end()
      this.#settle()
    })
    this.input.into(witness === undefined ? sink : witness.tap(this.id, inward, sink))
    // While the client was asked: there is nothing left to listen for.
    if (stream.closed) stdout.end()
  }

  get doing(): Doing {
    return { program: '', detail: this.#place, size: undefined, room: undefined }
  }

  /** RFC 4254 knows no requests on forwarding channels. */
  request({ wantReply }: DecodedRequest): void {
    if (wantReply) this.service.link.wire.send(channelMessage(message.channelFailure, this.output.recipient))
  }

  stop(): void {
    this.#stream.destroy()
    this.close()
  }

  override detach(): void {
    if (!this.open) return
    this.output.close()
    // OpenSSH sends CLOSE right behind its last bytes: they are still delivered.
    this.input.end()
    this.service.releasing(this, this.release())
  }

  #settle(): void {
    const { writableFinished, destroyed } = this.#stream
    if (this.sentEof && (writableFinished || destroyed)) this.close()
  }

  protected outputComplete(): void {
    this.#settle()
  }

  protected async release(): Promise<void> {
    await written(this.#stream, this.service.link.signal)
    this.#stream.destroy()
    this.input.close()
    this.service.link.witness?.closed(this.id)
  }
}

/** Resolves when the stream has passed everything on, is gone, or the time is up. `signal`: the connection is over. */
async function written(stream: Duplex, signal: AbortSignal): Promise<void> {
  if (stream.writableFinished || stream.destroyed) return
  const { promise, resolve } = Promise.withResolvers<void>()
  let timer = setTimeout(resolve, signal.aborted ? lastBytesAloneMs : lastBytesMs)
  const hurry = (): void => {
    clearTimeout(timer)
    timer = setTimeout(resolve, lastBytesAloneMs)
  }
  signal.addEventListener('abort', hurry, { once: true })
  stream.once('finish', resolve).once('close', resolve)
  await promise
  clearTimeout(timer)
  signal.removeEventListener('abort', hurry)
}

const sinkInto = (stream: Duplex): Sink => ({
  // The stream keeps what it is given, the bytes are only lent.
  write: (bytes) => stream.write(Buffer.from(bytes)),
  onDrain: (listener) => void stream.on('drain', listener),
  end: () => void stream.end(),
})
