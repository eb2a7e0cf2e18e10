/** What is written of a log: its bytes, in an envelope if it has recipients. */
import { mostSealedBytes, newEnvelope, seal, tagBytes } from '../../shared/audit/envelope.ts'
import type { CopyFailure, LogFile } from '../../shared/audit/log-task.ts'
import { append } from './storage/file.ts'

const mostContentBytes = mostSealedBytes - tagBytes

interface How {
  /** Nothing comes after it. */
  readonly isLast: boolean
  readonly recipients: readonly string[]
  readonly failures: CopyFailure[]
}

/** The bytes themselves, or as records of the envelope. */
export async function appendSealed(
  file: LogFile,
  parts: readonly Uint8Array[],
  { isLast, recipients, failures }: How,
): Promise<LogFile> {
  const content = joined(parts)
  if (recipients.length === 0) return append(file, content, failures)
  if (content.length === 0 && !isLast) return file
  const begun = file.envelope === undefined ? await newEnvelope(recipients) : undefined
  let envelope = begun?.state ?? file.envelope
  const records: Uint8Array[] = begun === undefined ? [] : [begun.head]
  for (let at = 0; envelope !== undefined && (at < content.length || at === 0); at += mostContentBytes) {
    const isEnd = at + mostContentBytes >= content.length
    const { bytes, state }: ReturnType<typeof seal> = seal(
      envelope,
      content.subarray(at, at + mostContentBytes),
      isLast && isEnd,
    )
    records.push(bytes)
    envelope = state
  }
  return append({ ...file, envelope }, joined(records), failures)
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const filled = parts.filter((part) => part.length > 0)
  const [first] = filled
  return filled.length === 1 && first !== undefined ? first : Buffer.concat(filled)
}
