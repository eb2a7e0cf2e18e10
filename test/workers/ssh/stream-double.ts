/** The far end of a forwarded stream, in the hands of a test. */
import { Duplex } from 'node:stream'

export interface FarEnd {
  /** What a room would hand over. */
  readonly stream: Duplex
  /** What came from the client. */
  readonly received: Buffer[]
  /** The client's end was passed on. */
  ended(): boolean
  /** Writes are taken only until then; undefined: at once. */
  hold: Promise<void> | undefined
}

export function farEnd(): FarEnd {
  const received: Buffer[] = []
  let ended = false
  const end: FarEnd = {
    stream: new Duplex({
      highWaterMark: 1000,
      read: () => undefined,
      write(chunk: Buffer, _encoding, done) {
        void Promise.resolve(end.hold).then(() => {
          received.push(chunk)
          done()
        })
      },
      final(done) {
        ended = true
        done()
      },
    }),
    received,
    ended: () => ended,
    hold: undefined,
  }
  return end
}
