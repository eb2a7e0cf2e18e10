/** The gauges of the metrics endpoint, from whoever knows them. */
import type { Output } from '../shared/log/output.ts'
import { processName, type reportedGauges } from '../shared/metric/gauges.ts'
import type { Audit, AuditGauges } from './audit/index.ts'
import type { Country } from './country.ts'
import type { Level } from './metrics-page.ts'
import { version } from './package.ts'
import type { SshService } from './ssh-service.ts'

export interface LevelSources {
  readonly ssh: SshService
  readonly audit: Audit | undefined
  readonly country: Country
  readonly output: Output
  isReady(): boolean
}

export function createLevels({ ssh, audit, country, output, isReady }: LevelSources): () => readonly Level[] {
  const build: Level = ['containerssh_build_info', 1, { version: version(), node: process.versions.node }]
  return () => [
    build,
    ['containerssh_ready', isReady() ? 1 : 0],
    ...sshLevels(ssh),
    ['containerssh_process_resident_memory_bytes', process.memoryUsage.rss(), { process: 'primary' }],
    ['containerssh_process_link_queued_bytes', sum(ssh.fleet.workers, 'queuedBytes'), { process: 'primary' }],
    ['containerssh_log_waiting_bytes', output.queuedBytes],
    ...(audit === undefined ? [] : auditLevels(audit.gauges())),
    ...(country.builtMs === undefined
      ? []
      : [['containerssh_geoip_build_timestamp_seconds', country.builtMs / 1000] as const]),
  ]
}

function sshLevels({ admission, visitors, fleet }: SshService): readonly Level[] {
  const { workers, missing } = fleet
  const doing = (what: string): number =>
    workers.filter(({ stage, phase }) => (stage === 'retired' ? 'retired' : phase) === what).length
  return [
    ...[...visitors.byCountry].map(
      ([country, open]): Level => ['containerssh_ssh_current_connections', open, { country }],
    ),
    ['containerssh_ssh_startups', admission.startups],
    ['containerssh_ssh_sources', admission.sources],
    ['containerssh_ssh_penalised_sources', admission.penalised],
    ...(['starting', 'serving', 'draining', 'retired'] as const).map(
      (state): Level => ['containerssh_workers', doing(state), { state }],
    ),
    ['containerssh_workers', missing, { state: 'missing' }],
    ...workers.flatMap(({ number, reported }) =>
      Object.entries(reported ?? {}).map(
        // The keys of a report are those of the table.
        ([name, value]): Level => [name as keyof typeof reportedGauges, value, { process: processName(number) }],
      ),
    ),
  ]
}

function auditLevels({ openLogs, waitingBytes, waitingTasks, uploads }: AuditGauges): readonly Level[] {
  return [
    ['containerssh_audit_open_logs', openLogs],
    ['containerssh_audit_waiting_bytes', waitingBytes],
    ['containerssh_audit_waiting_tasks', waitingTasks],
    ...(uploads === undefined
      ? []
      : ([
          ['containerssh_audit_queue_logs', uploads.logs],
          ['containerssh_audit_queue_bytes', uploads.bytes],
        ] as const)),
  ]
}

const sum = (workers: SshService['fleet']['workers'], key: 'queuedBytes'): number =>
  workers.reduce((total, worker) => total + worker[key], 0)
