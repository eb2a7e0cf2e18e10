/** What a worker tells the primary every now and then: what it counted, timed and has at the moment. */
import type { Report } from '../shared/ipc/contract.ts'
import type { Link } from '../shared/ipc/link.ts'
import { processCounters, processHistograms } from '../shared/metric.ts'
import { readyCount } from './backends/pool/stock.ts'
import type { Intake } from './ssh/intake.ts'

/** A report that the link does not take is part of the next one: nothing counts twice, and nothing is lost. */
export function reportLoad(link: Link<Report>, intake: Intake): void {
  const report = loadReport(link, intake)
  if (link.offer(report)) return
  processCounters.add(report.counts)
  processHistograms.add(report.observed)
}

export function loadReport(link: Link<Report>, intake: Intake): Extract<Report, { kind: 'load' }> {
  const { outputBytes, windowBytes } = intake.queued
  return {
    kind: 'load',
    counts: processCounters.take(),
    observed: processHistograms.take(),
    gauges: {
      containerssh_process_resident_memory_bytes: process.memoryUsage.rss(),
      containerssh_process_link_queued_bytes: link.queuedBytes,
      containerssh_worker_connections: intake.size,
      containerssh_worker_output_queued_bytes: outputBytes,
      containerssh_worker_input_window_bytes: windowBytes,
      containerssh_worker_pool_containers: readyCount(),
    },
  }
}
