/** The primary process: runs the services, obeys signals. It never touches bytes that came from the network. */
import { asFault } from '../shared/codes/fault.ts'
import type { Config } from '../shared/config/index.ts'
import type { Loaded } from '../shared/config/load.ts'
import type { Output } from '../shared/log/output.ts'
import { createLog, type LevelSwitch, type Log } from '../shared/log.ts'
import type { Audit } from './audit/index.ts'
import type { Control } from './control/index.ts'
import { controlPathOf } from './control/socket.ts'
import { type Country, openCountry } from './country.ts'
import { healthService } from './health.ts'
import { loadHostKeys } from './host-keys.ts'
import type { LevelSources } from './levels.ts'
import { type Notify, openNotify } from './notify.ts'
import { createReload } from './reload.ts'
import { createPool, type Service } from './services.ts'
import { obeySignals } from './signals.ts'
import type { Sockets } from './sockets.ts'
import { type SshService, sshService } from './ssh-service.ts'
import { supervise } from './supervision.ts'
import { createUpgrade, tellReady } from './upgrade.ts'
import { workerUserOf } from './worker-user.ts'

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
  const { config, output, sockets } = options
  const level = { level: config.log.level }
  const log = createLog({ level, write: output.write })
  const notify = openNotify(process.env, log)
  using country = await openCountry(config, log.with({ module: 'core' }))
  const parts = await partsOf(options, { log, notify, country, isRunning: () => pool.state === 'running' })
  const { ssh, health, metrics, audit, control } = parts
  const services = [health, metrics, audit?.service, control, ssh].filter((service) => service !== undefined)
  const pool = createPool(services, log)
  const supervision = supervise(notify, ssh)
  const reload = reloadOf(options, parts, level, log)
  const release = obeySignals({
    stop() {
      supervision.stopping()
      pool.stop()
    },
    kill() {
      ssh.kill()
      output.close()
      process.exit(1)
    },
    async reload() {
      supervision.reloading()
      await output.rotate()
      await Promise.all([country.renew(), health?.renew?.(), metrics?.renew?.()])
      supervision.reloaded(await reload())
    },
    upgrade: createUpgrade({
      services: { ssh, metrics, health },
      log,
      environment: notify.environment,
      handedOver: supervision.handedOver,
    }),
  })
  const ready = (): void => {
    control?.claim()
    supervision.ready()
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

interface Parts {
  readonly ssh: SshService
  readonly audit: Audit | undefined
  readonly health: Service | undefined
  readonly metrics: Service | undefined
  readonly control: Control | undefined
}

interface Surroundings {
  readonly log: Log
  readonly notify: Notify
  readonly country: Country
  /** All services run. */
  isRunning(): boolean
}

async function partsOf(options: DaemonOptions, { log, notify, country, isRunning }: Surroundings): Promise<Parts> {
  const { config, hostKeys, output, sockets } = options
  const usual = new URL(
    import.meta.url.endsWith('.ts') ? '../workers/worker.ts' : '../workers/worker.js',
    import.meta.url,
  )
  const audit = await auditOf(config, hostKeys, log)
  const ssh = sshService({
    config,
    hostKeys,
    workerUser: (next) => workerUserOf(next, { configPath: options.configPath, log: log.with({ module: 'core' }) }),
    workerEntry: options.workerEntry ?? usual,
    log,
    write: output.write,
    audit,
    country,
    inherited: sockets.listening.ssh,
    // systemd's patience is longer than ours, so that a worker that hangs costs its own connections only.
    ...(notify.watchdogMs === undefined ? {} : { silenceMs: notify.watchdogMs / 2 }),
  })
  const { health: healthSocket, metrics: metricsSocket } = sockets.listening
  const isReady = (): boolean => isRunning() && ssh.fleet.isServing && !ssh.isDraining
  const sources: LevelSources = { ssh, audit, country, output, isReady }
  return {
    ssh,
    audit,
    control: await controlOf(config, log, sources, sockets.relieved !== undefined),
    health: config.health.enable ? healthService(config.health, log, isReady, healthSocket) : undefined,
    metrics: config.metrics.enable ? await metricsOf(config, log, sources, metricsSocket) : undefined,
  }
}

function reloadOf(options: DaemonOptions, { ssh }: Parts, level: LevelSwitch, log: Log): () => Promise<boolean> {
  const { config, configPath, hostKeys, load } = options
  return createReload({
    config,
    configPath,
    log,
    load,
    // A key that was made at the start and could not be saved is still ours.
    hostKeys: async (next) =>
      next.ssh.hostkeys.length === 0 ? hostKeys : loadHostKeys({ config: next, configPath, log }),
    async apply(settings) {
      await ssh.configure(settings)
      level.level = settings.config.log.level
    },
  })
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

async function controlOf(
  { control: config }: Config,
  parentLog: Log,
  sources: LevelSources,
  isRelieving: boolean,
): Promise<Control | undefined> {
  const path = controlPathOf(config, process.env)
  if (path === undefined) return undefined
  const { controlService } = await import('./control/index.ts')
  const { createLevels } = await import('./levels.ts')
  const { measure } = await import('./control/measure.ts')
  const levels = createLevels(sources)
  const log = parentLog.with({ module: 'control' })
  return controlService({ path, config, log, ...sources, isRelieving, measure: () => measure(levels) })
}
