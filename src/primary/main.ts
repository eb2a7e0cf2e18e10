/** The primary process: runs the services, obeys signals. It never touches bytes that came from the network. */
import { asFault } from '../shared/codes/fault.ts'
import type { Config } from '../shared/config/index.ts'
import type { Output } from '../shared/log/output.ts'
import { createLog, type Log } from '../shared/log.ts'
import type { Audit } from './audit/index.ts'
import { healthService } from './health.ts'
import { createPool, type Pool, type Service } from './services.ts'
import { sshService } from './ssh-service.ts'

export interface DaemonOptions {
  readonly config: Config
  readonly configPath: string
  /** PEM texts. */
  readonly hostKeys: readonly string[]
  /** Where the log goes. Stays open: it is the caller's. */
  readonly output: Output
  /** The module that worker processes run, if it is not the usual one. */
  readonly workerEntry?: URL
}

/**
 * Runs until a signal or a failure ends it. Resolves to the exit status: 0 after a clean stop, otherwise 1.
 * @throws Fault when the configuration names something that cannot be used
 */
export async function runDaemon({ config, hostKeys, output, workerEntry }: DaemonOptions): Promise<number> {
  const { write } = output
  const log = createLog({ level: config.log.level, write })
  const usual = new URL(
    import.meta.url.endsWith('.ts') ? '../workers/worker.ts' : '../workers/worker.js',
    import.meta.url,
  )
  const audit = await auditOf(config, hostKeys, log)
  const ssh = sshService({ config, hostKeys, workerEntry: workerEntry ?? usual, log, write, audit })
  const health = config.health.enable ? [healthService(config.health, log, () => pool.state === 'running')] : []
  const metrics = config.metrics.enable ? [await metricsOf(config, log, () => ssh.connections, audit)] : []
  const pool = createPool([...health, ...metrics, ...(audit === undefined ? [] : [audit.service]), ssh], log)
  const release = obeySignals(pool, output, ssh.kill)
  try {
    const crash = await pool.run()
    if (crash !== undefined) log.fault(asFault(crash.error), 'crit')
    return crash === undefined ? 0 : 1
  } finally {
    release()
  }
}

/** Its libraries, and those of the metrics, are loaded only where they are used. */
async function auditOf(config: Config, hostKeys: readonly string[], log: Log): Promise<Audit | undefined> {
  if (!config.audit.enable) return undefined
  const { openAudit } = await import('./audit/index.ts')
  return openAudit(config, hostKeys, log)
}

async function metricsOf(
  config: Config,
  log: Log,
  connections: () => number,
  audit: Audit | undefined,
): Promise<Service> {
  const { metricsService } = await import('./metrics.ts')
  return metricsService(config.metrics, log, { connections, audit: audit?.gauges })
}

/** SIGTERM and SIGINT stop the pool, and a second one ends everything at once. SIGHUP rotates the log. */
function obeySignals(pool: Pool, output: Output, kill: () => void): () => void {
  let asked = false
  const stop = (): void => {
    if (!asked) {
      asked = true
      pool.stop()
      return
    }
    kill()
    output.close()
    process.exit(1)
  }
  const rotate = (): void => void output.rotate()
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, stop)
  process.on('SIGHUP', rotate)
  return () => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.off(signal, stop)
    process.off('SIGHUP', rotate)
  }
}
