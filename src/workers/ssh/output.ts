/**
 * What a channel sends (RFC 4254 section 5.2): bytes go straight into packets while the peer's window and the wire are
 * open. Otherwise the rest of that one write is kept, and the writer waits.
 */
import { observe, secondsSince } from '../../shared/metric.ts'
import { maximumPacketBytes, maximumWindowBytes, message, stderrCode } from './numbers.ts'
import { ByteQueue } from './queue.ts'
import type { Turns, Waiting } from './turns.ts'
import type { Wire } from './wire.ts'

/** What CHANNEL_OPEN said about the peer's end. */
export interface PeerEnd {
  readonly sender: number
  readonly windowBytes: number
  readonly maximumPacket: number
}
export interface OutputOwner {
  /** Called once, when both streams were ended and all their bytes are in packets. */
  outputEnded(): void
}

/** Sees what a program puts out, as the client gets it; `stream` 1: standard output, 2: standard error. The bytes are lent. */
export type OutputTap = (stream: 1 | 2, bytes: Uint8Array) => void

/** The sending half of one channel. */
export class Output {
  readonly wire: Wire
  readonly turns: Turns
  /** The peer's number of the channel. */
  readonly recipient: number
  readonly packetBytes: number
  windowBytes: number
  /** False from CHANNEL_CLOSE on, in either direction: nothing is sent any more. */
  open = true
  readonly stdout: OutputStream
  readonly stderr: OutputStream
  /** Of `performance.now()`: since when the client waits for the first byte; 0: it does not. */
  awaitedMs = 0
  sentBytes = 0
  /** Only while somebody watches. */
  tap: OutputTap | undefined
  readonly #owner: OutputOwner
  /** Which stream goes first when the window opens; changes each time. */
  #stderrFirst = false

  constructor(wire: Wire, turns: Turns, peer: PeerEnd, owner: OutputOwner) {
    this.wire = wire
    this.turns = turns
    this.recipient = peer.sender
    this.windowBytes = peer.windowBytes
    this.packetBytes = Math.min(peer.maximumPacket, maximumPacketBytes)
    this.#owner = owner
    this.stdout = new OutputStream(this, 0)
    this.stderr = new OutputStream(this, stderrCode)
  }

  /** WINDOW_ADJUST. False: the sum is larger than a window may be. */
  adjust(bytes: number): boolean {
    const window = this.windowBytes + bytes
    if (window > maximumWindowBytes) return false
    this.windowBytes = window
    this.#stderrFirst = !this.#stderrFirst
    const [first, second] = this.#stderrFirst ? [this.stderr, this.stdout] : [this.stdout, this.stderr]
    first.windowOpened()
    second.windowOpened()
    this.turns.run()
    return true
  }

  /** No more bytes: what was kept is dropped, whoever waits to write is never called again. */
  close(): void {
    this.open = false
    this.stdout.drop()
    this.stderr.drop()
  }

  /** Called with the first bytes. */
  answered(): void {
    observe('containerssh_ssh_first_byte_seconds', {}, secondsSince(this.awaitedMs))
    this.awaitedMs = 0
  }

  streamEnded(): void {
    if (this.open && this.stdout.finished && this.stderr.finished) this.#owner.outputEnded()
  }
}

export class OutputStream implements Waiting {
  readonly #output: Output
  /** 0: CHANNEL_DATA. */
  readonly #code: number
  #kept: ByteQueue | undefined
  /** `turns`: in the line of the connection. `window`: until WINDOW_ADJUST. */
  #waits: 'no' | 'turns' | 'window' = 'no'
  #drained: (() => void) | undefined
  #over = false

  constructor(output: Output, code: number) {
    this.#output = output
    this.#code = code
  }

  /** Ended, and every byte is in a packet. */
  get finished(): boolean {
    return this.#over && this.#kept === undefined
  }

  write(bytes: Uint8Array): boolean {
    const output = this.#output
    // A wire that is over takes everything and is never full: a program that writes until it is stopped would never be.
    if (!output.open || !output.wire.alive) return false
    if (this.#over) return true
    if (output.awaitedMs !== 0) output.answered()
    if (output.tap !== undefined) output.tap(this.#code === 0 ? 1 : 2, bytes)
    const sent = this.#kept === undefined ? this.#send(bytes) : 0
    if (sent < bytes.length) {
      this.#kept ??= new ByteQueue()
      this.#kept.push(sent === 0 ? bytes : bytes.subarray(sent))
    } else if (output.windowBytes > 0 && !output.turns.full) {
      return true
    }
    if (this.#waits === 'no') this.#wait()
    return false
  }

  /** Words of ours, past everything that waits. False: the window did not let all of them through, and the rest is lost. */
  notice(bytes: Uint8Array): boolean {
    const output = this.#output
    if (!output.open || !output.wire.alive) return false
    output.tap?.(this.#code === 0 ? 1 : 2, bytes)
    return this.#packet(bytes) === bytes.length
  }

  onDrain(listener: () => void): void {
    this.#drained = listener
  }

  end(): void {
    if (this.#over) return
    this.#over = true
    if (this.#kept === undefined) this.#output.streamEnded()
  }

  windowOpened(): void {
    if (this.#waits !== 'window') return
    this.#waits = 'turns'
    this.#output.turns.add(this)
  }

  /** One packet of what was kept; when nothing is kept any more, the writer may go on. */
  turn(): void {
    const output = this.#output
    if (!output.open || !output.wire.alive) return
    const kept = this.#kept
    if (kept !== undefined) {
      const sent = this.#packet(kept.peek(output.packetBytes))
      kept.shift(sent)
      output.turns.sent++
      if (kept.length > 0) {
        this.#wait()
        return
      }
      this.#kept = undefined
      if (this.#over) {
        output.streamEnded()
        return
      }
      if (output.windowBytes === 0 || output.turns.full) {
        this.#wait()
        return
      }
    }
    this.#waits = 'no'
    this.#drained?.()
  }

  drop(): void {
    this.#kept = undefined
    this.#drained = undefined
  }

  #wait(): void {
    const output = this.#output
    if (output.windowBytes === 0) {
      this.#waits = 'window'
    } else {
      this.#waits = 'turns'
      output.turns.add(this)
    }
  }

  /** As many packets as go now; the number of bytes in them. */
  #send(bytes: Uint8Array): number {
    const { turns } = this.#output
    let sent = 0
    while (sent < bytes.length && !turns.full) {
      const n = this.#packet(sent === 0 ? bytes : bytes.subarray(sent))
      if (n === 0) break
      turns.sent++
      sent += n
    }
    return sent
  }

  /** One packet with the front of `bytes`; the number of bytes in it, 0 when the window is closed. */
  #packet(bytes: Uint8Array | undefined): number {
    const output = this.#output
    const { wire } = output
    if (bytes === undefined) return 0
    const length = Math.min(bytes.length, output.windowBytes, output.packetBytes)
    if (length === 0) return 0
    const extended = this.#code !== 0
    let at = wire.reserve(length + (extended ? 13 : 9))
    const packet = wire.outgoing
    packet[at] = extended ? message.channelExtendedData : message.channelData
    at = packet.writeUInt32BE(output.recipient, at + 1)
    if (extended) at = packet.writeUInt32BE(this.#code, at)
    at = packet.writeUInt32BE(length, at)
    packet.set(length === bytes.length ? bytes : bytes.subarray(0, length), at)
    output.windowBytes -= length
    output.sentBytes += length
    wire.commit()
    return length
  }
}
