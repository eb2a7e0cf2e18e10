/** SIGHUP: the configuration file is read again and holds for new connections, or nothing changes. */
import { isDeepStrictEqual } from 'node:util'
import { asFault, Fault } from '../shared/codes/fault.ts'
import { ConfigErrors, type Loaded } from '../shared/config/load.ts'
import type { Config } from '../shared/config/schema.ts'
import type { Log } from '../shared/log.ts'
import { logConfigErrors } from './bootstrap.ts'
import type { SshSettings } from './ssh-service.ts'

export interface ReloadOptions {
  /** Of the process. */
  readonly config: Config
  readonly configPath: string
  readonly log: Log
  /** Reads and checks the file. @throws ConfigErrors */
  load(): Promise<Loaded>
  /** @throws ConfigErrors, Fault */
  hostKeys(config: Config): Promise<readonly string[]>
  /** @throws Fault when it cannot be; then everything is as before */
  apply(settings: SshSettings): Promise<void>
}

/** What belongs to the primary process, by the name of the option. The value is put back into a configuration. */
const lasting: Readonly<Record<string, (running: Config, next: Config) => Config>> = {
  'ssh.listen': ({ ssh: { listen } }, next) => ({ ...next, ssh: { ...next.ssh, listen } }),
  log: ({ log }, next) => ({ ...next, log: { ...log, level: next.log.level } }),
  metrics: ({ metrics }, next) => ({ ...next, metrics }),
  health: ({ health }, next) => ({ ...next, health }),
  geoip: ({ geoip }, next) => ({ ...next, geoip }),
  audit: ({ audit }, next) => ({ ...next, audit }),
  control: ({ control }, next) => ({ ...next, control }),
  instance: ({ instance }, next) => ({ ...next, instance }),
}

/**
 * The function never rejects, and resolves to whether the file holds now. Calls that come while it works are one more
 * round after it.
 */
export function createReload(options: ReloadOptions): () => Promise<boolean> {
  let { config } = options
  let again = false
  let running: Promise<boolean> | undefined

  const round = async (): Promise<boolean> => {
    again = false
    const applied = await attempt(options, config)
    config = applied ?? config
    return again ? round() : applied !== undefined
  }
  return () => {
    again = true
    running ??= round().finally(() => {
      running = undefined
    })
    return running
  }
}

async function attempt(options: ReloadOptions, running: Config): Promise<Config | undefined> {
  const { configPath: file } = options
  const log = options.log.with({ module: 'core' })
  try {
    const { config: wanted, warnings, deprecations } = await options.load()
    for (const cause of warnings) log.emit('CORE_CONFIG_WARNING', { file }, { cause })
    for (const { record } of deprecations) log.fault(record)
    let config = wanted
    for (const [option, keep] of Object.entries(lasting)) {
      const kept = keep(running, config)
      if (!isDeepStrictEqual(kept, config)) log.emit('CORE_RELOAD_NEEDS_RESTART', { option })
      config = kept
    }
    await options.apply({ config, hostKeys: await options.hostKeys(config) })
    log.emit('CORE_RELOADED', { file })
    return config
  } catch (error) {
    if (error instanceof ConfigErrors) {
      logConfigErrors(log.at(log.level), error)
      log.emit('CORE_RELOAD_FAILED', { file })
    } else {
      const cause = error instanceof Fault ? error : asFault(error)
      log.emit('CORE_RELOAD_FAILED', { file }, { cause })
    }
    return undefined
  }
}
