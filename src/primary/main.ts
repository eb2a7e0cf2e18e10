/** The primary process: runs the services, obeys signals. It never touches bytes that came from the network. */
import { asFault } from '../shared/codes/fault.ts'
import type { Config } from '../shared/config/index.ts'
import type { Loaded } from '../shared/config/load.ts'
import type { Output } from '../shared/log/output.ts'
import { createLog, type Log } from '../shared/log.ts'
import type { Audit } from './audit/index.ts'
import { openCountry } from './country.ts'
import { healthService } from './health.ts'
import { loadHostKeys } from './host-keys.ts'
import type { LevelSources } from './levels.ts'
import { createReload } from './reload.ts'
import { createPool, type Service } from './services.ts'
import { obeySignals } from './signals.ts'
import type { Sockets } from './sockets.ts'
import { sshService } from './ssh-service.ts'
import { createUpgrade, tellReady } from './upgrade.ts'

export interface DaemonOptions {
  readonly config: Config
  readonly configPath: string
  /** PEM texts. */
  readonly hostKeys: readonly string[]
  /** Where the log goes. Stays open: it is the caller's. */
  readonly output: Output
  readonly sockets: Sockets
  /** The module that worker processes run, if it is not the usual one. */
  readonly workerEntry?: URL
  /** Reads the configuration again. @throws ConfigErrors */
  load(): Promise<Loaded>
}

/**
 * Runs until a signal or a failure ends it. Resolves to the exit status: 0 after a clean stop, otherwise 1.
 * @throws Fault when the configuration names something that cannot be used
 */
export async function runDaemon(options: DaemonOptions): Promise<number> {
  const { config, hostKeys, output, sockets, workerEntry } = options
  const { listening } = sockets
  const { write } = output
  const level = { level: config.log.level }
  const log = createLog({ level, write })
  const usual = new URL(
    import.meta.url.endsWith('.ts') ? '../workers/worker.ts' : '../workers/worker.js',
    import.meta.url,
  )
  const audit = await auditOf(config, hostKeys, log)
  using country = await openCountry(config, log.with({ module: 'core' }))
  const inherited = listening.ssh
  const ssh = sshService({ config, hostKeys, workerEntry: workerEntry ?? usual, log, write, audit, country, inherited })
  const isReady = (): boolean => pool.state === 'running' && ssh.fleet.isServing
  const health = config.health.enable ? healthService(config.health, log, isReady, listening.health) : undefined
  const metrics = config.metrics.enable
    ? await metricsOf(config, log, { ssh, audit, country, output, isReady }, listening.metrics)
    : undefined
  const services = [health, metrics, audit?.service, ssh].filter((service) => service !== undefined)
  const pool = createPool(services, log)
  const reload = createReload({
    ...options,
    log,
    // A key that was made at the start and could not be saved is still ours.
    hostKeys: async (next) =>
      next.ssh.hostkeys.length === 0 ? hostKeys : loadHostKeys({ config: next, configPath: options.configPath, log }),
    async apply(settings) {
      await ssh.configure(settings)
      level.level = settings.config.log.level
    },
  })
  const release = obeySignals({
    stop: pool.stop,
    kill() {
      ssh.kill()
      output.close()
      process.exit(1)
    },
    async reload() {
      await output.rotate()
      await Promise.all([country.renew(), health?.renew?.(), metrics?.renew?.()])
      await reload()
    },
    upgrade: createUpgrade({ ssh, metrics, health }, log),
  })
  const ready = (): void => {
    if (sockets.relieved !== undefined) tellReady(sockets.relieved)
  }
  try {
    const crash = await pool.run(ready)
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
  sources: LevelSources,
  inherited: number | undefined,
): Promise<Service> {
  const { metricsService } = await import('./metrics.ts')
  const { createLevels } = await import('./levels.ts')
  return metricsService(config.metrics, log, createLevels(sources), inherited)
}
