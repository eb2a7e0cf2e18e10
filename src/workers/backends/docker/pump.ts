/** The streams of a program between the engine's raw stream and the channel. */
import type { Log } from '../../../shared/log.ts'
import { type Conduit, type ConduitOptions, createConduit } from '../guest/conduit.ts'
import { createDemux } from '../guest/demux.ts'
import { inputOf, type RawStream } from '../guest/raw-stream.ts'

export interface Pump extends Pick<Conduit, 'header' | 'quietMs' | 'tell'> {
  /** Settles when the engine has ended the output; with an error when the stream broke or was damaged. */
  readonly ended: Promise<Error | undefined>
  /** Ends the connection to the engine and both sinks. Idempotent. */
  close(): void
}

export interface PumpOptions extends Pick<ConduitOptions, 'tty' | 'announcement' | 'stdio'> {
  readonly raw: RawStream
  readonly log: Log
}

export function createPump({ raw, tty, announcement, stdio, log }: PumpOptions): Pump {
  const ended = Promise.withResolvers<Error | undefined>()
  const input = inputOf(raw, tty, (error) =>
    log.emit('DOCKER_CLOSE_INPUT_FAILED', { reason: error.message }, { cause: error }),
  )
  const conduit = createConduit({ flow: raw, tty, announcement, stdio, input })
  const demux = tty
    ? undefined
    : createDemux((type, payload) => {
        if (type === 'stdout') conduit.stdout(payload)
        else conduit.stderr(payload)
      })
  const finish = (error: Error | undefined): void => {
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
        log.emit('DOCKER_STREAM_OUTPUT_FAILED', { reason: (error as Error).message }, { cause: error })
        finish(error as Error)
      }
    },
    ended(error) {
      if (error !== undefined) log.emit('DOCKER_STREAM_OUTPUT_FAILED', { reason: error.message }, { cause: error })
      finish(error)
    },
    inputFailed(error) {
      log.emit('DOCKER_STREAM_INPUT_FAILED', { reason: error.message }, { cause: error })
    },
  })
  conduit.start()
  return {
    ended: ended.promise,
    header: conduit.header,
    quietMs: conduit.quietMs,
    tell: conduit.tell,
    close() {
      raw.destroy()
      if (conduit.close()) ended.resolve(undefined)
    },
  }
}
