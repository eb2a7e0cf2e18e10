/** Sinks whose bytes are recorded before they go on, and that wait while there is no room for records. */
import type { Sink } from '../ports.ts'
import type { StreamNumber } from '../ssh/witness.ts'
import type { Recorder } from './recorder.ts'
import type { Trail } from './trail.ts'

/** What is recorded of bytes that pass. */
export type Note = (bytes: Uint8Array) => void

export const noteOf =
  (recorder: Recorder, trail: Trail, stream: StreamNumber): Note =>
  (bytes) => {
    // What comes after the end of the channel reaches nobody.
    if (!trail.closed) recorder.io(trail.id, stream, bytes)
  }
/** What is typed. */
export const inputNote = (recorder: Recorder, trail: Trail): Note => {
  const note = noteOf(recorder, trail, 0)
  return (bytes) => {
    if (trail.echo === undefined) note(bytes)
    else trail.echo.typed(bytes)
  }
}
/** What a user may see: it tells whether what was typed is shown. */
export const outputNote = (recorder: Recorder, trail: Trail): Note => {
  const note = recorder.config.intercept.stdout ? noteOf(recorder, trail, 1) : undefined
  return (bytes) => {
    trail.echo?.written(bytes)
    note?.(bytes)
  }
}

export function tap(recorder: Recorder, note: Note, inner: Sink): Sink {
  let listener: (() => void) | undefined
  /** The inner sink asked to wait. */
  let isBlocked = false
  /** We did. */
  let isOwed = false
  const resume = (): void => {
    if (!isOwed || isBlocked) return
    if (recorder.full) recorder.whenRoom(resume)
    else {
      isOwed = false
      listener?.()
    }
  }
  inner.onDrain(() => {
    isBlocked = false
    resume()
  })
  return {
    write(bytes) {
      if (recorder.lost) return false
      note(bytes)
      if (!inner.write(bytes)) isBlocked = true
      else if (!recorder.full) return true
      else if (!isBlocked) recorder.whenRoom(resume)
      isOwed = true
      return false
    },
    onDrain(drained) {
      listener = drained
    },
    end: inner.end,
  }
}
