/**
 * Messages both ways over one pipe: in order, gathered per turn of the event loop, checked against the contract, bounded.
 *
 * Back-pressure on what we send: `send()` returns false when the other side is behind, and `drained()` tells when it has
 * caught up. On what we receive: `pause()` stops reading, so that the other side sees its own `send()` return false.
 */
import type { Duplex } from 'node:stream'
import { accept, type Contract, ContractError, isLegal, type Phase } from './contract.ts'
import { createFrameDecoder, encodeFrame, FrameError, MAX_FRAME_BYTES } from './frame.ts'
import { createOutbox } from './outbox.ts'

/** The other side broke the rules, or our own queue to it overflowed: whoever owns the link ends the other process. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError'
}

const OFFER_FACTOR = 4

type Message = { readonly kind: string }

export interface Link<Out extends Message> {
  /** Which messages are legal now. Set by the owner of the link. */
  phase: Phase
  /**
   * Takes the message in any case; false asks the caller to wait for `drained()`. After the end of the link it does nothing.
   * @throws Error when the message is not legal in this phase or too large: a bug of the caller.
   */
  send(message: Out): boolean
  /**
   * Like `send()`, but does not take the message, and returns false, while far more waits than congests the link: those who
   * wait for `drained()` must not silence those who cannot.
   */
  offer(message: Out): boolean
  /** Bytes of the pipe, where its stream does not give them as 'data'. Their memory is not kept. */
  feed(bytes: Buffer): void
  /** Writes what was gathered in this turn, without waiting for its end. */
  flush(): void
  /** Resolves when the queue is short again, and also when the link has ended. */
  drained(): Promise<void>
  /** Stops and restarts receiving. At most one chunk that has been read already waits in memory. */
  pause(): void
  resume(): void
  /** Ends the link at once; what is queued is lost. Idempotent. */
  close(): void
  /** Gauges: bytes that the pipe has not taken, and the most there have been. */
  readonly queuedBytes: number
  readonly peakBytes: number
  readonly open: boolean
}

export interface LinkOptions<Out extends Message, In extends Message> {
  readonly stream: Duplex
  readonly outgoing: Contract<Out>
  readonly incoming: Contract<In>
  receive(message: In): void
  /** Once. With a ProtocolError when the other side broke the rules, another error when the pipe failed. */
  closed(error: Error | undefined): void
  /** From here on the link is congested. */
  readonly highBytes?: number
  /** The other side has stopped reading: the link ends. */
  readonly limitBytes?: number
  readonly maxFrameBytes?: number
  /** Messages that need not arrive at once; the order of all messages is kept. */
  readonly patient?: ReadonlySet<Out['kind']>
}

export function createLink<Out extends Message, In extends Message>(options: LinkOptions<Out, In>): Link<Out> {
  const { stream, outgoing, incoming, maxFrameBytes = MAX_FRAME_BYTES } = options
  const { highBytes = 256 << 10, limitBytes = 16 << 20 } = options
  const decoder = createFrameDecoder(maxFrameBytes)
  const outbox = createOutbox(stream, highBytes)
  let open = true
  let paused = false

  const end = (error: Error | undefined): void => {
    if (!open) return
    open = false
    stream.destroy()
    outbox.close()
    options.closed(error)
  }
  const send = (message: Out): boolean => {
    if (!open) return false
    const kind: Out['kind'] = message.kind
    if (!isLegal(outgoing, link.phase, kind)) throw new Error(`${kind} must not be sent in phase ${link.phase}`)
    const hasRoom = outbox.add(encodeFrame(message, maxFrameBytes), options.patient?.has(kind))
    const { queuedBytes } = outbox
    if (queuedBytes > limitBytes) end(new ProtocolError(`${queuedBytes} bytes were not read by the other side`))
    return hasRoom
  }
  const receive = (): void => {
    try {
      while (open && !paused) {
        const decoded = decoder.next()
        if (decoded.done) return
        options.receive(accept(incoming, link.phase, decoded.value))
      }
    } catch (error) {
      if (!(error instanceof FrameError) && !(error instanceof ContractError)) throw error
      end(new ProtocolError(error.message))
    }
  }
  const link: Link<Out> = {
    phase: 'starting',
    send,
    offer(message) {
      if (!open || outbox.queuedBytes > highBytes * OFFER_FACTOR) return false
      send(message)
      return true
    },
    feed(bytes) {
      if (!open) return
      decoder.push(bytes)
      receive()
      decoder.detach()
    },
    flush: outbox.flush,
    drained: outbox.drained,
    pause() {
      paused = true
      stream.pause()
    },
    resume() {
      if (!paused || !open) return
      paused = false
      stream.resume()
      receive()
    },
    close: () => end(undefined),
    get queuedBytes() {
      return outbox.queuedBytes
    },
    get peakBytes() {
      return outbox.peakBytes
    },
    get open() {
      return open
    },
  }
  stream.on('data', (chunk: Buffer) => {
    if (!open) return
    decoder.push(chunk)
    receive()
  })
  // A process that is killed may stop in the middle of a frame: no offence, its exit is reported elsewhere.
  stream.on('end', () => end(decoder.partial ? new Error('the pipe ended within a message') : undefined))
  stream.on('error', end)
  stream.on('close', () => end(undefined))
  return link
}
