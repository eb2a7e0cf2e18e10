/** Which session channel of a connection is recorded in which file. */
import { type Cast, createCast } from '../../shared/audit/cast.ts'
import type { CopyFailure, LogFile, LogState } from '../../shared/audit/log-task.ts'
import { create } from './storage/file.ts'

export interface Recording {
  readonly file: LogFile
  /** Undefined: it still waits for its channel. */
  channel: number | undefined
  cast: Cast
  /** To be written. */
  lines: string
  isDone: boolean
}
export interface Recordings {
  /**
   * That of the channel. `isSession`: a new one is begun if there is none.
   * @throws Error when there would be too many
   */
  of(channel: number, isSession: boolean): Recording | undefined
  /** `empty` makes the recording of a connection that had no session. */
  endAll(empty: () => Cast): void
  all(): readonly Recording[]
  readonly failures: CopyFailure[]
  readonly folders: readonly string[]
  readonly fileCount: number
}

export function createRecordings(state: LogState, mostChannels: number): Recordings {
  const failures: CopyFailure[] = []
  let { folders, fileCount } = state
  const recordings: Recording[] = state.files.map((file) => ({
    file,
    channel: file.recording?.channel,
    cast: createCast(file.recording?.cast),
    lines: '',
    isDone: false,
  }))
  const begin = (channel: number): Recording | undefined => {
    const waits = recordings.find((one) => one.channel === undefined)
    if (waits !== undefined) {
      waits.channel = channel
      return waits
    }
    const open = recordings.filter(({ isDone }) => !isDone).length
    if (open >= mostChannels) throw new Error(`more than ${mostChannels} session channels at a time`)
    fileCount += 1
    const file = create(`${state.connectionId}-${fileCount}`, folders, failures)
    folders = folders.filter((folder) => !failures.some((failure) => failure.folder === folder))
    if (file === undefined) return undefined
    const recording: Recording = { file, channel, cast: createCast(), lines: '', isDone: false }
    recordings.push(recording)
    return recording
  }
  return {
    of: (channel, isSession) =>
      recordings.findLast((one) => one.channel === channel) ?? (isSession ? begin(channel) : undefined),
    endAll(empty) {
      for (const recording of recordings) {
        if (recording.isDone) continue
        if (recording.channel === undefined) recording.cast = empty()
        recording.lines += recording.cast.end()
        recording.isDone = true
      }
    },
    all: () => recordings,
    failures,
    get folders() {
      return folders
    },
    get fileCount() {
      return fileCount
    },
  }
}
