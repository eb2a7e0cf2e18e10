import { defineCodes } from './define.ts'

export const log = defineCodes('Log', ['LOG', 'TEST', 'UNKNOWN_ERROR'], {
  LOG_FILE_OPEN_FAILED: {
    level: 'crit',
    says: 'The log file {file} cannot be opened.',
    doc: 'The file in `log.file` cannot be created or opened for appending. Missing folders are not created. The process ends with status 1.',
    labels: { file: 'string' },
  },
  LOG_ROTATE_FAILED: {
    level: 'error',
    says: 'The log cannot be rotated; writing goes on to the old destination.',
    doc: 'On SIGHUP the log file or the syslog socket could not be opened again, or the old one could not be closed. Nothing is lost: records go where they went before. Repair the cause and send SIGHUP again.',
    labels: { file: 'string' },
  },
  LOG_WRITE_FAILED: {
    level: 'error',
    says: 'Records cannot be written to {destination}; {dropped} have been dropped since the last such message.',
    doc: 'Writing to the log failed, or its reader does not keep up and the queue is full. Since the log itself is what fails, this record goes to standard error, at most once in ten seconds. The server runs on; records beyond the queue are dropped and counted.',
    labels: { destination: 'string', dropped: 'number' },
  },
  LOG_JOURNAL_PLAIN: {
    level: 'notice',
    says: 'The journal of systemd gets plain lines instead of entries with fields.',
    doc: 'Standard output leads to the journal, but the socket of its native protocol cannot be used. Nothing is lost: each line has its level before it, which the journal understands. Install the package again with a compiler present, let the unit reach the socket, or set `log.journald.fields: false`.',
    seed: false,
  },
  LOG_RECORDS_DROPPED: {
    level: 'warning',
    says: '{dropped} records are missing before this one: {destination} did not take them.',
    doc: 'Written to the log itself as soon as its destination works again: so many records did not fit into the queue of `log.queueBytes` while it did not, or were lost with a connection. LOG_WRITE_FAILED on standard error says when and why.',
    labels: { destination: 'string', dropped: 'number' },
    seed: false,
  },
  LOG_RECORDS_SUPPRESSED: {
    level: 'info',
    says: '{count} more records {suppressed} about {source} have not been written.',
    doc: 'One source made more records of a code within `log.flood.interval` than `log.flood.records`. It has the level of the records that it stands for. Errors, and the records about logins (AUTH_…, SSH_AUTH_…), are never suppressed.',
    labels: { suppressed: 'string', source: 'string', count: 'number' },
    seed: false,
  },
  TEST: {
    level: 'debug',
    says: 'Test record.',
    doc: 'Written by tests only. The server itself never writes it.',
  },
  UNKNOWN_ERROR: {
    level: 'error',
    says: 'Unexpected error.',
    doc: 'An error without a code of its own reached the log; its text is in parentheses. This is a defect: please report it with the record.',
  },
})
