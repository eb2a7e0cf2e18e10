/** Format `asciinema`: a recording for each session channel, the first in the file that is named by the connection. */
import { createCast } from '../../shared/audit/cast.ts'
import type { LogFile, LogSettings, LogState, LogStored, LogWork } from '../../shared/audit/log-task.ts'
import type { AuditRecord } from '../../shared/audit/record.ts'
import { sessionChannelOf } from '../../shared/audit/session-channel.ts'
import { readBatches } from './read-batches.ts'
import { createRecordings, type Recordings } from './recordings.ts'
import { appendSealed } from './sealed.ts'

export async function storeCasts({ state, batches, end }: LogWork, settings: LogSettings): Promise<LogStored> {
  const recordings = createRecordings(state, settings.mostChannels)
  const { disconnect, offence, ...read } = readBatches(batches, state, (record) => take(record, recordings))
  if (end !== undefined) recordings.endAll(atStart({ ...state, ...read }))
  const { failures } = recordings
  const files: LogFile[] = []
  const finished: LogFile[] = []
  for (const { file, channel, cast, lines, isDone } of recordings.all()) {
    const how = { isLast: isDone, recipients: settings.recipients, failures }
    const written = await appendSealed(file, [Buffer.from(lines)], how)
    const recording = channel === undefined ? undefined : { channel, cast: cast.state }
    if (isDone) finished.push(written)
    else files.push({ ...written, recording })
  }
  const { folders, fileCount } = recordings
  return { state: { ...state, ...read, folders, files, fileCount }, finished, failures, disconnect, offence }
}

function take(record: AuditRecord, recordings: Recordings): void {
  const { channelId } = record
  if (channelId === null) return
  const recording = recordings.of(Number(channelId), sessionChannelOf(record) !== undefined)
  if (recording === undefined || recording.isDone) return
  recording.lines += recording.cast.add(record)
  if (record.type !== 'close') return
  recording.lines += recording.cast.end()
  recording.isDone = true
}

/** A connection without a session has a recording without events. */
function atStart({ connectionId, facts }: LogState): () => ReturnType<typeof createCast> {
  return () => {
    const cast = createCast()
    const { startTime, remoteAddr, country } = facts
    const timestamp = BigInt(startTime) * 1_000_000_000n
    cast.add({ connectionId, timestamp, type: 'connect', channelId: null, payload: { remoteAddr, country } })
    return cast
  }
}
