/** The streams of a program between the pod's stream and the channel. */
import type { Log } from '../../../shared/log.ts'
import type { Sink } from '../../ports.ts'
import { type Conduit, type ConduitOptions, createConduit } from '../guest/conduit.ts'
import type { PodStream, Status } from './stream.ts'

export interface Pump extends Pick<Conduit, 'header' | 'tell'> {
  /** Settles when the stream is over, or all outputs are. */
  readonly ended: Promise<Ended>
  /** Ends the stream and both sinks. Idempotent. */
  close(): void
}

export interface Ended {
  /** As the last word says: then nothing of the output is missing. */
  readonly code?: number
  readonly status: Status | undefined
  /** What broke the stream. */
  readonly error: Error | undefined
}

export interface PumpOptions extends Pick<ConduitOptions, 'tty' | 'announcement' | 'isEchoed' | 'lastWord' | 'stdio'> {
  readonly stream: PodStream
  readonly log: Log
}

export function createPump({ stream, log, ...options }: PumpOptions): Pump {
  const ended = Promise.withResolvers<Ended>()
  const conduit = createConduit({ ...options, flow: stream, input: inputSink(stream, options.tty, log) })
  let status: Status | undefined
  stream.read({
    data(channel, bytes) {
      if (channel === 'stdout') conduit.stdout(bytes)
      else conduit.stderr(bytes)
    },
    status(one) {
      status = one
    },
    ended(error) {
      conduit.finish()
      ended.resolve({ status, error })
    },
  })
  void conduit.over.then((code) => ended.resolve({ code, status, error: undefined }))
  conduit.start()
  return {
    ended: ended.promise,
    header: conduit.header,
    tell: conduit.tell,
    close() {
      stream.destroy()
      if (conduit.close()) ended.resolve({ status, error: undefined })
    },
  }
}

function inputSink(stream: PodStream, tty: boolean, log: Log): Sink {
  return {
    write: (bytes) => stream.write(bytes),
    onDrain: (listener) => stream.onDrain(listener),
    end() {
      // A terminal has no end of input but the one that is typed.
      if (!tty && !stream.end()) log.emit('KUBERNETES_INPUT_NOT_ENDED', {})
    },
  }
}
