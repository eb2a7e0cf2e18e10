/** The records of a batch, one by one, until the worker's last or one that is none. */
import { recordsOf } from '../../shared/audit/batch-reader.ts'
import { type LogFacts, learn } from '../../shared/audit/facts.ts'
import type { LogState } from '../../shared/audit/log-task.ts'
import type { AuditRecord } from '../../shared/audit/record.ts'

export interface ReadBatch {
  readonly latest: bigint
  readonly facts: LogFacts
  readonly disconnect: bigint | undefined
  readonly offence: string | undefined
}

/** `take` gets all but `disconnect`, which ends the log. What it throws is the fault of the record. */
export function readBatch(batch: Uint8Array, state: LogState, take: (record: AuditRecord) => void): ReadBatch {
  let { latest, facts } = state
  let disconnect: bigint | undefined
  try {
    const bytes = Buffer.from(batch.buffer, batch.byteOffset, batch.byteLength)
    for (const record of recordsOf(bytes, state.connectionId)) {
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
