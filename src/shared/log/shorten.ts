/** Records that are too long for where they go. */
import type { Labels, LogRecord } from '../log.ts'

/** The record with its texts cut to `longest` UTF-16 units, each with a mark where something is missing. */
export function shortened(record: LogRecord, longest: number): LogRecord {
  const cut = (text: string): string => (text.length > longest ? `${text.slice(0, longest)}…` : text)
  const labels: Record<string, Labels[string]> = {}
  for (const [name, value] of Object.entries(record.labels))
    labels[name] = typeof value === 'string' ? cut(value) : value
  return { ...record, message: cut(record.message), labels }
}

/** The record in its form, of at most `bytes`: shorter and shorter texts until it fits. */
export function fitting<T extends string | Buffer>(
  record: LogRecord,
  bytes: number,
  render: (record: LogRecord) => T,
): T {
  let entry = render(record)
  for (let longest = bytes / 2; Buffer.byteLength(entry) > bytes && longest >= 1; longest /= 2) {
    entry = render(shortened(record, longest))
  }
  return entry
}
