/** The records of batches, one by one, until the worker's last or one that is none. */
import { recordsOf } from '../../shared/audit/batch-reader.ts'
import { type LogFacts, learn } from '../../shared/audit/facts.ts'
import type { LogState } from '../../shared/audit/log-task.ts'
import type { AuditRecord } from '../../shared/audit/record.ts'

export interface ReadBatches {
  readonly latest: bigint
  readonly facts: LogFacts
  readonly disconnect: bigint | undefined
  readonly offence: string | undefined
}

/** `take` gets all but `disconnect`, which ends the log. What it throws is the fault of the record. */
export function readBatches(
  batches: readonly Uint8Array[],
  state: LogState,
  take: (record: AuditRecord) => void,
): ReadBatches {
  let { latest, facts } = state
  let disconnect: bigint | undefined
  try {
    for (const record of allOf(batches, state.connectionId)) {
      if (disconnect !== undefined) return { latest, facts, disconnect, offence: 'a record after the last' }
      if (record.timestamp > latest) latest = record.timestamp
      if (record.type === 'disconnect') {
        disconnect = record.timestamp
        continue
      }
      take(record)
      facts = learn(facts, record)
    }
    return { latest, facts, disconnect, offence: undefined }
  } catch (error) {
    return { latest, facts, disconnect, offence: (error as Error).message }
  }
}

function* allOf(batches: readonly Uint8Array[], connectionId: string): Generator<AuditRecord> {
  for (const { buffer, byteOffset, byteLength } of batches) {
    yield* recordsOf(Buffer.from(buffer, byteOffset, byteLength), connectionId)
  }
}
