/** The primary process: runs the services, obeys signals. It never touches bytes that came from the network. */
import { asFault } from '../shared/codes/fault.ts'
import type { Config } from '../shared/config/index.ts'
import type { Output } from '../shared/log/output.ts'
import { createLog, type Log } from '../shared/log.ts'
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

/** Runs until a signal or a failure ends it. Resolves to the exit status: 0 after a clean stop, otherwise 1. */
export async function runDaemon({ config, hostKeys, output, workerEntry }: DaemonOptions): Promise<number> {
  const { write } = output
  const log = createLog({ level: config.log.level, write })
  const usual = new URL(
    import.meta.url.endsWith('.ts') ? '../workers/worker.ts' : '../workers/worker.js',
    import.meta.url,
  )
  const ssh = sshService({ config, hostKeys, workerEntry: workerEntry ?? usual, log, write })
  const health = config.health.enable ? [healthService(config.health, log, () => pool.state === 'running')] : []
  const metrics = config.metrics.enable ? [await metricsOf(config, log, () => ssh.connections)] : []
  const pool = createPool([...health, ...metrics, ssh], log)
  const release = obeySignals(pool, output, ssh.kill)
  try {
    const crash = await pool.run()
    if (crash !== undefined) log.fault(asFault(crash.error), 'crit')
    return crash === undefined ? 0 : 1
  } finally {
    release()
  }
}

/** Its library is loaded only where it is used. */
async function metricsOf(config: Config, log: Log, connections: () => number): Promise<Service> {
  const { metricsService } = await import('./metrics.ts')
  return metricsService(config.metrics, log, connections)
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
