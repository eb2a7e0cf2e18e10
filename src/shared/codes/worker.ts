import { defineCodes } from './define.ts'

export const worker = defineCodes('Worker', ['WORKER', 'IPC'], {
  WORKER_STARTED: {
    level: 'info',
    says: 'Worker {worker} is running as process {pid}.',
    doc: 'A worker process is ready to take connections.',
    labels: { worker: 'number', pid: 'number' },
    seed: false,
  },
  WORKER_EXITED: {
    level: 'error',
    says: 'Worker {worker} (process {pid}) has ended.',
    doc: 'A worker process ended; its connections ended with it, those of the other workers did not. An end that was asked for is written on level info.',
    labels: { worker: 'number', pid: 'number', exitCode: 'number?', signal: 'string?', connections: 'number?' },
    seed: false,
  },
  WORKER_RESTART_DELAYED: {
    level: 'warning',
    says: 'Worker {worker} is started again in {delayMs} ms.',
    doc: 'A worker ended soon after its start, so the next one has to wait. The delay doubles with each early end.',
    labels: { worker: 'number', delayMs: 'number' },
    seed: false,
  },
  WORKER_START_FAILED: {
    level: 'crit',
    says: 'Worker {worker} cannot start: {reason}.',
    doc: 'A worker process ended, or gave up, before it could take connections. At the start of the server the process ends with status 1; later the worker is started again after a pause and the record has level error.',
    labels: { worker: 'number', reason: 'string' },
    seed: false,
  },
  WORKER_RETIRED: {
    level: 'info',
    says: 'Worker {worker} (process {pid}) takes no new connections and ends with its last one.',
    doc: 'The configuration was loaded again, or a new version of the server has taken over: new connections go to other workers. The connections that this one has go on with the configuration under which they began, for at most `retireTimeout`.',
    labels: { worker: 'number', pid: 'number', connections: 'number?' },
    seed: false,
  },
  WORKER_CRASHED: {
    level: 'error',
    says: 'Worker {worker} ends because of a defect: {stack}',
    doc: 'An error that no code expected reached the top of a worker process. Its connections are lost, those of other workers are not. This is a defect: please report it with the record.',
    labels: { worker: 'number', stack: 'string' },
    seed: false,
  },
  WORKER_UNRESPONSIVE: {
    level: 'error',
    says: 'Worker {worker} has given no sign of life for {silentMs} ms and is killed.',
    doc: 'A worker process hangs: its event loop does not turn any more. It is killed and replaced.',
    labels: { worker: 'number', silentMs: 'number' },
    seed: false,
  },
  WORKER_OUTPUT: {
    level: 'error',
    says: 'Worker {worker} wrote: {line}',
    doc: 'A worker process wrote to its standard output or error, which only the runtime does: a crash report or a warning.',
    labels: { worker: 'number', line: 'string' },
    seed: false,
  },
  IPC_RECORDS_DROPPED: {
    level: 'warning',
    says: '{dropped} log records of worker {worker} were dropped.',
    doc: 'A worker produced log records faster than the primary process could take them. Connections are not slowed down for the log; the records that did not fit were dropped and counted.',
    labels: { worker: 'number', dropped: 'number' },
    seed: false,
  },
  IPC_PROTOCOL_ERROR: {
    level: 'error',
    says: 'Worker {worker} broke the rules of the internal protocol: {reason}.',
    doc: 'The primary process received a message from a worker that is malformed, too large, or not allowed at that moment. The worker is ended and replaced, since it may be under foreign control.',
    labels: { worker: 'number', reason: 'string' },
    seed: false,
  },
})
