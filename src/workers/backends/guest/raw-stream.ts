/** A program's streams on a bare socket: nothing between the kernel and the demultiplexer, half-close, and pauses that arrive. */
import type { Socket } from 'node:net'
import { finished } from 'node:stream'
import { Outbox } from '../../outbox.ts'
import type { Sink } from '../../ports.ts'
import type { RoomStream } from './exec-stream.ts'

/** Receives what the engine sends. The bytes are lent for the call. */
export interface RawReader {
  data(bytes: Uint8Array): void
  /** Exactly once: the engine ended its side, or the connection broke. */
  ended(error: Error | undefined): void
  /** What was written did not all arrive; at most once, also after `ended`. */
  inputFailed(error: Error): void
}

/** `end` is a half-close: the engine closes the program's input, output goes on. After `destroy` there is no call to `ended`. */
export interface RawStream extends RoomStream {
  /** Called once, right after the upgrade; bytes that came with it are delivered at once. */
  read(reader: RawReader): void
}

/**
 * Shared: libuv reads into it and calls us before it reads again, and nobody keeps the bytes. Four of the engine's frames
 * at their largest: a frame that is cut makes two packets, one of them with the last 16 bytes.
 */
export const readBuffer = Buffer.allocUnsafeSlow(4 * (32 * 1024 + 8))
/** Input that may wait in the worker for an engine that is busy, and below which more is asked for. */
const inputHighBytes = 256 * 1024
const inputLowBytes = 128 * 1024

/** What a program reads. `failed`: not all of it arrived. */
export const inputOf = (raw: RawStream, tty: boolean, failed: (error: Error) => void): Sink => ({
  write: (bytes) => raw.write(bytes),
  onDrain: (listener) => raw.onDrain(listener),
  // A half-close is none to a terminal, and Docker's engine would end the output with it (moby, attach.CopyStreams).
  end: tty ? () => undefined : () => raw.end((error) => error !== undefined && failed(error)),
})

export interface Written {
  /** Bytes of input that the kernel has not taken. */
  readonly unwritten: number
}

export function rawStream(
  socket: Socket,
  inside: { attach(reader: RawReader): void; silence(): void },
): RawStream & Written {
  let full = false
  let drained: (() => void) | undefined
  // Its memory is used again: a new piece of memory for each packet kept the garbage collector busy.
  const outbox = new Outbox(socket, () => {
    if (!full || outbox.bytes > inputLowBytes) return
    full = false
    drained?.()
  })
  socket.on('close', () => outbox.close())
  return {
    read: inside.attach,
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    write(bytes) {
      if (!socket.writable) return false
      outbox.put(bytes)
      if (outbox.bytes >= inputHighBytes) full = true
      return !full
    },
    onDrain(listener) {
      drained = listener
    },
    end(done) {
      finished(socket, { readable: false }, () => done(socket.errored ?? undefined))
      outbox.end()
    },
    destroy() {
      inside.silence()
      socket.destroy()
    },
    get unwritten() {
      return outbox.bytes
    },
  }
}
