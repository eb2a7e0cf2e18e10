/**
 * The streams of one program as FIFOs that its container sees: the kernel hands on the bytes, and the engine, which would
 * copy them four times, does not.
 *
 * Opened here before the program begins, in such a way that nobody waits for anybody: each FIFO is held open at its other
 * end too, for it would be at an end already as long as nobody has opened that. Both holds are let go when the program has
 * opened its ends.
 */
import { closeSync, constants, openSync, unlinkSync } from 'node:fs'
import { Socket } from 'node:net'
import { join } from 'node:path'
import type { Sink } from '../../../ports.ts'
import { inputOf, rawStream, readBuffer } from '../../guest/raw-stream.ts'
import { ends } from './stock.ts'

/** The bytes are lent for the call. */
export interface DirectReader {
  stdout(bytes: Uint8Array): void
  stderr(bytes: Uint8Array): void
  /** Exactly once, unless they are closed: nobody has the outputs open any more. */
  ended(error: Error | undefined): void
  /** At most once. A program that does not read its input to the end is no failure. */
  inputFailed(error: Error): void
}

export interface DirectStreams {
  /** Their common name in the folder. */
  readonly name: string
  readonly input: Sink
  /** Called once. */
  read(reader: DirectReader): void
  pause(): void
  resume(): void
  /** The program has opened them, or nobody will. Idempotent. */
  release(): void
  /** Idempotent. */
  close(): void
}

const reading = constants.O_RDONLY | constants.O_NONBLOCK
const writing = constants.O_WRONLY | constants.O_NONBLOCK

/** @throws Error of open(2); nothing is left open then */
export function openStreams(folder: string, name: string): DirectStreams {
  const paths = ends.map((end) => join(folder, `${name}.${end}`))
  const opened = openAll(paths)
  const [holdIn, holdOut, holdErr] = [opened.in.other, opened.out.other, opened.err.other]
  let held = true
  let reader: DirectReader | undefined
  let closed = false
  let open = 2

  const ended = (error: Error | undefined): void => {
    if (closed || open === 0) return
    open = error === undefined ? open - 1 : 0
    if (open === 0) reader?.ended(error)
  }
  const output = (fd: number, take: (bytes: Uint8Array) => void): Socket => {
    const callback = (length: number, buffer: Uint8Array): boolean => {
      if (!closed) take(buffer.subarray(0, length))
      return true
    }
    const socket = new Socket({ fd, readable: true, writable: false, onread: { buffer: readBuffer, callback } })
    socket.pause() // until somebody reads
    return socket.on('error', ended).on('end', () => ended(undefined))
  }
  const out = output(opened.out.ours, (bytes) => reader?.stdout(bytes))
  const err = output(opened.err.ours, (bytes) => reader?.stderr(bytes))
  const inlet = new Socket({ fd: opened.in.ours, readable: false, writable: true })
  const raw = rawStream(inlet, { attach: () => undefined, silence: () => undefined })
  const failed = (error: NodeJS.ErrnoException): void => {
    if (!closed && error.code !== 'EPIPE') reader?.inputFailed(error)
  }
  inlet.on('error', failed)

  const release = (): void => {
    if (!held) return
    held = false
    for (const fd of [holdIn, holdOut, holdErr]) closeSync(fd)
    for (const path of paths) unlinkIfThere(path)
  }
  return {
    name,
    input: inputOf(raw, false, () => undefined),
    read(to) {
      reader = to
      out.resume()
      err.resume()
    },
    pause() {
      out.pause()
      err.pause()
    },
    resume() {
      out.resume()
      err.resume()
    },
    release,
    close() {
      closed = true
      release()
      for (const socket of [out, err, inlet]) socket.destroy()
    },
  }
}

interface Opened {
  readonly ours: number
  /** The program's end. */
  readonly other: number
}

function openAll(paths: readonly string[]): Record<(typeof ends)[number], Opened> {
  const fds: number[] = []
  /** The reading end first: without it the writing end cannot be opened (fifo(7)). In memory, so it does not wait. */
  const both = (at: number): [number, number] => {
    const path = paths[at] ?? ''
    const pair: [number, number] = [-1, -1]
    for (const [side, flags] of [reading, writing].entries()) {
      pair[side] = openSync(path, flags)
      fds.push(pair[side])
    }
    return pair
  }
  try {
    const [[inRead, inWrite], [outRead, outWrite], [errRead, errWrite]] = [both(0), both(1), both(2)]
    return {
      in: { ours: inWrite, other: inRead },
      out: { ours: outRead, other: outWrite },
      err: { ours: errRead, other: errWrite },
    }
  } catch (error) {
    for (const fd of fds) closeSync(fd)
    for (const path of paths) unlinkIfThere(path)
    throw error
  }
}

function unlinkIfThere(path: string): void {
  try {
    unlinkSync(path)
  } catch {
    // With its folder, or by the program that runs as root.
  }
}
