/** What has a value at the moment of a scrape. Those of a process come from its last report, two seconds old at most. */

/** With the label `process`: `primary`, or `worker-` and its number. */
export const processGauges = {
  containerssh_process_resident_memory_bytes: 'Memory of the process that is not swapped out.',
  containerssh_process_link_queued_bytes: 'Messages between primary and worker that the pipe has not taken.',
} as const

/** With the label `process`; of workers only. */
export const workerGauges = {
  containerssh_worker_connections: 'Connections that the worker has.',
  containerssh_worker_output_queued_bytes: 'Output for clients that read slower than their programs write.',
  containerssh_worker_input_window_bytes: 'Input that clients may send, or have sent, before programs take it.',
  containerssh_worker_pool_containers: 'Containers and pods that were made ahead and wait for a login.',
} as const

/** Of the whole daemon; those of the audit log only where there is one, and of the country file likewise. */
export const daemonGauges = {
  containerssh_ssh_current_connections: 'TCP connections that are open.',
  containerssh_ssh_startups: 'Those of them that have not logged in.',
  containerssh_ssh_sources: 'Sources that have a connection.',
  containerssh_ssh_penalised_sources: 'Sources that are refused for what they did, or that are on the way there.',
  containerssh_workers: 'Worker processes, by what they are doing.',
  containerssh_ready: '1 while all services run and every worker serves, otherwise 0.',
  containerssh_build_info: 'Always 1; the labels tell which version runs.',
  containerssh_log_waiting_bytes: 'Log records that their destination has not taken.',
  containerssh_audit_open_logs: 'Audit logs that are being written.',
  containerssh_audit_waiting_bytes: 'Audit records that are not stored yet, in bytes.',
  containerssh_audit_waiting_tasks: 'Batches of audit records that wait for a thread.',
  containerssh_audit_queue_logs: 'Complete audit logs that are not uploaded yet.',
  containerssh_audit_queue_bytes: 'The same in bytes.',
  containerssh_geoip_build_timestamp_seconds: 'When the file that countries are looked up in was made.',
} as const

export const gauges = { ...daemonGauges, ...processGauges, ...workerGauges } as const
export type GaugeName = keyof typeof gauges

/** Value of the label `process`. */
export const processName = (worker: number): string => `worker-${worker}`

/** What a worker reports of itself. */
export const reportedGauges = { ...processGauges, ...workerGauges } as const
export type Reported = { readonly [N in keyof typeof reportedGauges]: number }

/** For what comes from another process. */
export function isReported(value: unknown): value is Reported {
  if (typeof value !== 'object' || value === null) return false
  const entries = new Map(Object.entries(value))
  const names = Object.keys(reportedGauges)
  return entries.size === names.length && names.every((name) => isAmount(entries.get(name)))
}
const isAmount = (value: unknown): boolean => typeof value === 'number' && Number.isFinite(value) && value >= 0
