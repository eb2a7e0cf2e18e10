/**
 * What the primary does for a worker: this table and nothing else. A worker parses what strangers send, so adding a row
 * is a security review: each one must be harmless in the hands of whoever took the worker over.
 */
import type { Report } from '../shared/ipc/contract.ts'
import type { ControlReport } from '../shared/ipc/control.ts'
import type { Remote } from '../shared/ipc/handle.ts'
import type { Outcome } from '../shared/ipc/outcome.ts'
import type { Log, LogRecord } from '../shared/log.ts'
import { processName, type Reported } from '../shared/metric/gauges.ts'
import { processCounters, processHistograms } from '../shared/metric.ts'

/** What the answers may touch, for one worker. */
export interface AnswerScope {
  readonly worker: number
  readonly log: Log
  /** To the log's destination, as it is. */
  write(record: LogRecord): void
  ready(owner: string): void
  /** What the process has at the moment. */
  reported(gauges: Reported): void
  taken(ticket: number): void
  authenticated(ticket: number): void
  closed(ticket: number, outcome: Outcome): void
  source(ticket: number, remote: Remote): void
  /** Of its own connections only, like all that has a ticket. */
  audit(report: AuditReport): void
  /** For an operator who asked. */
  control(report: ControlReport): void
  failed(record: LogRecord): void
}
export type AuditReport = Extract<Report, { kind: 'audit-open' | 'audit' | 'audit-close' }>

type Answers = { readonly [K in Report['kind']]: (report: Extract<Report, { kind: K }>, scope: AnswerScope) => void }

const answers: Answers = {
  ready: ({ owner }, scope) => scope.ready(owner),
  log({ records, dropped }, scope) {
    for (const record of records) scope.write(record)
    if (dropped > 0) scope.log.emit('IPC_RECORDS_DROPPED', { worker: scope.worker, dropped })
  },
  // Also the sign of life. Series are of closed sets: they cannot fill memory.
  load({ counts, observed, gauges }, scope) {
    processCounters.add(counts)
    processHistograms.add(observed, processName(scope.worker))
    scope.reported(gauges)
  },
  taken({ tickets }, scope) {
    for (const ticket of tickets) scope.taken(ticket)
  },
  // Of its own connections only; the fleet sees to that.
  authenticated: ({ ticket }, scope) => scope.authenticated(ticket),
  closed: ({ ticket, outcome }, scope) => scope.closed(ticket, outcome),
  // Only where a trusted proxy was asked for it, and once: admission sees to that.
  source: ({ ticket, address, port }, scope) => scope.source(ticket, { address, port }),
  // A log has the name of a new connection and is never one that exists; what it holds is the worker's word.
  'audit-open': (report, scope) => scope.audit(report),
  audit: (report, scope) => scope.audit(report),
  'audit-close': (report, scope) => scope.audit(report),
  // Only what was asked for, of this worker, and about its own connections: the switchboard sees to that.
  connections: (report, scope) => scope.control(report),
  done: (report, scope) => scope.control(report),
  watched: (report, scope) => scope.control(report),
  'watched-size': (report, scope) => scope.control(report),
  // Its exit follows, and is what counts.
  drained: () => undefined,
  failed: ({ record }, scope) => scope.failed(record),
}

export function answer(report: Report, scope: AnswerScope): void {
  const act = answers[report.kind] as (report: Report, scope: AnswerScope) => void
  act(report, scope)
}
