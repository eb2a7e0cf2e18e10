import { defineCodes } from './define.ts'

export const service = defineCodes('Service', ['SERVICE'], {
  SERVICE_POOL_STARTING: {
    level: 'info',
    says: 'All services are starting.',
    doc: 'The service pool begins to start its members side by side.',
  },
  SERVICE_POOL_RUNNING: {
    level: 'info',
    says: 'All services are now running.',
    doc: 'Each member of the service pool is ready; from now on the health check answers "ok".',
  },
  SERVICE_POOL_STOPPING: {
    level: 'info',
    says: 'All services are stopping.',
    doc: 'A stop signal arrived, or a member of the pool ended. No new connections are taken; the health check answers "not ok".',
  },
  SERVICE_POOL_STOPPED: {
    level: 'info',
    says: 'All services have stopped.',
    doc: 'Each member of the service pool has ended. The process is about to exit.',
  },
  SERVICE_STARTING: {
    level: 'info',
    says: '{service} is starting.',
    doc: 'One member of the service pool is starting.',
    labels: { service: 'string' },
  },
  SERVICE_RUNNING: {
    level: 'info',
    says: '{service} is running.',
    doc: 'One member of the service pool is ready.',
    labels: { service: 'string' },
  },
  SERVICE_STOPPING: {
    level: 'info',
    says: '{service} is stopping.',
    doc: 'One member of the service pool has been asked to stop and is finishing its work.',
    labels: { service: 'string' },
  },
  SERVICE_STOPPED: {
    level: 'info',
    says: '{service} has stopped.',
    doc: 'One member of the service pool ended without an error.',
    labels: { service: 'string' },
  },
  SERVICE_CRASHED: {
    level: 'error',
    says: '{service} has crashed.',
    doc: 'One member of the service pool ended with an error. The other members are stopped and the process exits with status 1; the last record tells the error.',
    labels: { service: 'string' },
  },
  SERVICE_START_TIMEOUT: {
    level: 'error',
    says: '{service} was not ready within {limitMs} ms.',
    doc: 'One member of the service pool hangs in its start. All members are stopped and the process exits with status 1.',
    labels: { service: 'string', limitMs: 'number' },
    seed: false,
  },
  SERVICE_STOP_TIMEOUT: {
    level: 'error',
    says: '{service} has not stopped within {limitMs} ms and is left behind.',
    doc: 'One member of the service pool hangs in its stop. The other members are stopped all the same, and the process exits with status 1; what the service was still doing is cut.',
    labels: { service: 'string', limitMs: 'number' },
    seed: false,
  },
  SERVICE_NOTIFY_FAILED: {
    level: 'warning',
    says: 'systemd could not be told the state of the service: {reason}.',
    doc: 'The socket in `NOTIFY_SOCKET` does not take messages, or there is neither the package unix-dgram nor the program systemd-notify to send them with. The server serves, but systemd may take it for one that does not start or hangs.',
    labels: { reason: 'string' },
    seed: false,
  },
})
