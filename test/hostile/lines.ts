/** What a record looks like in the log, whatever a client put into it. */
import assert from 'node:assert/strict'
import { formatLine } from '../../src/shared/log/format.ts'
import type { LogRecord } from '../../src/shared/log.ts'

/** C0, DEL, C1, line separators, lone surrogates: what begins a new line or steers a terminal. */
const unprintable = /[\p{Cc}\p{Cs}\u2028\u2029]/u

/** One line in both formats: printable text, and JSON that says what the record says. */
export function staysOneLine(record: LogRecord, mostBytes = 4096): void {
  const text = formatLine(record, 'text')
  assert.equal(text.at(-1), '\n')
  const fields = text.slice(0, -1).split('\t')
  assert.equal(fields.length, 3, text)
  for (const field of fields) assert.doesNotMatch(field, unprintable)
  const json = formatLine(record, 'ljson')
  assert.equal(json.indexOf('\n'), json.length - 1)
  const { code, message, details } = JSON.parse(json)
  assert.deepEqual({ code, message, details }, { code: record.code, message: record.message, details: record.labels })
  for (const line of [text, json]) assert.ok(line.length <= mostBytes, `${line.length} bytes: ${line.slice(0, 200)}…`)
}
