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
  IPC_PROTOCOL_ERROR: {
    level: 'error',
    says: 'Worker {worker} broke the rules of the internal protocol: {reason}.',
    doc: 'The primary process received a message from a worker that is malformed, too large, or not allowed at that moment. The worker is ended and replaced, since it may be under foreign control.',
    labels: { worker: 'number', reason: 'string' },
    seed: false,
  },
})
