/**
 * The streams of a program between the engine's raw stream, or the way past it, and the channel. Which of the two it has
 * become tells the one on which the program is announced.
 */
import type { Log } from '../../../shared/log.ts'
import type { Sink } from '../../ports.ts'
import { type Conduit, type ConduitOptions, createConduit } from '../guest/conduit.ts'
import { createDemux } from '../guest/demux.ts'
import { inputOf, type RawStream } from '../guest/raw-stream.ts'
import type { DirectStreams } from './direct/streams.ts'

export interface Pump extends Pick<Conduit, 'header' | 'quietMs' | 'tell'> {
  /** Settles when the output has ended; with an error when the stream broke or was damaged. */
  readonly ended: Promise<Error | undefined>
  /** The output did not come through the engine, which learns of its end later than we do. */
  readonly isDirect: boolean
  /** Ends the connection to the engine and both sinks. Idempotent. */
  close(): void
}

export interface PumpOptions extends Pick<ConduitOptions, 'tty' | 'announcement' | 'stdio'> {
  readonly raw: RawStream
  /** Only with an announcement, and without a terminal. Closed with the pump. */
  readonly direct?: DirectStreams | undefined
  readonly log: Log
}

export function createPump({ raw, direct, tty, announcement, stdio, log }: PumpOptions): Pump {
  const ended = Promise.withResolvers<Error | undefined>()
  let way: 'open' | 'engine' | 'direct' = direct === undefined ? 'engine' : 'open'
  const take = (found: 'engine' | 'direct'): void => {
    if (way !== 'open') return
    way = found
    if (found === 'direct') {
      direct?.release()
      return
    }
    direct?.close()
    log.emit('DOCKER_STREAMS_INDIRECT', { reason: 'the container does not see them' })
  }
  const closeFailed = (error: Error): void =>
    log.emit('DOCKER_CLOSE_INPUT_FAILED', { reason: error.message }, { cause: error })
  const inputFailed = (error: Error): void =>
    log.emit('DOCKER_STREAM_INPUT_FAILED', { reason: error.message }, { cause: error })
  const viaEngine = inputOf(raw, tty, closeFailed)
  const input: Sink = direct === undefined ? viaEngine : either(direct.input, viaEngine, () => way === 'direct')
  const flow = direct === undefined ? raw : both(direct, raw)
  const conduit = createConduit({ flow, tty, announcement, isUndecided: direct !== undefined, stdio, input })
  const demux = tty
    ? undefined
    : createDemux((type, payload) => {
        if (type === 'stderr') return conduit.stderr(payload)
        take('engine')
        conduit.stdout(payload)
      })
  const finish = (error: Error | undefined): void => {
    if (error !== undefined) log.emit('DOCKER_STREAM_OUTPUT_FAILED', { reason: error.message }, { cause: error })
    conduit.finish()
    ended.resolve(error)
  }
  raw.read({
    data(bytes) {
      if (demux === undefined) return conduit.stdout(bytes)
      try {
        demux.push(bytes)
      } catch (error) {
        raw.destroy()
        finish(error as Error)
      }
    },
    ended(error) {
      if (way === 'engine') return finish(error)
      // The program has left it, or there is none: its streams tell.
      raw.destroy()
      if (way === 'direct') return
      direct?.release()
      if (error !== undefined) finish(error)
    },
    inputFailed,
  })
  direct?.read({
    stdout(bytes) {
      take('direct')
      conduit.stdout(bytes)
    },
    stderr: conduit.stderr,
    ended: (error) => way !== 'engine' && finish(error),
    inputFailed,
  })
  conduit.start()
  return {
    ended: ended.promise,
    get isDirect() {
      return way === 'direct'
    },
    header: conduit.header,
    quietMs: conduit.quietMs,
    tell: conduit.tell,
    close() {
      raw.destroy()
      direct?.close()
      if (conduit.close()) ended.resolve(undefined)
    },
  }
}

const either = (one: Sink, other: Sink, isOne: () => boolean): Sink => ({
  write: (bytes) => (isOne() ? one : other).write(bytes),
  onDrain(listener) {
    one.onDrain(listener)
    other.onDrain(listener)
  },
  end: () => (isOne() ? one : other).end(),
})

interface Flow {
  pause(): void
  resume(): void
}
const both = (one: Flow, other: Flow): Flow => ({
  pause() {
    one.pause()
    other.pause()
  },
  resume() {
    one.resume()
    other.resume()
  },
})
